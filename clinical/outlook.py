"""Severity of a forecast: NEWS2 of the predictive distributions, lead by lead.

The distribution is scored, not its mean: a vital whose forecast lies just inside a threshold
carries the risk of the other side. Vitals without a forecast are missing, so every figure is an
"at least", as for a partial score; oxygen supply and consciousness are carried forward as they
are now. The forecasts are of hourly means, which soften peaks: another reason to read "at
least". A forecast that cannot be scored raises `OutlookError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clinical.distributions import (
    DEFAULT_LOADING,
    QUANTILE_LEVELS,
    WORST_POINTS,
    FloatArray,
    points_of,
    points_probabilities,
    total_probabilities,
)
from clinical.errors import OutlookError
from clinical.news2 import (
    ALTERED_CONSCIOUSNESS_POINTS,
    BANDS,
    MEASURED,
    OXYGEN_POINTS,
    PARAMETERS,
    Consciousness,
    Inputs,
    Scale,
    band_of,
    scale_of,
)
from clinical.vitals import SPECS, Vital

DEFAULT_ALERT_THRESHOLD = 0.3
DEFAULT_WITHIN_HOURS = 12
MEDIUM_TOTAL = 5
HIGH_TOTAL = 7
_WORTH = np.arange(WORST_POINTS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadOutlook:
    """One hour ahead. `totals[k]` = P(total = k), k = 0..20; `bands` by name, summing to 1."""

    lead: int
    totals: tuple[float, ...]
    bands: Mapping[str, float]
    most_likely_band: str
    p_at_least_5: float
    p_at_least_7: float
    expected_points: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A vital's part in the score: expected points on average and at the hour of highest risk."""

    vital: str
    mean_points: float
    points_at_peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """P(total ≥ 5 in at least one of the next `hours`).

    From joint paths `probability` is their share. Without paths it is None and lies between
    `lower`, the highest hour's probability, and `upper`, the sum over the hours (Boole).
    """

    hours: int
    probability: float | None
    lower: float
    upper: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Severity over the horizon. `missing` inputs could add up to `missing_points` at each lead.

    `alert_lead` is the first lead at which P(total ≥ 5) reaches `alert_threshold`; None if none.
    """

    leads: tuple[LeadOutlook, ...]
    peak_lead: int
    peak_p_at_least_5: float
    alert_lead: int | None
    alert_threshold: float
    within: Within
    drivers: tuple[Driver, ...]
    missing: tuple[str, ...]
    missing_points: int
    dependence: str
    sentences: tuple[str, ...]


def forecast_severity(
    quantiles: Mapping[str, FloatArray], known: Inputs, *,
    loading: float = DEFAULT_LOADING, loading_estimated: bool = False,
    alert_threshold: float = DEFAULT_ALERT_THRESHOLD,
    within_hours: int = DEFAULT_WITHIN_HOURS, paths: Mapping[str, FloatArray] | None = None,
) -> Outlook:
    """Score the forecast distributions.

    quantiles  per vital, shape (horizon, 7), at `QUANTILE_LEVELS`; vitals that NEWS2 does not
               score are passed over
    known      the inputs now: its oxygen, consciousness and SpO2 scale are carried forward (its
               measured values are not used)
    loading    of the one-factor copula that joins the vitals (they worsen together); the default
               is an assumption, `estimate_loading` gives one from residuals; 0 = independence
    paths      joint residual paths per vital, shape (n, horizon), for the "within" event
    """
    if not (0 < alert_threshold <= 1 and within_hours >= 1):
        raise OutlookError(f"alert threshold {alert_threshold}, within {within_hours} h: give a "
                           "probability above 0 and at least one hour")
    points = {name: _probabilities(name, one, known) for name, one in _checked(quantiles).items()}
    horizon = len(next(iter(points.values())))
    certain, three = _certain(known)
    joint = total_probabilities(list(points.values()), horizon, constant=certain,
                                constant_three=three, loading=loading)
    at_least_5 = joint[:, MEDIUM_TOTAL:].sum(axis=(1, 2))
    peak = int(np.argmax(at_least_5))
    over = np.flatnonzero(at_least_5 >= alert_threshold)
    missing = _missing(points, known)
    outlook = Outlook(
        leads=tuple(_lead(number, joint[number], points) for number in range(horizon)),
        peak_lead=peak + 1, peak_p_at_least_5=float(at_least_5[peak]),
        alert_lead=int(over[0]) + 1 if len(over) else None, alert_threshold=alert_threshold,
        within=(within_from_paths(paths, known, within_hours) if paths
                else within_bounds(at_least_5.tolist(), within_hours)),
        drivers=_drivers(points, peak), missing=missing,
        missing_points=_missing_points(missing, known),
        dependence=_dependence(loading, loading_estimated), sentences=(),
    )
    return replace(outlook, sentences=_sentences(outlook))


def within_bounds(at_least_5: Sequence[float], hours: int) -> Within:
    """What the hours' own probabilities say of their union, whatever their dependence."""
    first = at_least_5[:hours]
    return Within(hours=len(first), probability=None, lower=max(first), upper=min(1.0, sum(first)),
                  method="bounds from hourly probabilities: highest hour to sum of hours")


