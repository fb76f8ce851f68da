"""Every native member through the one interface: batches, updates, rolling, whatever comes."""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting import arima, ets, tbats, theta
from forecasting.kernels.search import CAPPED, EVALUATIONS, FITTED, Fits
from forecasting.native import NATIVE, Rows
from forecasting.native_light import daily_pattern
from forecasting.recursions import MEMBERS, at_state
from forecasting.types import FitRefused, FloatArray, IntArray
from tests.reference import awkward, baselines, profile, series

SEASONS = (24,)
HEAVY = [name for name, member in NATIVE.items() if member.heavy]
LIGHT = [name for name, member in NATIVE.items() if not member.heavy]
HOURLY: dict[str, ModuleType] = {"arima": arima, "ets": ets, "theta": theta, "tbats": tbats}
MOST_EVALUATIONS = {"arima": 40 * 8 * 2 + 3 * 30, "ets": 8 * 30, "theta": 4 * 30, "tbats": 20 * 30}
"""Structures of a search, by evaluations of each."""


def batch() -> FloatArray:
    """Rhythms with more and more gaps, a walk, noise, growth; one begins late, one ends early."""
    y = np.array([series.rhythm(n=180, seed=seed, gaps=0.05 * seed) for seed in range(5)]
                 + [series.walk(n=180), series.noise(n=180), series.growth(n=180)])
    y[1, :50] = np.nan
    y[2, -20:] = np.nan
    return y


@pytest.fixture(scope="module", params=NATIVE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fits(name: str) -> Fits:
    """Fits to the first 120 hours of the batch."""
    return NATIVE[name].search(batch()[:, :120], SEASONS)


def rows_of(fits: Fits) -> Rows:
    return Rows(*fits[:3])


def some(rows: Rows, which: Any) -> Rows:
    return Rows(rows.structures[which], rows.params[which], rows.states[which])


def at(fits: Fits, hour: int) -> IntArray:
    return np.full(len(fits.status), hour)


def joined(arrays: list[Any], width: tuple[int, ...]) -> FloatArray:
    """The arrays' rows under each other, filled up with zeros to rows of `width`."""
    return np.concatenate([
        np.pad(array, [(0, 0), *((0, to - own) for to, own in
                                 zip(width, array.shape[1:], strict=True))]) for array in arrays])


def test_moving_in_pieces_is_moving_at_once_bit_for_bit(name: str, fits: Fits) -> None:
    y, rows, run = batch(), rows_of(fits), NATIVE[name].run
    whole = run(y, at(fits, 120), rows)
    pieces = rows
    for begin, end in ((120, 121), (121, 150), (150, 150), (150, 180)):
        pieces = pieces._replace(states=run(y[:, :end], at(fits, begin), pieces))
    assert whole.tobytes() == pieces.states.tobytes()
    assert run(y, at(fits, 180), rows).tobytes() == rows.states.tobytes()


def test_rows_begin_at_hours_of_their_own(name: str, fits: Fits) -> None:
    y, rows, member = batch(), rows_of(fits), NATIVE[name]
    begin = np.array([120, 130, 140, 150, 160, 170, 179, 180])
    together = member.run(y, begin, rows)
    for s in range(8):
        alone = member.run(y[s:s + 1], begin[s:s + 1], some(rows, slice(s, s + 1)))
        assert alone.tobytes() == together[s:s + 1].tobytes()


@pytest.mark.parametrize("name", HEAVY)
def test_updating_and_paths_are_those_of_the_recursion_hour_by_hour(name: str) -> None:
    y, member, slow = batch(), NATIVE[name], HOURLY[name]
    fits = member.search(y[:, :120], SEASONS)
    moved = rows_of(fits)._replace(states=member.run(y, at(fits, 120), rows_of(fits)))
    paths = member.paths(moved, 48)
    for s in range(len(y)):
        model = member.to_model(fits, s)
        expected = at_state(model, slow.advance(model, y[s, 120:]))
        state = member.to_row(expected)[2]
        np.testing.assert_allclose(moved.states[s, :state.size], state, rtol=1e-9,
                                   atol=1e-9 * np.abs(state).max())
        np.testing.assert_allclose(paths[s], slow.path(expected, 48), rtol=1e-9)


@pytest.mark.parametrize("name", HEAVY)
def test_rolling_is_a_run_to_each_origin_and_a_path(name: str) -> None:
    y, member = batch(), NATIVE[name]
    fits = member.search(y[:, :120], SEASONS)
    rows, begin = rows_of(fits), np.array([120, 123, 126, 120, 120, 150, 179, 180])
    origins = np.arange(117, 181, 9)
    rolled = member.rolling(y, begin, rows, origins, 30)
    for o, origin in enumerate(origins.tolist()):
        able = begin <= origin
        assert np.isnan(rolled[~able, o]).all()
        part = some(rows, able)
        states = member.run(y[able, :origin], begin[able], part)
        expected = member.paths(part._replace(states=states), 30)
        assert rolled[able, o].tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", LIGHT)
def test_light_members_are_fitted_anew_at_every_origin(name: str) -> None:
    y, member = batch(), NATIVE[name]
    rows, origins = rows_of(member.search(y, SEASONS)), np.array([0, 20, 50, 51, 100, 180])
    rolled = member.rolling(y, np.zeros(8, dtype=np.int64), rows, origins, 30)
    for o, origin in enumerate(origins.tolist()):
        fits = member.search(y[:, :origin], SEASONS)
        able = fits.status == FITTED
        assert np.isnan(rolled[~able, o]).all()
        expected = member.paths(some(rows_of(fits), able), 30)
        np.testing.assert_allclose(rolled[able, o], expected, rtol=1e-12)


def test_a_batch_is_its_rows_in_any_order_slices_and_threads(name: str) -> None:
    y, member = batch(), NATIVE[name]

    def everything(hours: FloatArray) -> list[Any]:
        fits = member.search(hours[:, :120], SEASONS)
        rows, begin = rows_of(fits), at(fits, 120)
        again = member.refit(hours[:, 1:121], rows, SEASONS)
        moved = rows._replace(states=member.run(hours, begin, rows))
        return [*fits, *again, moved.states, member.paths(moved, 24),
                member.rolling(hours, begin, rows, np.arange(120, 180, 12), 24)]

    whole, order = everything(y), np.array([3, 0, 7, 1, 2, 6, 5, 4])
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(everything, (y[:3], y[3:])))
    alone = [everything(y[s:s + 1]) for s in range(8)]
    for part, array in enumerate(everything(y[order])):
        assert array.tobytes() == whole[part][order].tobytes()
        for pieces in (halves, alone):
            rows = joined([piece[part] for piece in pieces], whole[part].shape[1:])
            assert rows.tobytes() == whole[part].tobytes()


