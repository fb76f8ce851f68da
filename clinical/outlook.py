"""Severity of a forecast: NEWS2 of the predictive distributions, lead by lead.

The distribution is scored, not its mean: a vital whose forecast lies just inside a threshold
carries the risk of the other side. Vitals without a forecast are missing, so every figure is an
"at least", as for a partial score; oxygen supply and consciousness are carried forward as they
are now. The forecasts are of hourly means, which soften peaks: another reason to read "at
least". A forecast that cannot be scored raises `OutlookError`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from clinical.ahead import (
    MEDIUM_TOTAL,
    Ahead,
    certain_points,
    forecast_scale,
    most_likely,
    score_ahead,
)
from clinical.distributions import DEFAULT_LOADING, WORST_POINTS, FloatArray, points_of
from clinical.errors import OutlookError
from clinical.news2 import BANDS, MEASURED, OXYGEN_POINTS, PARAMETERS, Inputs
from clinical.vitals import SPECS, Vital
from clinical.words import LABELS, at_least, percent

DEFAULT_ALERT_THRESHOLD = 0.3
DEFAULT_WITHIN_HOURS = 12
_BAND_NAMES = tuple(band.value for band in BANDS)
_TIED = 12   # decimals to which the drivers are compared: beyond them is rounding


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
    loading: float = DEFAULT_LOADING,
    alert_threshold: float = DEFAULT_ALERT_THRESHOLD,
    within_hours: int = DEFAULT_WITHIN_HOURS, paths: Mapping[str, FloatArray] | None = None,
) -> Outlook:
    """Score one patient's forecast distributions.

    quantiles  per vital, shape (horizon, 7), at `QUANTILE_LEVELS`; vitals that NEWS2 does not
               score are passed over
    known      the inputs now: its oxygen, consciousness and SpO2 scale are carried forward (its
               measured values are not used)
    loading    of the one-factor copula that joins the vitals (they worsen together); the default
               is an assumption; 0 = independence
    paths      joint residual paths per vital, shape (n, horizon), for the "within" event
    """
    scored = {name: np.asarray(quantiles[name], np.float64)[None]
              for name in MEASURED if name in quantiles}
    for name, one in scored.items():
        if not np.isfinite(one).all():
            raise OutlookError(f"{name}: a quantile is not finite; leave the vital out")
    (outlook,) = forecast_severities(
        scored, [known], loading=loading, alert_threshold=alert_threshold,
        within_hours=within_hours)
    assert outlook is not None     # `score_ahead` refuses a cohort without a vital
    if not paths:
        return outlook
    outlook = replace(outlook, within=within_from_paths(paths, known, within_hours))
    return replace(outlook, sentences=_sentences(outlook))


def forecast_severities(
    quantiles: Mapping[str, FloatArray], known: Sequence[Inputs], *,
    loading: float = DEFAULT_LOADING,
    alert_threshold: float = DEFAULT_ALERT_THRESHOLD, within_hours: int = DEFAULT_WITHIN_HOURS,
) -> Iterator[Outlook | None]:
    """Score many patients at once: as `forecast_severity` does each, to the last bit.

    quantiles  per vital, shape (P, horizon, 7); a patient's NaN rows = no forecast of that vital
    known      the P patients' inputs now
    A patient without a forecast of any vital that NEWS2 scores has None.
    """
    if not (0 < alert_threshold <= 1 and within_hours >= 1):
        raise OutlookError(f"alert threshold {alert_threshold}, within {within_hours} h: give a "
                           "probability above 0 and at least one hour")
    ahead = score_ahead(quantiles, known, loading=loading)
    means = ahead.expected.mean(axis=-1).tolist()
    dependence = _dependence(loading)
    for leads, peak, mean, inputs in zip(
            _leads(ahead), ahead.peaks.tolist(), means, known, strict=True):
        yield None if not leads[0].expected_points else _outlook(
            leads, peak, dict(zip(MEASURED, mean, strict=True)), inputs,
            threshold=alert_threshold, hours=within_hours, dependence=dependence)


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
    total = sum((points_of(one[:, :hours], forecast_scale(name, known))
                 for name, one in scored.items()),
                start=np.int64(certain_points(known)[0]))
    share = float((np.max(total, axis=1) >= MEDIUM_TOTAL).mean())
    count, horizon = next(iter(scored.values())).shape
    return Within(hours=min(hours, horizon), probability=share, lower=share, upper=share,
                  method=f"share of {count} joint residual paths")


def _outlook(
    leads: tuple[LeadOutlook, ...], peak: int, mean_points: Mapping[str, float], known: Inputs, *,
    threshold: float, hours: int, dependence: str,
) -> Outlook:
    risks = [one.p_at_least_5 for one in leads]
    points = leads[peak].expected_points
    missing = _missing(tuple(points), known)
    outlook = Outlook(
        leads=leads, peak_lead=peak + 1, peak_p_at_least_5=risks[peak],
        alert_lead=next((one.lead for one in leads if one.p_at_least_5 >= threshold), None),
        alert_threshold=threshold, within=within_bounds(risks, hours),
        drivers=_drivers(points, mean_points), missing=missing,
        missing_points=_missing_points(missing, known), dependence=dependence, sentences=(),
    )
    return replace(outlook, sentences=_sentences(outlook))


def _leads(ahead: Ahead) -> Iterator[tuple[LeadOutlook, ...]]:
    """Each patient's hours."""
    likely = iter(most_likely(ahead.bands))
    for totals, bands, fives, sevens, points, present in zip(
            ahead.totals.tolist(), ahead.bands.tolist(), ahead.at_least_5.tolist(),
            ahead.at_least_7.tolist(), ahead.expected.swapaxes(1, 2).tolist(),
            ahead.present.tolist(), strict=True):
        names = tuple(compress(MEASURED, present))
        yield tuple(
            LeadOutlook(
                lead=lead, totals=tuple(total), bands=dict(zip(_BAND_NAMES, band, strict=True)),
                most_likely_band=next(likely), p_at_least_5=five, p_at_least_7=seven,
                expected_points=dict(zip(names, compress(point, present), strict=True)))
            for lead, (total, band, five, seven, point) in enumerate(
                zip(totals, bands, fives, sevens, points, strict=True), 1))


