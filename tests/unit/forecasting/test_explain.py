"""Explanations against documents whose level, trend and pattern are known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from clinical.vitals import SPECS, Vital
from forecasting import decompose, members, phrases
from forecasting.config import HEAVY, KNOWN_MEMBERS, LIGHT, EngineConfig
from forecasting.decompose import by_hour_of_day, parts
from forecasting.documents import Document, GridFacts
from forecasting.explain import Explanation, explain, leading, shares
from forecasting.phrases import structure
from forecasting.provenance import Provenance
from forecasting.types import FloatArray
from forecasting.wording import Told, sentences

HEART_RATE, TEMPERATURE = SPECS[Vital.HEART_RATE], SPECS[Vital.BODY_TEMPERATURE]
START = datetime(2026, 11, 6, 14, tzinfo=UTC)
N, LEVEL, SWING, PEAK = 336, 72.0, 6.0, 17
DAY = np.cos(2 * np.pi * (np.arange(24) - PEAK) / 24)
PATTERNED = ("arima", "ets", "theta", "tbats", "profile", "seasonal_naive", "hour_of_day")


def hours(swing: float = SWING, noise: float = 1.0, slope_per_day: float = 0.0) -> FloatArray:
    t = np.arange(N)
    chance = np.random.default_rng(7).normal(0, noise, N)
    return LEVEL + slope_per_day * t / 24 + swing * DAY[(START.hour + t) % 24] + chance


def fitted(member: str, y: FloatArray) -> Document:
    return members.fit(member, y, start=START, config=EngineConfig(members=(member,)),
                       provenance=Provenance(code_version="test"))


def made(member: str, structure: Any, parameters: Any, state: Any, **more: Any) -> Document:
    """A document whose window ends at 14:00 UTC, with hours held back."""
    values = {"engine": "native", "fitted_state": None, "sigma2": 4.0, "provenance": {},
              "figures": {"made_by": "search"},
              "grid": GridFacts(season=(24,), first=START, n=N, missing=12, holdback=96), **more}
    return Document(member=member, structure=structure, parameters=parameters, state=state,
                    **values)


def ring(newest: int = 13) -> FloatArray:
    """The pattern as smoothing keeps it: the newest hour of the window, 13:00, first."""
    return SWING * DAY[(newest - np.arange(24)) % 24]


def ets(trend: str = "N", phi: float = 1.0, season: str = "A") -> Document:
    pattern = {"N": np.zeros(0), "A": ring(), "M": 1 + ring() / LEVEL}[season]
    return made("ets", {"error": "A", "trend": trend, "season": season, "damped": phi < 1,
                        "m": 1 if season == "N" else 24},
                {"alpha": 0.1, "beta": 0.01, "gamma": 0.1, "phi": phi},
                {"level": LEVEL, "trend": 0.25 if trend == "A" else 0.0, "season": pattern})


def arima(*, mean: float = 0.0, drift: float = 0.0, **orders: int) -> Document:
    """Without moving averages: the state is the last difference, what it and those before it will
    bring in the next hours, and the values before it."""
    kind = {"p": 0, "d": 0, "q": 0, "P": 0, "D": 0, "Q": 0, "m": 24} | orders
    past = LEVEL - drift * N + ring(12) if kind["D"] else np.zeros(0)     # what drift leaves
    seasonal_ar = np.full(kind["P"], 0.5)
    brought = 0.5 * SWING * DAY[(14 + np.arange(23)) % 24]
    last = np.concatenate(([SWING * DAY[13]], brought)) if kind["P"] else np.zeros(1)
    return made("arima", kind, {"ar": np.zeros(0), "ma": np.zeros(0), "seasonal_ar": seasonal_ar,
                                "seasonal_ma": np.zeros(0), "mean": mean, "drift": drift},
                {"a": np.concatenate((last, past)), "t": N})


def told(**more: Any) -> str:
    values = {"vital": HEART_RATE, "utc_offset": None, "level": 72.34, "trend_per_day": 0.2,
              "pattern": SWING * DAY, "share": 0.8, "added": 0.3, "half_life_hours": 3,
              "error": 2.04}
    return " ".join(sentences(Told(**{**values, **more})))


# --- numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("member", PATTERNED)
def test_a_simulated_rhythm_is_found_again(member: str) -> None:
    found = explain(fitted(member, hours()), HEART_RATE)
    assert found.level == pytest.approx(LEVEL, abs=0.7)
    assert found.trend_per_day == pytest.approx(0, abs=0.5)
    assert np.abs(np.array(found.daily_pattern) - SWING * DAY).mean() < 1.0
    assert found.highest_hour in range(PEAK - 3, PEAK + 4)
    assert found.amplitude == pytest.approx(2 * SWING, rel=0.3)
    assert found.pattern_share > 0.7


@pytest.mark.parametrize("member", [*HEAVY, *LIGHT])
def test_the_parts_add_up_to_what_the_member_says(member: str) -> None:
    document = fitted(member, hours())
    found = parts(document)
    trend = 0.0 if found.trend is None else found.trend
    path = found.level + trend + found.seasonal[:24] + found.added
    np.testing.assert_allclose(path, members.forecast(document, 24))
    assert found.seasonal.mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("document", "per_day"), [
    (ets("A"), 6.0), (ets("A", phi=0.5), 0.25 * sum(0.5 ** h for h in range(1, 25)))])
def test_a_trend_is_read_from_the_state_with_its_damping(
    document: Document, per_day: float
) -> None:
    found = explain(document, HEART_RATE)
    assert found.trend_per_hour == pytest.approx(0.25 * document.parameters["phi"])
    assert found.trend_per_day == pytest.approx(per_day)
    assert found.has_trend


@pytest.mark.parametrize("season", ["A", "M"])
def test_a_ring_of_seasonal_states_is_turned_to_hours_of_day(season: str) -> None:
    found = explain(ets(season=season), HEART_RATE)
    np.testing.assert_allclose(found.daily_pattern, SWING * DAY, atol=1e-9)
    assert (found.highest_hour, found.lowest_hour) == (17, 5)
    assert found.pattern_from == "state"
    assert found.pattern_share == pytest.approx(18 / 22)


def test_harmonics_are_summed_to_hours_of_day() -> None:
    phase = 2 * np.pi * (14 - PEAK) / 24
    document = made(
        "tbats", {"trend": False, "damped": False, "ar": True},
        {"alpha": 0.1, "beta": 0.0, "phi": 1.0, "rho": 0.5, "periods": np.array([24.0]),
         "harmonics": np.array([1.0]), "gamma_one": np.zeros(1), "gamma_two": np.zeros(1)},
        {"level": LEVEL, "trend": 0.0, "error": 8.0, "cos": np.array([SWING * np.cos(phase)]),
         "sin": np.array([-SWING * np.sin(phase)])})
    found = explain(document, HEART_RATE)
    np.testing.assert_allclose(found.daily_pattern, SWING * DAY, atol=1e-9)
    assert found.added_next_hour == pytest.approx(4)
    assert found.added_half_life_hours == 1
    assert found.structure == "TBATS, 1 harmonic pair of 24 h, AR(1) error"


def test_a_lasting_seasonal_arima_keeps_its_pattern_and_its_drift() -> None:
    found = explain(arima(D=1, drift=0.05), HEART_RATE)
    assert found.structure == "ARIMA(0,0,0)(0,1,0)[24] with drift"
    assert found.pattern_from == "path"
    assert found.trend_per_hour == pytest.approx(0.05)
    assert found.trend_per_day == pytest.approx(1.2)
    assert found.level == pytest.approx(LEVEL, abs=1)
    assert found.highest_hour == PEAK


def test_a_fading_seasonal_arima_shows_the_pattern_of_the_next_day() -> None:
    found = explain(arima(P=1, mean=LEVEL), HEART_RATE)
    np.testing.assert_allclose(found.daily_pattern, 0.5 * SWING * DAY, atol=1e-9)
    assert found.level == pytest.approx(LEVEL, abs=1e-3)
    assert not found.has_trend


def test_an_arima_without_seasonal_terms_has_no_pattern() -> None:
    found = explain(arima(mean=LEVEL), HEART_RATE)
    assert (found.pattern_from, found.highest_hour, found.amplitude) == ("none", None, 0.0)
    assert found.structure == "ARIMA(0,0,0) with a mean"


def test_a_return_to_the_mean_tells_what_the_last_value_adds() -> None:
    y = np.full(N, LEVEL)
    y[-1] = LEVEL + 24
    found = explain(fitted("revert", y), HEART_RATE)
    assert found.level == pytest.approx(LEVEL + 1)
    assert found.added_next_hour > 5
    assert found.added_half_life_hours in range(1, 12)
    assert "half of this is gone after" in " ".join(found.sentences)


def test_a_weekly_pattern_is_shown_as_the_mean_over_its_days() -> None:
    week = np.tile(DAY, 7) + np.repeat([0, 0, 0, 0, 0, 7, 7], 24)
    by_hour = by_hour_of_day(week - week.mean(), 5)
    np.testing.assert_allclose(by_hour, np.roll(DAY, 5), atol=1e-9)


@pytest.mark.parametrize("member", ["ets", "profile", "arima", "last_value"])
def test_what_a_week_adds_is_not_taken_for_the_latest_readings(member: str) -> None:
    plain = fitted(member, hours())
    week = np.repeat([0.0, 0, 0, 0, 0, 7, 7], 24) - 2
    document = replace(
        plain, structure={**plain.structure, "week": 168},
        parameters={**plain.parameters, "week": week}, state={**plain.state, "week_t": 120})
    before, after = explain(plain, HEART_RATE), explain(document, HEART_RATE)
    assert after.level == pytest.approx(before.level)
    np.testing.assert_allclose(after.daily_pattern, before.daily_pattern, atol=1e-9)
    assert after.added_next_hour == pytest.approx(before.added_next_hour)
    assert after.structure == f"{before.structure}, with a weekly contrast of 168 h"


def test_missing_variance_is_no_error_of_zero() -> None:
    found = explain(replace(ets(), sigma2=0.0), HEART_RATE)
    assert found.one_hour_error is None
    assert "One hour ahead" not in " ".join(found.sentences)


def test_every_member_has_a_phrase_and_can_be_taken_apart() -> None:
    assert set(phrases._PHRASES) == set(decompose._READERS) == set(KNOWN_MEMBERS)


# --- who leads ----------------------------------------------------------------------------


def test_the_leading_member_counts_most_over_the_hours_of_the_horizon() -> None:
    weights = {"last_value": {"1": 1.0, "2-6": 0.6, "7-12": 0.0, "13-24": 0.0},
               "profile": {"1": 0.0, "2-6": 0.4, "7-12": 1.0, "13-24": 1.0}}
    assert leading(weights, 24) == "profile"
    assert leading(weights, 3) == "last_value"
    assert shares(weights, 24) == pytest.approx({"profile": 20 / 24, "last_value": 4 / 24})
    assert leading({}, 24) is None


def test_the_last_bucket_goes_on_to_the_horizon() -> None:
    weights = {"a": {"1": 1.0, "2-6": 1.0, "7-12": 1.0, "13-24": 0.0}, "b": {"13-24": 1.0}}
    assert shares(weights, 48) == pytest.approx({"b": 36 / 48, "a": 12 / 48})


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(("trend", "words"), [
    (None, "The level is 72 /min; the model has no trend."),
    (0.2, "The level is 72 /min and steady."),
    (-3.2, "The level is 72 /min and falls by 3 /min over the next day."),
    (2.6, "The level is 72 /min and rises by 3 /min over the next day."),
])
def test_level_and_trend_are_rounded_to_what_the_vital_resolves(
    trend: float | None, words: str
) -> None:
    assert told(trend_per_day=trend).startswith(words)


def test_temperatures_are_told_in_tenths() -> None:
    text = told(vital=TEMPERATURE, level=36.74, pattern=0.2 * DAY, error=0.118)
    assert "The level is 36.7 °C" in text
    assert "swings by 0.4 °C" in text
    assert "off by 0.12 °C" in text


def test_the_day_is_told_in_utc_and_in_the_patients_own_time() -> None:
    assert ("The day swings by 12 /min, highest about 17:00 UTC, lowest about 05:00 UTC. That is "
            "80 % of the variance of an hour") in told()
    text = told(utc_offset=timedelta(hours=-5, minutes=-30))
    assert "17:00 UTC (11:30 patient's time)" in text
    assert "05:00 UTC (23:30 patient's time)" in text


def test_what_is_too_small_to_see_is_said_to_be_small_or_left_out() -> None:
    assert "hardly differ" in told(pattern=0.1 * DAY)
    assert "steady. The model has no daily pattern." in told(pattern=None)
    assert "has neither trend nor daily pattern." in told(pattern=None, trend_per_day=None)
    assert "latest readings" not in told(added=-0.4)
    assert "3 /min below that; a day later most of this still holds" in told(
        added=-3, half_life_hours=None)


def making(document: Document) -> str:
    return " ".join(explain(document, HEART_RATE).making_sentences)


def test_a_search_tells_its_hours_and_its_criterion() -> None:
    found: Explanation = explain(
        replace(ets(), figures={"made_by": "structure_search", "criterion": "evidence",
                                "iterations": 30, "capped": True}), HEART_RATE)
    assert found.making.made_by == "search"
    assert " ".join(found.making_sentences) == (
        "Its structure was searched and its parameters fitted on the hours from 6 Nov 2026, 14:00 "
        "to 16 Nov 2026, 14:00 UTC, the candidates compared by evidence (marginal likelihood). The "
        "96 hours since then have moved its state alone; 12 of all 336 hours had no reading. The "
        "fit ended at its limit of 30 evaluations.")


def test_a_refit_tells_where_it_began_and_how_old_its_structure_is() -> None:
    text = making(replace(ets(), figures={
        "made_by": "refit", "warm_start_from": "9f2c" * 16, "searched_at": "2026-11-13T14:00:00Z"}))
    assert text.startswith("Its parameters were fitted again to the hours from 6 Nov 2026")
    assert ("beginning at those of document 9f2c9f2c9f2c; its structure was searched on 13 Nov "
            "2026, 14:00 UTC") in text


def test_baselines_say_that_nothing_is_fitted() -> None:
    assert making(fitted("last_value", hours())).startswith("Nothing is fitted")


@pytest.mark.parametrize(("document", "phrase"), [
    (ets("A", phi=0.9), "ETS(A,Ad,A)"), (ets("A", season="N"), "ETS(A,A,N)"),
    (arima(p=0, d=1, P=1), "ARIMA(0,1,0)(1,0,0)[24]"),
    (made("theta", {"model": "DOTM", "decomposition": "multiplicative"},
          {"pattern": np.ones(24)}, {}),
     "dynamic optimised Theta, after a multiplicative pattern of 24 h"),
])
def test_structures_are_named_as_the_field_names_them(document: Document, phrase: str) -> None:
    assert structure(document) == phrase
