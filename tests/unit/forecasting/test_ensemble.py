"""Members combined: who counts, who is left out and why, and that nothing else decides."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical.vitals import SPECS, Vital, VitalSpec
from forecasting.config import BUCKETS, HEAVY, LIGHT, EngineConfig
from forecasting.documents import Document, document_id, dumps, loads
from forecasting.ensemble import Forecast, champion, forecast_ensemble
from forecasting.members import fit, update
from forecasting.provenance import Provenance
from forecasting.types import ConfigError, FitRefused, FloatArray
from forecasting.weighing import rolling_origins
from tests.reference import series
from tests.reference.fits import fit_ensemble

CHEAP = EngineConfig(members=LIGHT)
NOTHING = np.zeros(0)
HEART_RATE, SPO2 = SPECS[Vital.HEART_RATE], SPECS[Vital.SPO2]


def fitted(y: FloatArray, config: EngineConfig = CHEAP, *, vital: VitalSpec | None = HEART_RATE,
           stand_ins: dict[str, Document] | None = None) -> tuple[Document, dict[str, Document]]:
    provenance = Provenance(code_version="test")
    documents, absent = dict(stand_ins or {}), {}
    for member in config.members:
        try:
            documents.setdefault(member, fit(member, y, start=series.START, config=config,
                                             provenance=provenance))
        except FitRefused as refusal:
            absent[member] = str(refusal)
    return fit_ensemble(documents, y, start=series.START, config=config, vital=vital,
                        absent=absent, provenance=provenance), documents


def forecast_of(ensemble: Document, documents: dict[str, Document], y_since: FloatArray = NOTHING,
                vital: VitalSpec | None = HEART_RATE, **more: Any) -> Forecast:
    given_levels = {"levels": (50, 80, 95), "horizon": 24, **more}
    return forecast_ensemble(ensemble, documents, y_since=y_since, vital=vital, **given_levels)


def assert_sound(made: Forecast, vital: VitalSpec | None) -> None:
    assert np.isfinite(made.point).all()
    inner: Any = (made.point, made.point)
    for level in sorted(made.bounds):
        lower, upper = made.bounds[level]
        assert np.isfinite(lower).all() and np.isfinite(upper).all()
        assert (lower <= inner[0]).all() and (inner[1] <= upper).all()
        if vital is not None:
            assert (upper - lower >= vital.resolution * (1 - 1e-9)).all()
            assert (lower >= vital.low).all() and (upper <= vital.high).all()
        inner = (lower, upper)
    for bucket in BUCKETS:
        total = sum(each["weights"][bucket] for each in made.members.values())
        assert total == pytest.approx(1)


def test_a_rhythm_is_forecast_better_than_by_any_baseline() -> None:
    y = series.rhythm(n=360, gaps=0.1)
    ensemble, documents = fitted(y[:336])
    made = forecast_of(ensemble, documents)
    assert_sound(made, HEART_RATE)
    assert np.abs(made.point - series.rhythm(n=360)[336:]).mean() < 2.6
    assert ensemble.parameters["rhythm_strength"] > 0.5
    assert made.members["profile"]["weights"]["13-24"] > made.members["revert"]["weights"]["13-24"]


def test_a_walk_has_no_rhythm_and_trusts_its_last_value_first() -> None:
    ensemble, documents = fitted(series.walk(n=240))
    made = forecast_of(ensemble, documents)
    assert ensemble.parameters["rhythm_strength"] < 0.5
    last_value = made.members["last_value"]["weights"]
    assert last_value["1"] > last_value["13-24"]


def test_intervals_cover_about_what_they_say() -> None:
    inside = {50: 0.0, 80: 0.0, 95: 0.0}
    for seed in range(12):
        y = series.rhythm(n=264, seed=seed)
        made = forecast_of(*fitted(y[:240]))
        for level, (lower, upper) in made.bounds.items():
            inside[level] += float(np.mean((y[240:] >= lower) & (y[240:] <= upper))) / 12
    assert all(abs(100 * share - level) < 10 for level, share in inside.items())


def test_forecasting_twice_gives_the_same_bytes_and_states() -> None:
    ensemble, documents = fitted(series.rhythm(gaps=0.1))
    new = series.rhythm(n=5, seed=8)
    first, second = (forecast_of(ensemble, documents, new) for _ in range(2))
    assert first.point.tobytes() == second.point.tobytes()
    assert first.state_hash == second.state_hash != forecast_of(ensemble, documents).state_hash
    again = forecast_of(loads(dumps(ensemble)), {n: loads(dumps(d)) for n, d in documents.items()},
                        new)
    assert again.point.tobytes() == first.point.tobytes() and again.state_hash == first.state_hash
    assert all((again.bounds[level][1] == first.bounds[level][1]).all() for level in first.bounds)


def test_a_forecast_from_stored_states_equals_one_from_old_documents() -> None:
    ensemble, documents = fitted(series.rhythm(gaps=0.1))
    new = series.rhythm(n=9, seed=8, gaps=0.3)
    moved = {name: update(document, new) for name, document in documents.items()}
    late = forecast_of(ensemble, moved, NOTHING, since=ensemble.grid.cutoff + timedelta(hours=9))
    assert late.point.tobytes() == forecast_of(ensemble, documents, new).point.tobytes()


def test_equal_data_give_equal_ensembles() -> None:
    y = series.rhythm(gaps=0.1)
    assert document_id(dumps(fitted(y)[0])) == document_id(dumps(fitted(y)[0]))


def test_a_member_without_a_document_is_absent_with_a_reason() -> None:
    ensemble, documents = fitted(series.rhythm())
    del documents["profile"], documents["revert"]
    made = forecast_of(ensemble, documents, absent={"profile": "switched off"})
    assert made.absent == {"profile": "switched off", "revert": "no document"} | {
        name: why for name, why in made.absent.items() if name not in ("profile", "revert")}
    assert "profile" not in made.members
    assert_sound(made, HEART_RATE)


def test_refused_members_stay_recorded() -> None:
    ensemble, documents = fitted(series.walk(n=20), EngineConfig(members=("ets", "last_value")))
    made = forecast_of(ensemble, documents)
    assert list(made.members) == ["last_value"] and "observed hours" in made.absent["ets"]


def test_no_member_left_is_refused_with_every_reason() -> None:
    ensemble, _ = fitted(series.rhythm())
    with pytest.raises(FitRefused, match="profile: no document"):
        forecast_of(ensemble, {})


def test_an_older_document_stands_in_when_the_hours_reach_back_to_it() -> None:
    y = series.rhythm(n=246)
    ensemble, documents = fitted(y[:240])
    old = fit("profile", y[:234], start=series.START, config=CHEAP,
              provenance=Provenance(code_version="test"))
    documents["profile"] = old
    late = forecast_of(ensemble, documents, y[240:])
    assert "6 h before the hours that were given" in late.absent["profile"]
    made = forecast_of(ensemble, documents, y[234:], since=ensemble.grid.cutoff
                       - timedelta(hours=6))
    assert "profile" in made.members and not made.absent.get("profile")
    documents["profile"] = update(old, y[234:])
    moved = forecast_of(ensemble, documents, NOTHING, since=ensemble.grid.cutoff
                        + timedelta(hours=6))
    assert moved.members["profile"]["path"] == made.members["profile"]["path"]


def test_an_older_document_is_weighed_by_what_it_forecast_since() -> None:
    y = series.rhythm(n=246)
    config = EngineConfig(members=("theta", "profile"))
    old = fit("theta", y[:240], start=series.START, config=config,
              provenance=Provenance(code_version="test"))
    ensemble, documents = fitted(y, config, stand_ins={"theta": old})
    assert np.isfinite(ensemble.parameters["errors"]["theta"]).all()
    assert documents["theta"] is old


def test_a_document_of_the_future_cannot_be_used() -> None:
    y = series.rhythm(n=246)
    ensemble, documents = fitted(y[:240])
    documents["profile"] = update(documents["profile"], y[240:])
    assert "6 h after the forecast begins" in forecast_of(ensemble, documents).absent["profile"]


@pytest.mark.parametrize("since", [0, 4])
def test_hours_without_a_reading_widen_the_first_bounds_wherever_they_stand(since: int) -> None:
    y = series.walk(n=200)
    y[-9:] = np.nan
    ensemble, documents = fitted(y[:y.size - since])
    assert ensemble.parameters["age"] == 9 - since
    fresh = replace(ensemble, parameters={**ensemble.parameters, "age": -since})
    first = [(upper - lower)[0] for lower, upper in (
        forecast_of(each, documents, y[y.size - since:]).bounds[80] for each in (ensemble, fresh))]
    assert first[0] > 1.1 * first[1]


def test_levels_that_were_not_calibrated_are_refused() -> None:
    with pytest.raises(ConfigError, match="refit"):
        forecast_of(*fitted(series.rhythm()), levels=(90,))


def test_long_horizons_use_the_last_bucket() -> None:
    made = forecast_of(*fitted(series.rhythm()), horizon=72)
    assert made.point.shape == (72,) and np.isfinite(made.point).all()


def test_saturation_at_the_ceiling_keeps_room_for_one_step() -> None:
    made = forecast_of(*fitted(np.full(100, 100.0), vital=SPO2), vital=SPO2)
    assert (made.point == 100).all()
    assert_sound(made, SPO2)


def test_champion_is_the_member_with_the_lowest_rolling_error() -> None:
    ensemble, _ = fitted(series.rhythm(n=336))
    name, why = champion(ensemble)
    errors = {each: float(np.nanmean(values)) for each, values in
              ensemble.parameters["errors"].items() if each in ensemble.parameters["weights"]}
    assert errors[name] <= min(errors.values()) * 1.1 and "rolling origins" in why
    assert "prior" in champion(fitted(series.rhythm(n=20))[0])[1]


def test_members_far_worse_than_the_others_are_left_out() -> None:
    y = series.rhythm(n=336) + np.where(np.arange(336) % 24 < 12, 30.0, 0.0)
    config = EngineConfig(members=("profile", "hour_of_day", "seasonal_naive", "last_value"))
    ensemble, documents = fitted(y, config)
    assert "above 1.5 x" in ensemble.figures["left_out"]["last_value"]
    assert "last_value" not in forecast_of(ensemble, documents).members


def test_origins_lie_in_the_held_back_hours_of_each_series() -> None:
    y = np.full((3, 336), 70.0)
    y[1, :216], y[2, :320] = np.nan, np.nan
    origins, counts = rolling_origins(y, CHEAP)
    assert (origins[0], origins[-1]) == (240, 333) and counts.tolist() == [32, 13, 0]
    assert rolling_origins(y[:, :30], CHEAP)[0].size == 0


def test_heavy_members_join_in() -> None:
    ensemble, documents = fitted(series.rhythm(n=200, gaps=0.1), EngineConfig())
    made = forecast_of(ensemble, documents)
    assert set(HEAVY) <= set(made.members) | set(made.absent)
    assert_sound(made, HEART_RATE)


SHAPES = st.sampled_from(["noise", "constant", "zeros", "step", "spikes", "rhythm", "gaps"])


def shaped(kind: str, n: int, size: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    y = {
        "noise": rng.normal(0, 1, n), "constant": np.full(n, 7.0), "zeros": np.zeros(n),
        "step": np.where(np.arange(n) < n // 2, 1.0, 5.0),
        "spikes": np.where(rng.random(n) < 0.02, 1000.0, 1.0),
        "rhythm": 3 + np.sin(np.arange(n) * np.pi / 12),
        "gaps": np.where(rng.random(n) < 0.95, np.nan, rng.normal(5, 1, n)),
    }[kind]
    return np.asarray(y * size)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=SHAPES, n=st.integers(0, 800), exponent=st.integers(-12, 12),
       seed=st.integers(0, 9), since=st.integers(0, 30), plausible=st.booleans())
def test_any_series_gets_a_forecast_or_a_reason(
    kind: str, n: int, exponent: int, seed: int, since: int, plausible: bool
) -> None:
    y, vital = shaped(kind, n, 10.0 ** exponent, seed), HEART_RATE if plausible else None
    if np.isnan(y).all():
        with pytest.raises(FitRefused, match="no observed hour"):
            fitted(y, vital=vital)
        return
    ensemble, documents = fitted(y, vital=vital)
    made = forecast_of(loads(dumps(ensemble)), documents,
                       shaped(kind, since, 10.0 ** exponent, seed + 1), vital=vital)
    assert_sound(made, vital)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=SHAPES, n=st.integers(0, 150), exponent=st.sampled_from([-12, 0, 12]),
       member=st.sampled_from(HEAVY))
def test_heavy_members_give_a_forecast_or_a_reason(
    kind: str, n: int, exponent: int, member: str
) -> None:
    config = EngineConfig(members=(member, "last_value"))
    try:
        ensemble, documents = fitted(shaped(kind, n, 10.0 ** exponent, 1), config, vital=None)
    except FitRefused:
        return
    assert_sound(forecast_of(ensemble, documents, vital=None), None)
