"""A structure is searched for a reason, else its parameters are fitted again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.documents import Document, GridFacts, hour_text
from forecasting.policy import Plan, Policy, has_drifted, plan, searched_at
from tests.reference import series

CONFIG = EngineConfig()
POLICY = Policy(search_every_hours=168, drift_ratio=2.0)
END = series.START + timedelta(hours=336)


def a_document(**changes: Any) -> Document:
    grid = GridFacts(season=(24,), first=series.START, n=336, missing=0, holdback=96)
    parts: dict[str, Any] = {
        "member": "ets", "engine": "native", "structure": {}, "parameters": {}, "state": {},
        "fitted_state": {}, "sigma2": 4.0, "grid": grid, "provenance": {},
        "figures": {"made_by": "search", "searched_at": hour_text(END), "capped": False}}
    return Document(**{**parts, **changes})


def planned(earlier: Document | None, *, later: int = 1, member: str = "ets",
            config: EngineConfig = CONFIG, hours: int = 336, **more: Any) -> Plan:
    return plan(member, earlier, end=END + timedelta(hours=later), hours=hours, config=config,
                policy=POLICY, document_id="id", **more)


def test_parameters_are_fitted_again_from_the_earlier_document() -> None:
    earlier = a_document()
    assert planned(earlier) == Plan(made_by="refit", document=earlier, document_id="id", why="")


@pytest.mark.parametrize(("found", "said"), [
    (planned(None), "no earlier document"),
    (planned(a_document(engine="statsforecast")), "configuration has changed"),
    (planned(a_document(), config=EngineConfig(seasons=(24, 168))), "configuration has changed"),
    (planned(a_document(), hours=240), "configuration has changed"),
    (planned(a_document(), failed=True), "failed"),
    (planned(a_document(), drifted=True), "drifted"),
    (planned(a_document(), later=168), "168 h old"),
    (planned(a_document(figures={"made_by": "refit", "capped": True})), "cap"),
])
def test_a_structure_is_searched_for_a_reason(found: Plan, said: str) -> None:
    assert found.made_by == "search" and said in found.why


@pytest.mark.parametrize("config", [
    EngineConfig(horizon=48), EngineConfig(members=("ets", "profile"))])
def test_a_structure_outlasts_other_members_and_horizons(config: EngineConfig) -> None:
    assert planned(a_document(), config=config).made_by == "refit"


def test_a_search_that_hit_its_cap_is_not_repeated_at_once() -> None:
    figures = {**a_document().figures, "capped": True}
    assert planned(a_document(figures=figures)).made_by == "refit"


def test_the_age_of_a_structure_goes_on_through_refits() -> None:
    refitted = a_document(
        figures={"made_by": "refit", "searched_at": hour_text(END - timedelta(hours=167))},
        grid=replace(a_document().grid, first=series.START + timedelta(hours=1)))
    assert searched_at(refitted) == END - timedelta(hours=167)
    assert planned(refitted, later=0).made_by == "refit"
    assert planned(refitted, later=1).made_by == "search"


def test_a_document_from_before_refits_was_searched_when_it_was_made() -> None:
    assert searched_at(a_document(figures={"made_by": "structure_search"})) == END


def test_members_without_a_structure_grow_neither_old_nor_drift() -> None:
    light = a_document(member="profile", figures={"made_by": "search"})
    assert planned(light, member="profile", later=1000, drifted=True).made_by == "refit"
    assert planned(None, member="profile").made_by == "search"


def test_errors_drift_when_they_are_far_beyond_the_fit() -> None:
    errors = np.full(12, np.nan)
    errors[:5] = 100.0
    assert not has_drifted(errors, 4.0, POLICY)
    errors[:6] = [4.1, -4.1, 4.1, -4.1, 4.1, -4.1]
    assert has_drifted(errors, 4.0, POLICY)
    assert not has_drifted(errors * 0.9, 4.0, POLICY)