def test_a_row_that_begins_with_gaps_is_the_shorter_history(name: str) -> None:
    member, y = NATIVE[name], series.rhythm(n=170, gaps=0.1)[None]
    first = int(np.flatnonzero(~np.isnan(y[0]))[0])
    y = y[:, first:]
    led = np.concatenate((np.full((1, 41), np.nan), y), axis=1)
    short, late = member.search(y[:, :120], SEASONS), member.search(led[:, :161], SEASONS)
    for one, other in zip(short, late, strict=True):
        assert one.tobytes() == other.tobytes()
    origins = np.arange(120, y.shape[1], 9)
    ahead = member.rolling(y, at(short, 120), rows_of(short), origins, 24)
    behind = member.rolling(led, at(late, 161), rows_of(late), origins + 41, 24)
    assert ahead.tobytes() == behind.tobytes()
    again = member.refit(y[:, :130], rows_of(short), SEASONS)
    assert again.params.tobytes() == member.refit(led[:, :171], rows_of(late),
                                                  SEASONS).params.tobytes()


def test_a_model_becomes_a_row_and_a_row_the_model(name: str, fits: Fits) -> None:
    member = NATIVE[name]
    back = member.stack([member.to_row(member.to_model(fits, s)) for s in range(8)])
    assert back.structures.tobytes() == fits.structures.tobytes()
    moved = member.run(batch(), at(fits, 120), back)
    expected = member.run(batch(), at(fits, 120), rows_of(fits))
    width = moved.shape[1]
    assert not np.nan_to_num(expected[:, width:]).any()
    np.testing.assert_array_equal(member.paths(back._replace(states=moved), 30),
                                  member.paths(rows_of(fits)._replace(states=expected), 30))


def test_models_of_other_seasons_share_a_batch(name: str) -> None:
    member, y = NATIVE[name], batch()[:2]
    models = [member.to_model(member.search(y[s:s + 1, :120], seasons), 0)
              for s, seasons in enumerate([(24,), (6,)])]
    rows = member.stack([member.to_row(model) for model in models])
    begin, origins = np.array([120, 120]), np.arange(120, 180, 20)
    moved = rows._replace(states=member.run(y, begin, rows))
    paths, rolled = member.paths(moved, 30), member.rolling(y, begin, rows, origins, 30)
    for s, model in enumerate(models):
        alone = at_state(model, MEMBERS[name].advance(model, y[s, 120:]))
        assert MEMBERS[name].path(alone, 30).tobytes() == paths[s].tobytes()
        assert MEMBERS[name].rolling(model, y[s], 120, origins.tolist(),
                                     30).tobytes() == rolled[s].tobytes()


