"""From predictive distributions of vitals to the distribution of their NEWS2 points.

Pure arrays, of any number of patients and leads. A forecast is seven quantiles per lead; between
them the distribution function is interpolated linearly in normal scores (exact for a Gaussian
forecast), the tails go on with the slope of the outermost pair, and mass outside the plausible
range is put on its ends. Quantiles that cross are sorted (rearrangement, Chernozhukov et al. 2010).
A distribution that cannot be scored raises `OutlookError`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clinical.errors import OutlookError
from clinical.news2 import HIGHEST_TOTAL, Scale

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
WORST_POINTS = 3
DEFAULT_LOADING = 0.3
HIGHEST_LOADING = 0.95
_NODES = 64
_FEW_NODES = 28         # agree with 64 to 1e-15 up to a loading of 0.4
_FEW_NODES_LOADING = 0.4
_NEGLIGIBLE = 1e-15
_NOTHING = 1e-16
_CHUNK_PATIENTS = 12   # whose arrays stay in the processor's cache

# AS 241: ratios of polynomials, in the middle, near and far in the tails; highest power first.
_MIDDLE_HALF = 0.425
_MIDDLE = np.array([
    [2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080],
    [5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0]])
_NEAR = np.array([
    [7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
     4.63033784615654529590, 1.42343711074968357734],
    [1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
     2.05319162663775882187, 1.0]])
_FAR = np.array([
    [2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
     5.46378491116411436990, 6.65790464350110377720],
    [2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0]])

_SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])


def quantiles_of(
    point: FloatArray | Sequence[float], lower: Mapping[int, FloatArray | Sequence[float]],
    upper: Mapping[int, FloatArray | Sequence[float]],
) -> FloatArray:
    """Shape (…, h, 7) from the median and the bounds of the 50, 80 and 95 % intervals, (…, h)."""
    return np.stack([np.asarray(one, np.float64) for one in (
        lower[95], lower[80], lower[50], point, upper[50], upper[80], upper[95])], axis=-1)


def probability_below(
    quantiles: FloatArray, cuts: FloatArray, low: float, high: float,
) -> FloatArray:
    """P(X < cut), shape (…, m), of quantiles (…, 7) at cuts (m,); X lies within [low, high]."""
    q = np.sort(quantiles, axis=-1)
    left = np.clip((q[..., None, :] < cuts[:, None]).sum(axis=-1) - 1, 0, q.shape[-1] - 2)
    start = np.take_along_axis(q, left, axis=-1)
    width = np.take_along_axis(q, left + 1, axis=-1) - start
    step = cuts - start
    rise = np.diff(_SCORES)[left]
    # A width of 0 occurs only beyond tied outermost quantiles: nothing lies further out.
    outside = np.where(step == 0, 0.0, np.copysign(np.inf, step))
    slope = np.divide(step, width, out=outside, where=width > 0)
    below = normal_cdf(_SCORES[left] + slope * rise)
    return np.where(cuts <= low, 0.0, np.where(cuts > high, 1.0, below))


def points_probabilities(
    quantiles: FloatArray, scale: Scale, low: float, high: float,
) -> FloatArray:
    """P(points = 0..3) of one vital, shape (…, 4), of quantiles (…, 7).

    Values are discretised at the precision of the chart first, halves up: a step reaches half a
    place beyond the highest value that it names.
    """
    cuts = np.array([float(cut) for cut in scale.cuts])
    below = probability_below(quantiles, cuts, low, high)
    ends = (*below.shape[:-1], 1)
    edges = np.concatenate([np.zeros(ends), below, np.ones(ends)], axis=-1)
    steps = np.diff(np.maximum.accumulate(edges, axis=-1), axis=-1)
    return np.stack([steps[..., np.array(scale.points) == points].sum(axis=-1)
                     for points in range(WORST_POINTS + 1)], axis=-1)


def points_of(values: FloatArray, scale: Scale) -> IntArray:
    """Points of each value, in the same shape."""
    cuts = np.array([float(cut) for cut in scale.cuts])
    return np.array(scale.points)[np.searchsorted(cuts, values, side="right")]


def total_probabilities(points: FloatArray, *, loading: float = 0.0) -> FloatArray:
    """P(total = k, any single 3 = j), shape (P, h, 21, 2), of the vitals' points (P, V, h, 4).

    A one-factor Gaussian copula over the points: each vital's latent severity is
    loading × common factor + √(1 − loading²) × its own, so that any two correlate by loading²;
    given the factor the vitals are independent and their points are convolved. Integrated over
    the factor by Gauss-Hermite quadrature; loading 0 is independence, exact.
    A vital that is certain to score 0 changes nothing. A patient's figures do not depend, to the
    last bit, on who else is in the call. `OutlookError` for more than six vitals.
    """
    if not 0 <= loading <= HIGHEST_LOADING:
        raise OutlookError(f"loading {loading} is not in [0, {HIGHEST_LOADING}]; give 0 for "
                           "independence")
    count, vitals, leads, _ = points.shape
    if vitals * WORST_POINTS > HIGHEST_TOTAL:
        raise OutlookError(f"{vitals} vitals can exceed a total of {HIGHEST_TOTAL}; give those "
                           "that NEWS2 scores")
    joint = np.zeros((count, leads, HIGHEST_TOTAL + 1, 2))
    for first in range(0, count, _CHUNK_PATIENTS):
        some = slice(first, first + _CHUNK_PATIENTS)
        given, weights = _given_factor(points[some], loading)
        every = _total(given, weights)
        calm = _total(given[:, :, :WORST_POINTS], weights)      # no vital scores 3
        joint[some, :, :every.shape[-1], 1] = every
        joint[some, :, :calm.shape[-1], 0] = calm
    joint[..., 1] = np.maximum(joint[..., 1] - joint[..., 0], 0.0)
    return joint


def normal_cdf(z: FloatArray) -> FloatArray:
    """Φ(z), element by element, exact in both tails."""
    scaled = map(math.erfc, (-z / math.sqrt(2)).ravel().tolist())
    return 0.5 * np.fromiter(scaled, np.float64, z.size).reshape(z.shape)


def normal_score(p: FloatArray) -> FloatArray:
    """Φ⁻¹(p), element by element, to 15 digits; ±∞ at 0 and 1 (Wichura 1988, AS 241)."""
    q = p - 0.5
    with np.errstate(divide="ignore"):
        r = np.sqrt(-np.log(np.minimum(p, 1.0 - p)))
    near = _ratio(_NEAR, np.minimum(r, 5.0) - 1.6)
    far = _ratio(_FAR, np.where(np.isinf(r), 0.0, r - 5.0))
    tail = np.where(r <= 5.0, near, np.where(np.isinf(r), np.inf, far))
    middle = np.clip(q, -_MIDDLE_HALF, _MIDDLE_HALF)
    centre = middle * _ratio(_MIDDLE, _MIDDLE_HALF**2 - middle**2)
    return np.where(np.abs(q) <= _MIDDLE_HALF, centre, np.copysign(tail, q))


def _ratio(powers: FloatArray, x: FloatArray) -> FloatArray:
    """The ratio of two polynomials, coefficients (2, k) with the highest power first."""
    above, under = np.full_like(x, powers[0, 0]), np.full_like(x, powers[1, 0])
    for one, other in powers[:, 1:].T.tolist():
        above, under = above * x + one, under * x + other
    return above / under


def _total(given: FloatArray, weights: FloatArray) -> FloatArray:
    """P(total = k), shape (P, h, K), of points given the factor, shape (P, V, c, h, n)."""
    half = (given.shape[1] + 1) // 2
    left, right = (_convolved(one) for one in (given[:, :half], given[:, half:]))
    pairs = np.matmul((left * weights).transpose(0, 2, 1, 3), right.transpose(0, 2, 3, 1))
    total = np.zeros((*pairs.shape[:2], pairs.shape[2] + pairs.shape[3] - 1))
    for worth in range(pairs.shape[3]):
        total[..., worth:worth + pairs.shape[2]] += pairs[..., worth]
    return np.maximum(total, 0.0, out=total)


def _convolved(given: FloatArray) -> FloatArray:
    """Points of independent vitals (P, V, c, h, n) added up: shape (P, V (c − 1) + 1, h, n)."""
    count, vitals, worths, leads, nodes = given.shape
    total = given[:, 0] if vitals else np.ones((count, 1, leads, nodes))
    for one in range(1, vitals):
        added = np.zeros((count, total.shape[1] + worths - 1, leads, nodes))
        for worth in range(worths):
            added[:, worth:worth + total.shape[1]] += total * given[:, one, worth, None]
        total = added
    return total


def _given_factor(points: FloatArray, loading: float) -> tuple[FloatArray, FloatArray]:
    """P(points = 0..3 | factor), shape (P, V, 4, h, n) of (P, V, h, 4), and the nodes' weights.

    Mehler's expansion: with limits L = Φ⁻¹(p), λ the loading and He normalised to hᵢ = Heᵢ/√i!,

        Φ((L − λx) / √(1 − λ²)) = p − Σᵢ λⁱ hᵢ₋₁(L) φ(L) / √i · hᵢ(x),

    so that all nodes x of a vital are one matrix product.
    """
    hermite, weights = _factor(loading)
    limits = np.ascontiguousarray(
        np.clip(np.cumsum(points, axis=-1)[..., :-1], 0.0, 1.0).swapaxes(-1, -2))
    inside = (limits > _NOTHING) & (limits < 1)     # at the ends the factor changes nothing
    score = np.zeros_like(limits)
    score[inside] = normal_score(limits[inside])
    below = np.zeros((len(hermite), *limits.shape[:-2], WORST_POINTS + 2, limits.shape[-1]))
    terms = below[..., 1:-1, :]     # outside the limits there is nothing below, or everything
    terms[1:2] = np.where(inside, np.exp(-score**2 / 2) * (-loading / math.sqrt(2 * math.pi)), 0.0)
    scaled = loading * score
    for order in range(1, len(hermite) - 1):
        earlier = loading**2 * (order - 1) / math.sqrt(order)
        terms[order + 1] = (scaled * terms[order] - earlier * terms[order - 1]) / math.sqrt(
            order + 1)
    shares = np.diff(below, axis=-2)
    shares[0] = points.swapaxes(-1, -2)
    rows = shares.reshape(*shares.shape[:3], -1)
    given = np.matmul(np.moveaxis(rows, 0, -1), hermite)
    return given.reshape(*shares.shape[1:], -1), weights


@cache
def _factor(loading: float) -> tuple[FloatArray, FloatArray]:
    """h₀..hₘ at the quadrature's nodes, shape (m + 1, n), and the nodes' weights, shape (n,).

    Nodes that weigh nothing are left out, and orders that add less than 1e-15.
    """
    if loading == 0:
        return np.ones((1, 1)), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(
        _FEW_NODES if loading <= _FEW_NODES_LOADING else _NODES)
    weights /= weights.sum()
    counts = weights > _NEGLIGIBLE
    nodes, weights = nodes[counts], weights[counts]
    orders = math.ceil(math.log(_NEGLIGIBLE) / math.log(loading)) + 1
    hermite = np.ones((max(orders, 2), nodes.size))
    hermite[1] = nodes
    for order in range(2, orders):
        hermite[order] = (nodes * hermite[order - 1]
                          - math.sqrt(order - 1) * hermite[order - 2]) / math.sqrt(order)
    return hermite, weights
