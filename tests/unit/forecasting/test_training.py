"""Panels trained and forecast: as series one by one, whatever the company, threads and plans."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical.vitals import SPECS, Vital
from forecasting.config import HEAVY, EngineConfig
from forecasting.documents import document_id, dumps, loads
from forecasting.ensemble import Stored, forecast_ensemble, forecast_panel
from forecasting.fitting import fit_window
from forecasting.kernels.search import NO_FIT, Fits
from forecasting.members import fit
from forecasting.native import NATIVE
from forecasting.panel import Panel
from forecasting.policy import Plan
from forecasting.provenance import Provenance
from forecasting.training import TrainedSeries, train_panel
from forecasting.types import FloatArray
from tests.reference import series
from tests.reference.fits import fit_ensemble

CONFIG = EngineConfig()
HEART_RATE = SPECS[Vital.HEART_RATE]
MADE_BY = Provenance(code_version="test")
SEARCH = Plan(made_by="search")


def rows(n: int = 337) -> FloatArray:
    """Series of every kind: rhythm, walk, a late start, sparse, constant, silent, two hours."""
    y = np.stack([series.rhythm(n, gaps=0.1), series.walk(n), series.rhythm(n, seed=5),
                  series.rhythm(n, seed=6), np.full(n, 70.0), np.full(n, np.nan),
                  np.full(n, np.nan)])
    y[2, :150] = np.nan
    y[3, np.arange(n) % 8 > 0] = np.nan
    y[6, -30:-28] = 80.0
    return y


def panel_of(y: FloatArray, config: EngineConfig = CONFIG, first: int = 0) -> Panel:
    return Panel(start=series.START + timedelta(hours=first), y=y, config=config, vital=HEART_RATE)


def trained(panel: Panel, plans: Sequence[Mapping[str, Plan]] | None = None,
            **more: Any) -> list[TrainedSeries]:
    everything = [dict.fromkeys(panel.config.members, SEARCH)] * panel.series
    return train_panel(panel, plans or everything, provenance=MADE_BY, **{
        "given": [{}] * panel.series, "absent": [{}] * panel.series, **more})


@pytest.fixture(scope="module")
def first() -> list[TrainedSeries]:
    return trained(panel_of(rows()[:, :336]))


def texts(made: TrainedSeries) -> dict[str, str]:
    ensemble = {} if made.ensemble is None else {"ensemble": dumps(made.ensemble)}
    return {name: dumps(document) for name, document in made.members.items()} | ensemble


def refits(first: Sequence[TrainedSeries]) -> list[dict[str, Plan]]:
    return [{name: Plan(made_by="refit", document=each.members.get(name))
             if name in each.members else SEARCH for name in CONFIG.members} for each in first]


def stored(made: TrainedSeries) -> Stored:
    assert made.ensemble is not None
    return Stored(ensemble=made.ensemble, members=made.members, absent={})


def test_a_panel_gives_what_its_series_give_alone(first: list[TrainedSeries]) -> None:
    y = rows()[:, :336]
    for s in (0, 2):
        alone = {name: fit(name, y[s], start=series.START, config=CONFIG, provenance=MADE_BY)
                 for name in CONFIG.members}
        ensemble = fit_ensemble(alone, y[s], start=series.START, config=CONFIG, vital=HEART_RATE,
                                provenance=MADE_BY)
        for name, document in alone.items():
            made = first[s].members[name]
            assert dumps(replace(made, figures={})) == dumps(replace(document, figures={}))
        assert dumps(ensemble) == texts(first[s])["ensemble"]


def test_order_company_and_threads_do_not_change_a_byte(first: list[TrainedSeries]) -> None:
    y, order = rows()[:, :336], [6, 3, 0, 5, 4, 2, 1]
    turned = trained(panel_of(y[order]), threads=2)
    for s, made in zip(order, turned, strict=True):
        assert texts(made) == texts(first[s])
    few = trained(panel_of(rows()[:2, 1:], first=1), refits(first)[:2])
    many = trained(panel_of(rows()[:, 1:], first=1), refits(first), threads=2)
    assert [texts(each) for each in few] == [texts(each) for each in many[:2]]


def test_forecasts_do_not_depend_on_order_company_or_threads(first: list[TrainedSeries]) -> None:
    able = [s for s, each in enumerate(first) if each.ensemble is not None]
    after = panel_of(rows()[able, 336:], first=336)
    whole = forecast_panel(after, [stored(first[s]) for s in able], threads=2)
    for row, s in enumerate(able):
        documents = {name: loads(dumps(each)) for name, each in first[s].members.items()}
        alone = forecast_ensemble(stored(first[s]).ensemble, documents, y_since=rows()[s, 336:],
                                  horizon=24, levels=CONFIG.levels, vital=HEART_RATE)
        assert alone.point.tobytes() == whole.point[row].tobytes()
        assert alone.state_hash == whole.state_hashes[row] and alone.absent == whole.absent[row]
        for level, (lower, upper) in alone.bounds.items():
            assert lower.tobytes() == whole.bounds[level][0][row].tobytes()
            assert upper.tobytes() == whole.bounds[level][1][row].tobytes()


@pytest.mark.parametrize("hours", [5, 40, 44, 100, 250])
def test_a_history_that_gaps_lead_is_the_shorter_one(hours: int) -> None:
    y = series.rhythm(n=hours, gaps=0.1)
    led = np.concatenate((np.full(336 - hours, np.nan), y))
    said = []
    for panel in (panel_of(led[None]), panel_of(y[None], first=336 - hours)):
        (made,) = trained(panel)
        nothing = Panel(start=panel.end, y=np.zeros((1, 0)), config=CONFIG, vital=HEART_RATE)
        said.append(forecast_panel(nothing, [stored(made)]))
    one, other = said
    assert one.point.tobytes() == other.point.tobytes() and one.absent == other.absent
    assert one.state_hashes == other.state_hashes
    for level, bounds in one.bounds.items():
        np.testing.assert_allclose(bounds, other.bounds[level], rtol=1e-12)


def test_refusals_say_why_by_series(first: list[TrainedSeries]) -> None:
    said = [each.outcomes["ets"].reason for each in first]
    assert said[0] == said[1] == said[2] == ""
    assert "needs 30" in said[3] or "needs a fifth" in said[3]
    assert said[4] == "the series is constant" and said[5] == "no observed hour in the window"
    assert first[5].ensemble is None and first[5].reason == "no observed hour in the window"
    assert first[4].ensemble is not None
    assert "constant" in first[4].ensemble.figures["absent"]["ets"]
    [alone] = trained(panel_of(np.full((1, 336), 70.0), EngineConfig(members=("ets",))))
    assert alone.ensemble is None and alone.reason == (
        "no member could be fitted: ets: too_little_data: the series is constant")
    assert all(outcome.cpu_seconds >= 0 for each in first for outcome in each.outcomes.values())


def test_a_refit_keeps_the_structure_and_names_its_parent(first: list[TrainedSeries]) -> None:
    later = trained(panel_of(rows()[:, 1:], first=1), refits(first))
    for name in HEAVY:
        before, after = first[0].members[name], later[0].members[name]
        assert later[0].outcomes[name].made_by == after.figures["made_by"] == "refit"
        assert after.structure == before.structure and after.grid.cutoff > before.grid.cutoff
        assert after.figures["warm_start_from"] == document_id(dumps(before))
        assert after.figures["searched_at"] == before.figures["searched_at"]
    assert first[0].members["ets"].figures["made_by"] == "search"
    assert first[0].members["ets"].figures["warm_start_from"] is None


def test_a_parent_has_the_id_that_it_is_stored_under(first: list[TrainedSeries]) -> None:
    plans = [{"ets": Plan(made_by="refit", document=first[0].members["ets"], document_id="stored")}]
    made = trained(panel_of(rows()[:1, 1:], first=1), plans)[0].members["ets"]
    assert made.figures["warm_start_from"] == "stored"


def test_a_refit_that_fails_is_searched_in_the_same_call(first: list[TrainedSeries]) -> None:
    good = first[0].members["theta"]
    broken = replace(good, parameters={**good.parameters, "alpha": float("nan"),
                                       "theta": float("nan")})
    foreign = replace(first[0].members["ets"], structure={
        **first[0].members["ets"].structure, "season": "M"})
    made = trained(panel_of(rows()[:1, 1:], first=1), [{
        "theta": Plan(made_by="refit", document=broken),
        "ets": Plan(made_by="refit", document=foreign)}])[0]
    assert made.outcomes["theta"].made_by in ("refit", "search")
    assert made.outcomes["ets"].made_by == made.members["ets"].figures["made_by"] == "search"
    assert "structure searched" in made.outcomes["ets"].reason
    assert made.members["ets"].figures["warm_start_from"] is None


def test_the_earlier_document_stands_in_for_a_failed_fit(
    first: list[TrainedSeries], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(y: FloatArray, seasons: tuple[int, ...]) -> Fits:
        fits = native.search(y, seasons)
        return fits._replace(status=np.full(len(y), NO_FIT))

    native, old = NATIVE["ets"], first[0].members["ets"]
    monkeypatch.setitem(NATIVE, "ets", replace(native, search=nothing))
    made = trained(panel_of(rows()[:2, 1:], first=1), [
        {"ets": Plan(made_by="search", document=old), "last_value": SEARCH},
        {"ets": SEARCH, "last_value": SEARCH}])
    assert [one.outcomes["ets"].status for one in made] == ["failed", "failed"]
    assert made[0].members["ets"] is old and "stands in" in made[0].outcomes["ets"].reason
    assert made[0].ensemble is not None and "ets" in made[0].ensemble.parameters["errors"]
    assert made[1].ensemble is not None and "failed" in made[1].ensemble.figures["absent"]["ets"]


def test_given_documents_and_reasons_join_in(first: list[TrainedSeries]) -> None:
    made = trained(panel_of(rows()[:2, 1:], first=1), [{"last_value": SEARCH}] * 2,
                   given=[{"ets": first[0].members["ets"]}, {}],
                   absent=[{"tbats": "timeout: not finished"}, {"tbats": "switched off"}])
    assert set(made[0].members) == {"ets", "last_value"} and set(made[0].outcomes) == {"last_value"}
    assert made[0].ensemble is not None and made[1].ensemble is not None
    assert made[0].ensemble.structure["members"] == ("ets", "last_value")
    assert made[1].ensemble.figures["absent"] == {"tbats": "switched off"}


def test_documents_that_no_kernel_holds_take_part_one_by_one() -> None:
    config = EngineConfig(members=("mstl", "last_value"))
    y = rows()[:2, :336]
    slow = fit("mstl", y[0], start=series.START, config=config, provenance=MADE_BY)
    made = trained(panel_of(y, config), [{"last_value": SEARCH}] * 2, given=[{"mstl": slow}, {}])
    assert made[0].ensemble is not None
    assert np.isfinite(made[0].ensemble.parameters["errors"]["mstl"]).all()
    after = panel_of(rows()[:2, 336:], config, first=336)
    said = forecast_panel(after, [stored(each) for each in made])
    assert np.isfinite(said.point).all()
    assert np.isnan(said.paths[1, said.names.index("mstl")]).all()


def test_heavy_members_do_not_see_the_held_back_hours() -> None:
    """Ends of different histories are aligned: each row keeps its own hours, in order."""
    y = rows()[:, :336]
    window = fit_window(panel_of(y))
    for s in (0, 2):
        known = y[s, :336 - window.held[s]]
        known = known[np.flatnonzero(~np.isnan(known))[0]:]
        np.testing.assert_array_equal(window.train[s, -known.size:], known)
        assert np.isnan(window.train[s, :-known.size]).all()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(n=st.integers(0, 120), seed=st.integers(0, 99), gaps=st.floats(0, 1),
       exponent=st.sampled_from([-12, 0, 12]), plausible=st.booleans())
def test_any_panel_gets_sound_intervals_or_reasons(
    n: int, seed: int, gaps: float, exponent: int, plausible: bool
) -> None:
    y = series.rhythm(n * 3, seed=seed, gaps=gaps).reshape(3, n) * 10.0 ** exponent
    y[1] = np.round(y[1], -exponent)
    vital = HEART_RATE if plausible else None
    panel = Panel(start=series.START, y=y, config=CONFIG, vital=vital)
    able = [each for each in trained(panel) if each.ensemble is not None or not each.reason]
    after = Panel(start=panel.end, y=np.zeros((len(able), 0)), config=CONFIG, vital=vital)
    made = forecast_panel(after, [stored(each) for each in able])
    assert made.refused == [""] * len(able) and np.isfinite(made.point).all()
    inside = (made.point, made.point)
    for level in CONFIG.levels:
        lower, upper = made.bounds[level]
        assert np.isfinite(lower).all() and np.isfinite(upper).all()
        assert (lower <= inside[0]).all() and (inside[1] <= upper).all()
        assert vital is None or ((lower >= vital.low) & (upper <= vital.high)).all()
        inside = (lower, upper)