def within_from_paths(paths: Mapping[str, FloatArray], known: Inputs, hours: int) -> Within:
    """Share of joint paths on which the total reaches 5 in the first `hours`.

    paths: per vital, shape (n, horizon); row i of every vital is the same joint path.
    """
    scored = {name: np.asarray(one, np.float64) for name, one in paths.items() if name in MEASURED}
    if len({one.shape for one in scored.values()}) != 1:
        raise OutlookError("joint paths need at least one scored vital and one shape for all; "
                           "cut them to the same paths and hours")
    total = sum((points_of(one[:, :hours], _scale(name, known)) for name, one in scored.items()),
                start=np.int64(_certain(known)[0]))
    share = float((np.max(total, axis=1) >= MEDIUM_TOTAL).mean())
    count, horizon = next(iter(scored.values())).shape
    return Within(hours=min(hours, horizon), probability=share, lower=share, upper=share,
                  method=f"share of {count} joint residual paths")


def _checked(quantiles: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The scored vitals' quantiles, in the order of the chart."""
    scored = {name: np.asarray(quantiles[name], np.float64)
              for name in MEASURED if name in quantiles}
    if not scored:
        raise OutlookError("none of the vitals that NEWS2 scores has a forecast; "
                           f"forecast at least one of {', '.join(MEASURED)}")
    for name, one in scored.items():
        if one.ndim != 2 or one.shape[1] != len(QUANTILE_LEVELS) or not len(one):
            raise OutlookError(f"{name}: quantiles of shape {one.shape}; give (horizon, "
                               f"{len(QUANTILE_LEVELS)}), at the levels {QUANTILE_LEVELS}")
        if not np.isfinite(one).all():
            raise OutlookError(f"{name}: a quantile is not finite; leave the vital out")
    if len({len(one) for one in scored.values()}) > 1:
        raise OutlookError("the vitals' horizons differ; cut them to the shortest")
    return scored


def _scale(name: str, known: Inputs) -> Scale:
    """The row of the chart; scale 2 without known oxygen supply is read on air: at least."""
    return scale_of(name, known, on_oxygen=bool(known.supplemental_oxygen))


def _probabilities(name: str, quantiles: FloatArray, known: Inputs) -> FloatArray:
    spec = SPECS[Vital(name)]
    return points_probabilities(quantiles, _scale(name, known), spec.low, spec.high)


def _certain(known: Inputs) -> tuple[int, bool]:
    """Points of oxygen and consciousness, carried forward, and whether they hold a 3."""
    altered = known.consciousness not in (None, Consciousness.ALERT)
    oxygen = OXYGEN_POINTS * bool(known.supplemental_oxygen)
    return oxygen + ALTERED_CONSCIOUSNESS_POINTS * altered, altered


def _missing(points: Mapping[str, FloatArray], known: Inputs) -> tuple[str, ...]:
    unknown = {name for name in PARAMETERS if getattr(known, name) is None}
    return tuple(name for name in PARAMETERS
                 if name not in points and (name in MEASURED or name in unknown))


def _missing_points(missing: Sequence[str], known: Inputs) -> int:
    """The most that the missing inputs could add."""
    supply = "supplemental_oxygen" in missing
    scale_2 = supply and known.spo2_scale == 2 and "spo2" not in missing
    return OXYGEN_POINTS * supply + WORST_POINTS * (len(missing) - supply + scale_2)


def _lead(number: int, joint: FloatArray, points: Mapping[str, FloatArray]) -> LeadOutlook:
    """`joint` of shape (21, 2): totals by whether a single 3 is among them."""
    bands = dict.fromkeys((band.value for band in BANDS), 0.0)
    for total, three in np.ndindex(joint.shape):
        bands[band_of(total, any_three=bool(three)).value] += float(joint[total, three])
    totals = joint.sum(axis=1)
    return LeadOutlook(
        lead=number + 1, totals=tuple(totals.tolist()), bands=bands,
        most_likely_band=max(reversed(BANDS), key=lambda band: bands[band.value]).value,
        p_at_least_5=float(totals[MEDIUM_TOTAL:].sum()),
        p_at_least_7=float(totals[HIGH_TOTAL:].sum()),
        expected_points={name: float(one[number] @ _WORTH) for name, one in points.items()},
    )


def _drivers(points: Mapping[str, FloatArray], peak: int) -> tuple[Driver, ...]:
    """Vitals by their expected points at the hour of highest risk, most first."""
    drivers = [Driver(vital=name, mean_points=float((one @ _WORTH).mean()),
                      points_at_peak=float(one[peak] @ _WORTH)) for name, one in points.items()]
    return tuple(sorted(drivers, key=lambda one: (-one.points_at_peak, -one.mean_points)))


def _dependence(loading: float, estimated: bool) -> str:
    if loading == 0:
        return "vitals independent (understates the tails: vitals worsen together)"
    origin = "estimated on residuals" if estimated else "an assumption, not estimated"
    return f"one-factor Gaussian copula over the points, loading {loading:g} ({origin})"


def _sentences(outlook: Outlook) -> tuple[str, ...]:
    peak = outlook.leads[outlook.peak_lead - 1]
    least = "at least " if outlook.missing else ""
    parts = [f"{SPECS[Vital(one.vital)].label} {one.points_at_peak:.1f}"
             for one in outlook.drivers if one.points_at_peak >= 0.05]
    return (
        f"Highest risk at hour {peak.lead}: P(NEWS2 ≥ 5) is {least}{peak.p_at_least_5:.0%}, "
        f"P(NEWS2 ≥ 7) {least}{peak.p_at_least_7:.0%}, most likely band {peak.most_likely_band}.",
        _alert_sentence(outlook),
        "Expected points then: " + (", ".join(parts) or "none") + ".",
        _within_sentence(outlook.within),
        *([f"Not forecast, so not scored: {', '.join(outlook.missing)}; they could add up to "
           f"{outlook.missing_points} points."] if outlook.missing else []),
        f"Computed with {outlook.dependence}.",
    )


def _alert_sentence(outlook: Outlook) -> str:
    limit = f"{outlook.alert_threshold:.0%}"
    if outlook.alert_lead is None:
        return f"P(NEWS2 ≥ 5) stays below the alert threshold of {limit}."
    return f"P(NEWS2 ≥ 5) reaches the alert threshold of {limit} at hour {outlook.alert_lead}."


def _within_sentence(within: Within) -> str:
    risk = (f"{within.probability:.0%}" if within.probability is not None
            else f"between {within.lower:.0%} and {within.upper:.0%}")
    return f"P(NEWS2 ≥ 5 within {within.hours} h) is {risk} ({within.method})."
