"""From predictive distributions of vitals to the distribution of their NEWS2 points.

Pure arrays: leads along the first axis. A forecast is seven quantiles per lead; between them
the distribution function is interpolated linearly in normal scores (exact for a Gaussian
forecast), the tails go on with the slope of the outermost pair, and mass outside the plausible
range is put on its ends. Quantiles that cross are sorted (rearrangement, Chernozhukov et al. 2010).
A distribution that cannot be scored raises `OutlookError`.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clinical.errors import OutlookError
from clinical.news2 import HIGHEST_TOTAL, MEASURED, Scale

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
WORST_POINTS = 3
DEFAULT_LOADING = 0.3
HIGHEST_LOADING = 0.95
MINIMUM_RESIDUALS = 50
_WORSE_DOWN = frozenset({"spo2", "systolic_bp"})
_NODES = 64
_SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])


def quantiles_of(
    point: Sequence[float], lower: Mapping[int, Sequence[float]],
    upper: Mapping[int, Sequence[float]],
) -> FloatArray:
    """Shape (h, 7) from the median and the bounds of the 50, 80 and 95 % intervals, each (h,)."""
    return np.column_stack([lower[95], lower[80], lower[50], point, upper[50], upper[80],
                            upper[95]]).astype(np.float64)


def probability_below(
    quantiles: FloatArray, cuts: FloatArray, low: float, high: float,
) -> FloatArray:
    """P(X < cut), shape (h, m), of quantiles (h, 7) at cuts (m,); X lies within [low, high]."""
    q = np.sort(quantiles, axis=1)
    left = np.clip((q[:, None, :] < cuts[None, :, None]).sum(axis=2) - 1, 0, q.shape[1] - 2)
    start = np.take_along_axis(q, left, axis=1)
    width = np.take_along_axis(q, left + 1, axis=1) - start
    step = np.broadcast_to(cuts, left.shape) - start
    rise = np.diff(_SCORES)[left]
    # A width of 0 occurs only beyond tied outermost quantiles: nothing lies further out.
    outside = np.where(step == 0, 0.0, np.copysign(np.inf, step))
    slope = np.divide(step, width, out=outside, where=width > 0)
    below = normal_cdf(_SCORES[left] + slope * rise)
    return np.where(cuts <= low, 0.0, np.where(cuts > high, 1.0, below))


def points_probabilities(
    quantiles: FloatArray, scale: Scale, low: float, high: float,
) -> FloatArray:
    """P(points = 0..3) of one vital, shape (h, 4).

    Values are discretised at the precision of the chart first, halves up: a step reaches half a
    place beyond the highest value that it names.
    """
    cuts = np.array([float(cut) for cut in scale.cuts])
    below = probability_below(quantiles, cuts, low, high)
    edges = np.column_stack([np.zeros(len(below)), below, np.ones(len(below))])
    steps = np.diff(np.maximum.accumulate(edges, axis=1), axis=1)
    return np.column_stack([
        steps[:, np.array(scale.points) == points].sum(axis=1)
        for points in range(WORST_POINTS + 1)])


def points_of(values: FloatArray, scale: Scale) -> IntArray:
    """Points of each value, in the same shape."""
    cuts = np.array([float(cut) for cut in scale.cuts])
    return np.array(scale.points)[np.searchsorted(cuts, values, side="right")]


def total_probabilities(
    points: Sequence[FloatArray], leads: int, *, constant: int = 0, constant_three: bool = False,
    loading: float = 0.0,
) -> FloatArray:
    """P(total = k, any single 3 = j), shape (h, 21, 2), of vitals' points, each (h, 4).

    A one-factor Gaussian copula over the points: each vital's latent severity is
    loading × common factor + √(1 − loading²) × its own, so that any two correlate by loading²;
    given the factor the vitals are independent and their points are convolved. Integrated over
    the factor by Gauss-Hermite quadrature (64 nodes); loading 0 is independence, exact.
    `constant` points, and whether they hold a 3, are added for sure.
    """
    if not 0 <= loading < 1:
        raise OutlookError(f"loading {loading} is not in [0, 1); give 0 for independence")
    nodes, weights = _factor(loading)
    joint = np.zeros((leads, len(nodes), HIGHEST_TOTAL + 1, 2))
    joint[:, :, constant, int(constant_three)] = 1.0
    for one in points:
        joint = _add(joint, _given_factor(one, nodes, loading))
    totals: FloatArray = np.einsum("hntj,n->htj", joint, weights)
    return totals


def estimate_loading(residuals: Mapping[str, FloatArray]) -> float:
    """The copula's loading from forecast residuals, each vital (n,), aligned in time, NaN allowed.

    Residuals are turned so that worse is up (SpO2 and systolic BP down), ranked to normal scores,
    and correlated in pairs; with one factor of equal loadings every correlation is loading², so
    the loading is the root of their mean (0 where it is negative).
    """
    turned = {name: -one if name in _WORSE_DOWN else one for name, one in residuals.items()
              if name in MEASURED}
    pairs = [_rank_correlation(turned[a], turned[b]) for a, b in combinations(sorted(turned), 2)]
    known = [one for one in pairs if one is not None]
    if not known:
        raise OutlookError(f"no two vitals have {MINIMUM_RESIDUALS} hours in common; keep the "
                           f"default loading {DEFAULT_LOADING}")
    return math.sqrt(min(max(sum(known) / len(known), 0.0), HIGHEST_LOADING**2))


def normal_cdf(z: FloatArray) -> FloatArray:
    """Φ(z), element by element, exact in both tails."""
    flat = (0.5 * math.erfc(-value / math.sqrt(2)) for value in z.ravel().tolist())
    return np.fromiter(flat, np.float64, z.size).reshape(z.shape)


def normal_score(p: FloatArray) -> FloatArray:
    """Φ⁻¹(p), element by element; ±∞ at 0 and 1."""
    inverse = NormalDist().inv_cdf
    flat = (inverse(value) if 0 < value < 1 else math.copysign(math.inf, value - 0.5)
            for value in p.ravel().tolist())
    return np.fromiter(flat, np.float64, p.size).reshape(p.shape)


def _rank_correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Correlation of normal scores over common hours; None with too few of them, or no spread."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < MINIMUM_RESIDUALS or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return None
    ranks = [np.argsort(np.argsort(one[both], kind="stable"), kind="stable") for one in (a, b)]
    scores = [normal_score((one + 0.5) / len(one)) for one in ranks]
    return float(np.corrcoef(scores[0], scores[1])[0, 1])


def _factor(loading: float) -> tuple[FloatArray, FloatArray]:
    """Quadrature nodes and weights of the common factor, a standard Gaussian."""
    if loading == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()


def _given_factor(points: FloatArray, nodes: FloatArray, loading: float) -> FloatArray:
    """P(points = 0..3 | factor), shape (h, n, 4)."""
    if loading == 0:
        return points[:, None, :]
    limits = normal_score(np.clip(np.cumsum(points, axis=1)[:, :-1], 0.0, 1.0))
    latent = (limits[:, None, :] - loading * nodes[None, :, None]) / math.sqrt(1 - loading**2)
    below = normal_cdf(latent)
    ends = (*below.shape[:2], 1)
    return np.diff(np.concatenate([np.zeros(ends), below, np.ones(ends)], axis=2), axis=2)


def _add(joint: FloatArray, points: FloatArray) -> FloatArray:
    """The joint distribution after one more vital: totals shift, a 3 sets the flag."""
    added = np.zeros_like(joint)
    for worth in range(WORST_POINTS + 1):
        share = joint[:, :, : HIGHEST_TOTAL + 1 - worth, :] * points[:, :, worth, None, None]
        if worth == WORST_POINTS:
            added[:, :, worth:, 1] += share.sum(axis=3)
        else:
            added[:, :, worth:, :] += share
    return added
