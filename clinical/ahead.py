"""Forecasts of many patients scored at once: NEWS2 of predictive distributions, as arrays.

`clinical.outlook` says what they mean for one patient. A patient's figures are the same, to the
last bit, whoever else is scored with them and in whatever order. Quantiles that cannot be scored
raise `OutlookError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clinical.distributions import (
    DEFAULT_LOADING,
    QUANTILE_LEVELS,
    WORST_POINTS,
    FloatArray,
    IntArray,
    points_probabilities,
    total_probabilities,
)
from clinical.errors import OutlookError
from clinical.news2 import (
    ALTERED_CONSCIOUSNESS_POINTS,
    BANDS,
    HIGHEST_TOTAL,
    MEASURED,
    OXYGEN_POINTS,
    Consciousness,
    Inputs,
    Scale,
    band_of,
    scale_of,
)
from clinical.vitals import SPECS, Vital

BoolArray = NDArray[np.bool_]

MEDIUM_TOTAL = 5
HIGH_TOTAL = 7
_WORTH = np.arange(WORST_POINTS + 1, dtype=np.float64)
_TIED = 12
"""Decimals to which probabilities are compared: beyond them is rounding, not risk."""
_BAND_OF = np.array([[band_of(total, any_three=three) is band for band in BANDS]
                     for total in range(HIGHEST_TOTAL + 1) for three in (False, True)], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ahead:
    """P patients over a horizon of h hours, lead 1 first.

    totals    (P, h, 21) P(total = k)
    bands     (P, h, 4) their probabilities in the order of `BANDS`, summing to 1
    expected  (P, 5, h) expected points of each of `MEASURED`; 0 where it has no forecast
    present   (P, 5) which of `MEASURED` have a forecast; without any, the figures mean nothing
    """

    totals: FloatArray
    bands: FloatArray
    expected: FloatArray
    present: BoolArray

    @property
    def at_least_5(self) -> FloatArray:
        """P(total ≥ 5), shape (P, h)."""
        return np.asarray(self.totals[..., MEDIUM_TOTAL:].sum(axis=-1))

    @property
    def at_least_7(self) -> FloatArray:
        """P(total ≥ 7), shape (P, h)."""
        return np.asarray(self.totals[..., HIGH_TOTAL:].sum(axis=-1))

    @property
    def peaks(self) -> IntArray:
        """The first lead of highest P(total ≥ 5), counted from 0, shape (P,)."""
        return np.asarray(np.argmax(np.round(self.at_least_5, _TIED), axis=-1))


def score_ahead(
    quantiles: Mapping[str, FloatArray], known: Sequence[Inputs], *,
    loading: float = DEFAULT_LOADING,
) -> Ahead:
    """Score the forecasts of P patients.

    quantiles  per vital, shape (P, h, 7), at `QUANTILE_LEVELS`; NaN rows = no forecast of that
               vital; vitals that NEWS2 does not score are passed over
    known      the P patients' inputs now, of which oxygen supply, consciousness and SpO2 scale
               are carried forward
    loading    of the one-factor copula, see `total_probabilities`
    """
    scored, present = _checked(quantiles, len(known))
    leads = next(iter(scored.values())).shape[1]
    points = np.zeros((len(known), len(MEASURED), leads, WORST_POINTS + 1))
    points[..., 0] = 1.0    # no forecast counts as no points: every figure is an "at least"
    for name, one in scored.items():
        place = MEASURED.index(name)
        for scale, chosen in _by_scale(name, known, present[:, place]):
            spec = SPECS[Vital(name)]
            points[chosen, place] = points_probabilities(one[chosen], scale, spec.low, spec.high)
    joint = _with_certain(total_probabilities(points, loading=loading), known)
    return Ahead(totals=joint.sum(axis=-1), bands=joint.reshape(*joint.shape[:2], -1) @ _BAND_OF,
                 expected=points @ _WORTH, present=present)


def forecast_scale(name: str, known: Inputs) -> Scale:
    """The row of the chart; scale 2 without known oxygen supply is read on air: at least."""
    return scale_of(name, known, on_oxygen=bool(known.supplemental_oxygen))


def certain_points(known: Inputs) -> tuple[int, bool]:
    """Points of oxygen and consciousness, carried forward, and whether they hold a 3."""
    altered = known.consciousness not in (None, Consciousness.ALERT)
    oxygen = OXYGEN_POINTS * bool(known.supplemental_oxygen)
    return oxygen + ALTERED_CONSCIOUSNESS_POINTS * altered, altered


def _checked(
    quantiles: Mapping[str, FloatArray], count: int,
) -> tuple[dict[str, FloatArray], BoolArray]:
    """The scored vitals' quantiles in the order of the chart, and who has which."""
    scored = {name: np.asarray(quantiles[name], np.float64)
              for name in MEASURED if name in quantiles}
    if not scored:
        raise OutlookError("none of the vitals that NEWS2 scores has a forecast; "
                           f"forecast at least one of {', '.join(MEASURED)}")
    present = np.zeros((count, len(MEASURED)), np.bool_)
    for name, one in scored.items():
        if one.ndim != 3 or one.shape[2] != len(QUANTILE_LEVELS) or not one.shape[1]:
            raise OutlookError(f"{name}: quantiles of shape {one.shape[1:]}; give (horizon, "
                               f"{len(QUANTILE_LEVELS)}), at the levels {QUANTILE_LEVELS}")
        absent = np.isnan(one).all(axis=(1, 2))
        if len(one) != count or not np.isfinite(one[~absent]).all():
            raise OutlookError(f"{name}: {len(one)} patients of {count}, or a quantile is not "
                               "finite; leave the vital out")
        present[:, MEASURED.index(name)] = ~absent
    if len({one.shape[1] for one in scored.values()}) > 1:
        raise OutlookError("the vitals' horizons differ; cut them to the shortest")
    return scored, present


def _by_scale(
    name: str, known: Sequence[Inputs], present: BoolArray,
) -> list[tuple[Scale, IntArray]]:
    """The patients who have the vital, by the row of the chart that holds for them."""
    rows = np.flatnonzero(present)
    scales = [forecast_scale(name, known[row]) for row in rows.tolist()]
    return [(scale, rows[[one is scale for one in scales]])
            for scale in {id(one): one for one in scales}.values()]


def _with_certain(joint: FloatArray, known: Sequence[Inputs]) -> FloatArray:
    """Totals moved up by what oxygen and consciousness score for sure."""
    moved = joint.copy()
    certain = [certain_points(one) for one in known]
    for points, three in set(certain) - {(0, False)}:
        rows = np.flatnonzero([one == (points, three) for one in certain])
        one = np.zeros_like(joint[rows])
        one[:, :, points:] = joint[rows][:, :, :HIGHEST_TOTAL + 1 - points]
        if three:
            one = np.stack([np.zeros(one.shape[:-1]), one.sum(axis=-1)], axis=-1)
        moved[rows] = one
    return moved


def most_likely(bands: FloatArray) -> list[str]:
    """The most likely band of each row of (…, 4); the worse one of equals."""
    worst_first = np.argmax(np.round(bands, _TIED)[..., ::-1], axis=-1)
    return [BANDS[len(BANDS) - 1 - one].value for one in worst_first.ravel().tolist()]