def _drivers(at_peak: Mapping[str, float], mean: Mapping[str, float]) -> tuple[Driver, ...]:
    """Vitals by their expected points at the hour of highest risk, most first."""
    drivers = [Driver(vital=name, mean_points=mean[name], points_at_peak=points)
               for name, points in at_peak.items()]
    return tuple(sorted(drivers, key=lambda one: (-round(one.points_at_peak, _TIED),
                                                  -round(one.mean_points, _TIED))))

def _missing(present: Sequence[str], known: Inputs) -> tuple[str, ...]:
    unknown = {name for name in PARAMETERS if getattr(known, name) is None}
    return tuple(name for name in PARAMETERS
                 if name not in present and (name in MEASURED or name in unknown))


def _missing_points(missing: Sequence[str], known: Inputs) -> int:
    """The most that the missing inputs could add."""
    supply = "supplemental_oxygen" in missing
    scale_2 = supply and known.spo2_scale == 2 and "spo2" not in missing
    return OXYGEN_POINTS * supply + WORST_POINTS * (len(missing) - supply + scale_2)


def _dependence(loading: float) -> str:
    if loading == 0:
        return "vitals independent (understates the tails: vitals worsen together)"
    return (f"one-factor Gaussian copula over the points, loading {loading:g} "
            "(an assumption, not estimated)")


def _sentences(outlook: Outlook) -> tuple[str, ...]:
    peak = outlook.leads[outlook.peak_lead - 1]
    told = at_least if outlook.missing else percent
    parts = [f"{LABELS[one.vital]} {one.points_at_peak:.1f}"
             for one in outlook.drivers if one.points_at_peak >= 0.05]
    return (
        f"Highest risk at hour {peak.lead}: P(NEWS2 ≥ 5) is {told(peak.p_at_least_5)}, "
        f"P(NEWS2 ≥ 7) {told(peak.p_at_least_7)}, most likely band of what is forecast "
        f"{peak.most_likely_band}.",
        _alert_sentence(outlook),
        "Expected points then: " + (", ".join(parts) or "none") + ".",
        _within_sentence(outlook),
        *([f"Not forecast, so counted as no points: {_names(outlook.missing)}; they could add up "
           f"to {outlook.missing_points} points."] if outlook.missing else []),
        f"Computed with {outlook.dependence}.",
    )


def _names(missing: Sequence[str]) -> str:
    """As they stand in the middle of a sentence."""
    return ", ".join(SPECS[Vital(name)].noun if name in MEASURED else LABELS[name].lower()
                     for name in missing)


def _alert_sentence(outlook: Outlook) -> str:
    limit = percent(outlook.alert_threshold)
    if outlook.alert_lead is None:
        known = " of what is forecast" if outlook.missing else ""
        return f"P(NEWS2 ≥ 5){known} stays below the alert threshold of {limit}."
    return f"P(NEWS2 ≥ 5) reaches the alert threshold of {limit} at hour {outlook.alert_lead}."


def _within_sentence(outlook: Outlook) -> str:
    within = outlook.within
    return f"P(NEWS2 ≥ 5 within {within.hours} h) is {_within_told(outlook)} ({within.method})."


def _within_told(outlook: Outlook) -> str:
    """A figure, a range, or a least where inputs are missing."""
    within = outlook.within
    if outlook.missing:
        return at_least(within.lower)
    if within.probability is not None:
        return percent(within.probability)
    low, high = percent(within.lower), percent(within.upper)
    return low if low == high else f"{low} to {high}"
