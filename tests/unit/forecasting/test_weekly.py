"""The long season: learned where it is sure, taken out before the fit, put back in the paths."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from forecasting.config import EngineConfig, least_hours, long_season
from forecasting.documents import dumps, loads
from forecasting.members import fit, forecast, update
from forecasting.native import NATIVE, Rows
from forecasting.native_rows import numbers
from forecasting.provenance import Provenance
from forecasting.types import FloatArray
from forecasting.weekly import contrast

SEASONS = (24, 168)
START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS = 6 * 168


def weeks(noise: float = 0.5, *, hours: int = HOURS, gaps: float = 0.0) -> FloatArray:
    """Days with a rhythm, quieter and flatter on the last two of each seven."""
    rng, t = np.random.default_rng(0), np.arange(hours)
    weekend = t // 24 % 7 >= 5
    y = 60 + np.where(weekend, -6.0, 0.0) + np.where(weekend, 2.0, 8.0) * np.sin(t * np.pi / 12)
    y += noise * rng.standard_normal(hours)
    y[rng.random(hours) < gaps] = np.nan
    return np.asarray(y)


def days(*, seed: int = 0, hours: int = HOURS) -> FloatArray:
    """The same rhythm on every day, on a level that wanders."""
    rng, t = np.random.default_rng(seed), np.arange(hours)
    return 60 + 8 * np.sin(t * np.pi / 12) + 0.3 * np.cumsum(rng.standard_normal(hours)) \
        + 2 * rng.standard_normal(hours)


def truth() -> FloatArray:
    week = weeks(0.0, hours=168).reshape(7, 24)
    return np.asarray((week - week.mean(axis=0)).ravel())


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_a_sure_week_is_found_also_through_gaps(gaps: float) -> None:
    found = contrast(weeks(gaps=gaps)[None], 24, 168)[0]
    assert np.abs(found - truth()).mean() < 0.6
    assert np.allclose(found.reshape(7, 24).sum(axis=0), 0, atol=1e-9)


def test_noise_shrinks_away() -> None:
    found = contrast(np.array([days(seed=seed) for seed in range(20)]), 24, 168)
    assert np.abs(found).mean() < 0.5


def test_two_weeks_are_too_few() -> None:
    assert not contrast(weeks(hours=336)[None], 24, 168).any()
    least = least_hours(SEASONS)
    assert not contrast(weeks(hours=least - 1)[None], 24, 168).any()
    assert contrast(weeks(hours=least)[None], 24, 168).any()


def test_a_row_does_not_depend_on_gaps_before_it_nor_on_its_neighbours() -> None:
    y = weeks()
    late = np.concatenate((np.full(50, np.nan), y))
    alone = contrast(y[None], 24, 168)[0]
    among = contrast(np.array([late, days(hours=late.size)]), 24, 168)[0]
    assert np.allclose(np.roll(among, -50), alone, atol=1e-9)


def test_a_long_season_is_whole_days() -> None:
    assert [long_season(each) for each in ((24,), (24, 168), (24, 100), (1, 24))] == [0, 168, 0, 0]


@pytest.mark.parametrize("name", NATIVE)
def test_every_member_knows_the_week(name: str) -> None:
    y = weeks()
    native, at = NATIVE[name], np.array([HOURS - 48])
    errors = []
    for seasons in ((24,), SEASONS):
        fits = native.search(y[None, :HOURS - 48], seasons)
        path = native.paths(Rows(*fits[:3]), 48)[0]
        errors.append(np.abs(path - y[-48:]).mean())
        rolled = native.rolling(y[None], at, Rows(*fits[:3]), at, 48)[0, 0]
        assert np.allclose(rolled, path, rtol=1e-9)
    assert errors[1] < errors[0]


@pytest.mark.parametrize("name", NATIVE)
def test_running_in_steps_is_running_at_once(name: str) -> None:
    y, native = weeks(gaps=0.1)[None], NATIVE[name]
    rows = Rows(*native.search(y[:, :900], SEASONS)[:3])
    once = native.run(y, np.array([900]), rows)
    steps = rows
    for begin, end in ((900, 903), (903, 903), (903, HOURS)):
        steps = steps._replace(states=native.run(y[:, :end], np.array([begin]), steps))
    assert once.tobytes() == steps.states.tobytes()
    assert once[0, -1] == (HOURS - 900) % 168


@pytest.mark.parametrize("name", NATIVE)
def test_a_document_goes_round_and_is_updated(name: str) -> None:
    y, config = weeks(), EngineConfig(seasons=SEASONS)
    made = fit(name, y[:-30], start=START, config=config, provenance=Provenance(code_version="1"))
    again = loads(dumps(made))
    assert made.structure["week"] == 168
    assert forecast(again, 24).tobytes() == forecast(made, 24).tobytes()
    moved = update(again, y[-30:])
    assert moved.state["week_t"] == (made.state["week_t"] + 30) % 168
    plain = replace(moved, parameters={**moved.parameters, "week": np.zeros(0)})
    week = made.parameters["week"][(moved.state["week_t"] + np.arange(24)) % 168]
    assert np.allclose(forecast(moved, 24), forecast(plain, 24) + week)


def test_a_week_that_is_not_there_leaves_what_one_season_gives() -> None:
    y = weeks(hours=336)[None]
    for native in NATIVE.values():
        one, two = (native.search(y, seasons) for seasons in ((24,), SEASONS))
        assert native.to_model(two, 0).parameters["week"].size == 0
        assert np.array_equal(native.paths(Rows(*one[:3]), 24), native.paths(Rows(*two[:3]), 24))


def test_light_members_learn_only_from_what_lies_before_all_origins() -> None:
    y, native, origins = weeks(), NATIVE["hour_of_day"], np.array([900, 930])
    rows = Rows(*native.search(y[None], SEASONS)[:3])
    other = y.copy()
    other[900:] += 50
    at = np.array([HOURS])
    first, second = (native.rolling(each[None], at, rows, origins, 24)[0, 0] for each in (y, other))
    assert first.tobytes() == second.tobytes()


def test_models_with_and_without_a_week_make_one_batch() -> None:
    y, native = weeks()[None], NATIVE["theta"]
    fits = [native.search(y, seasons) for seasons in ((24,), SEASONS)]
    rows = native.stack([native.to_row(native.to_model(each, 0)) for each in fits])
    paths = native.paths(rows, 48)
    for s, each in enumerate(fits):
        assert np.allclose(paths[s], native.paths(Rows(*each[:3]), 48)[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["arima", "ets", "theta", "tbats", "profile", "revert"])
def test_the_numbers_of_a_state_do_not_hang_on_the_rows_beside_it(name: str) -> None:
    native, flat = NATIVE[name], np.random.default_rng(3).standard_normal(HOURS)
    rows = [native.to_row(native.to_model(native.search(y[None], seasons), 0))
            for y, seasons in ((weeks(), SEASONS), (flat, SEASONS), (weeks(), (24,)))]
    alone = [native.numbers(native.stack([row]))[0] for row in rows]
    assert native.numbers(native.stack(rows)) == alone and len(set(alone)) == 3


def test_states_differ_by_where_their_numbers_stand() -> None:
    states = np.array([[1.0, 0.0, 2.0], [1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    first, second, third, none = numbers(
        Rows(np.zeros((4, 1), dtype=np.int64), np.zeros((4, 0)), states))
    assert first != second == third and none == b""