def test_a_refit_keeps_the_structure_and_is_cheap(name: str, fits: Fits) -> None:
    again = NATIVE[name].refit(batch()[:, 1:121], rows_of(fits), SEASONS)
    assert (again.status == FITTED).all()
    assert again.structures.tobytes() == fits.structures.tobytes()
    assert not again.figures[:, CAPPED].any()
    assert again.figures[:, EVALUATIONS].mean() <= 0.5 * fits.figures[:, EVALUATIONS].mean()


@pytest.mark.parametrize("name", LIGHT)
@settings(max_examples=60, deadline=None)
@given(y=awkward.hours(), season=st.sampled_from([1, 4, 24]))
@example(y=np.full(30, 36.6), season=24)
def test_light_kernels_are_their_python(name: str, y: FloatArray, season: int) -> None:
    member, known = NATIVE[name], np.flatnonzero(~np.isnan(y))
    found = member.search(y[None], (season,))
    if not known.size:
        assert found.status[0] != FITTED
        return
    light = (baselines.LIGHT | profile.LIGHT)[name]
    fit, advance, path = light
    own = y[known[0]:]
    expected, model, scale = fit(own, season), member.to_model(found, 0), np.nanmax(np.abs(y))
    near = {"rtol": 1e-7, "atol": 1e-9 * scale}
    np.testing.assert_allclose(member.paths(rows_of(found), 30)[0], path(expected, 30), **near)
    later = np.concatenate((own[-5:], [np.nan, np.nan]))
    moved = at_state(expected, advance(expected, later))
    ours = at_state(model, MEMBERS[name].advance(model, later))
    np.testing.assert_allclose(MEMBERS[name].path(ours, 30), path(moved, 30), **near)
    assert model.sigma2 == pytest.approx(baselines.one_hour_variance(light, own, season),
                                         rel=1e-6, abs=1e-12 * scale ** 2)


@settings(max_examples=60, deadline=None)
@given(y=awkward.hours(), season=st.sampled_from([1, 4, 24]))
def test_patterns_are_their_python(y: FloatArray, season: int) -> None:
    patterns, kept = daily_pattern(y[None], season)
    known = np.flatnonzero(~np.isnan(y))
    assert ((kept >= 0) & (kept <= 1)).all() and np.isfinite(patterns).all()
    if not known.size:
        assert not patterns.any() and not kept.any()
        return
    expected, share = profile.daily_pattern(y[known[0]:], season)
    scale = np.nanmax(np.abs(y))
    np.testing.assert_allclose(patterns[0], np.roll(expected, known[0]), rtol=1e-6,
                               atol=1e-9 * scale)
    assert kept[0] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", NATIVE)
@settings(max_examples=60, deadline=None)
@given(y=awkward.hours(), seasons=st.sampled_from([(24,), (24, 168), (1,)]))
@example(y=np.arange(200.0) % 24, seasons=(24,))
@example(y=np.where(np.arange(300) % 24 == 3, np.nan, np.arange(300) % 24 * 1.0), seasons=(24,))
@example(y=np.tile([1e12, 1e12 + 2e3], 100), seasons=(24,))
def test_any_series_gives_finite_forecasts_or_a_reason(name: str, y: FloatArray,
                                                       seasons: tuple[int, ...]) -> None:
    member = NATIVE[name]
    fits = member.search(y[None], seasons)
    if fits.status[0] != FITTED:
        with pytest.raises(FitRefused, match=r"too few|constant|no structure"):
            member.to_model(fits, 0)
        return
    model = member.to_model(fits, 0)
    assert fits.figures[0, EVALUATIONS] <= MOST_EVALUATIONS.get(name, 0)
    rows, seen = rows_of(fits), y[~np.isnan(y)]
    assert np.isfinite(model.sigma2) and np.isfinite(member.paths(rows, 48)).all()
    new = np.array([[seen[-1], np.nan, seen[0]]])
    moved = rows._replace(states=member.run(new, np.zeros(1, dtype=np.int64), rows))
    assert np.isfinite(member.paths(moved, 48)).all()
    again = member.refit(y[None], rows, seasons)
    assert again.status[0] != FITTED or np.isfinite(
        member.paths(rows_of(again), 48)).all()
    rolled = member.rolling(y[None], np.zeros(1, dtype=np.int64), rows, np.array([y.size]), 24)
    assert np.isfinite(rolled).all()
