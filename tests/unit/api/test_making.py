"""How a forecast was made, laid out for the page."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from api.explanations import Explained, MemberPart
from api.pages.making import HEIGHT, MIDDLE, making
from clinical.vitals import SPECS, Vital
from forecasting import members
from forecasting.config import EngineConfig
from forecasting.explain import Explanation, explain
from forecasting.provenance import Provenance
from registry.views import Champion, Forecast

CUTOFF = datetime(2026, 11, 20, tzinfo=UTC)
DAY = np.cos(2 * np.pi * (np.arange(24) - 17) / 24)


def explanation(swing: float) -> Explanation:
    document = members.fit(
        "hour_of_day", np.tile(37 + swing * DAY, 7), start=datetime(2026, 11, 13, tzinfo=UTC),
        config=EngineConfig(members=("hour_of_day",)),
        provenance=Provenance(code_version="test"))
    return explain(document, SPECS[Vital.BODY_TEMPERATURE])


def part(first: float, rest: float | None, hours: int = 24) -> MemberPart:
    weights = {"1": first} if rest is None else {
        "1": first, "2-6": rest, "7-12": rest, "13-24": rest}
    return MemberPart(share=0.5, weights=weights, path=tuple(36.0 + 0.1 * h for h in range(hours)),
                      structure="mean of the same hour", document_id="9f2c")


def explained(hours: int = 24, swing: float = 0.5) -> Explained:
    forecast = Forecast(
        vital="body_temperature", cutoff=CUTOFF, horizon=hours, document_id="e", reason=None,
        point=(37.04,) * hours, intervals={}, members="{}", absent="{}")
    return Explained(
        forecast=forecast, leading=explanation(swing), unexplained="",
        members={"hour_of_day": part(0.25, 0.75, hours), "last_value": part(0.75, None, hours)},
        absent={"tbats": "timeout"},
        champion=Champion(vital="body_temperature", member="last_value", document_id="1", why="w"))


def test_the_table_marks_the_greatest_weight_of_each_bucket() -> None:
    first, second = making(explained()).members
    assert first.name == "hour of day"
    assert first.weights == (("25 %", False), ("75 %", True), ("75 %", True), ("75 %", True))
    assert second.weights == (("75 %", True), ("–", False), ("–", False), ("–", False))


@pytest.mark.parametrize(("hours", "said"), [
    (24, ("36.0", "36.5", "37.1", "38.3")), (12, ("36.0", "36.5", "37.1")), (1, ("36.0",))])
def test_it_shows_only_hours_that_were_forecast(hours: int, said: tuple[str, ...]) -> None:
    found = making(explained(hours))
    assert found.members[0].said == said
    assert found.point == ("37.0",) * len(said)


def test_bars_stand_on_the_mean_and_mark_the_highest_and_the_lowest_hour() -> None:
    bars = making(explained()).bars
    assert [bar.hour for bar in bars if bar.ends] == [5, 17]
    assert bars[17].y + bars[17].height == pytest.approx(MIDDLE)
    assert bars[5].y == pytest.approx(MIDDLE)
    assert bars[5].text == "−0.5"
    assert all(0 <= bar.y <= bar.y + bar.height <= HEIGHT for bar in bars)
    assert making(explained()).scale == "0.5 °C"


def test_without_a_pattern_there_is_no_picture() -> None:
    assert making(explained(swing=0.0)).bars == ()


def test_a_forecast_that_was_not_made_has_its_reason_alone() -> None:
    whole = explained()
    found = making(replace(
        whole, forecast=replace(whole.forecast, reason="no model yet", point=()), members={},
        leading=None, champion=None, unexplained="no model yet"))
    assert found.reason == found.unexplained == "no model yet"
    assert (found.members, found.leads, found.bars, found.leading) == ((), (), (), "")
