"""Explaining a forecast from stored documents: states moved on, what cannot be read said so."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest

from api.explanations import NOT_STORED, Explained, explain_forecasts
from forecasting import members
from forecasting.config import EngineConfig
from forecasting.documents import dumps
from forecasting.provenance import Provenance
from registry.views import LOCAL, Champion, Forecast, Hour, StoredModel

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 10, tzinfo=UTC)
FITTED, SINCE = 240, 5
CUTOFF = START + (FITTED + SINCE) * HOUR
READ = np.concatenate((np.full(FITTED, 70.0), [80.0, np.nan, 81.0, 82.0, 84.0]))


class Stored:
    """The read side of one series: documents by member, hours from the arrays above."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self.documents = documents

    def member_documents(self, _: Any, __: str, wanted: Sequence[tuple[str, str, datetime]]
                         ) -> Mapping[tuple[str, str], StoredModel]:
        assert {cutoff for _, _, cutoff in wanted} == {CUTOFF}
        return {("heart_rate", name): StoredModel(
            document_id=f"id of {name}", vital="heart_rate", member=name, document=text)
            for name, text in self.documents.items()}

    def champions(self, _: Any, __: str) -> Mapping[str, Champion]:
        return {}

    def series(self, _: Any, __: str, vitals: Sequence[str], start: datetime, end: datetime
               ) -> Mapping[str, tuple[Hour, ...]]:
        values = READ[(start - START) // HOUR:(end - START) // HOUR]
        return {vitals[0]: tuple(
            Hour(start=start + i * HOUR, mean=None if np.isnan(value) else value, readings=1)
            for i, value in enumerate(values))}


def document(member: str) -> str:
    return dumps(members.fit(
        member, READ[:FITTED], start=START, config=EngineConfig(members=(member,)),
        provenance=Provenance(code_version="test")))


def explained(documents: Mapping[str, str], said: Mapping[str, Any], **more: Any) -> Explained:
    forecast = Forecast(
        vital="heart_rate", cutoff=CUTOFF, horizon=24, document_id="e", point=(84.0,) * 24,
        intervals={}, members=orjson.dumps(said).decode(), absent='{"tbats": "timeout"}',
        **{"reason": None, **more})
    (found,) = explain_forecasts(Stored(documents), LOCAL, "p01", [forecast], {})  # type: ignore[arg-type]
    return found


def member(first: float, rest: float) -> dict[str, Any]:
    return {"weights": {"1": first, "2-6": rest, "7-12": rest, "13-24": rest}, "path": [84.0] * 24}


def test_the_state_is_moved_to_the_hour_of_the_forecast() -> None:
    found = explained({"last_value": document("last_value")}, {"last_value": member(1, 1)})
    assert found.leading is not None
    assert found.leading.as_of == CUTOFF
    assert found.leading.level == 84.0
    assert found.leading.making.missing == 1


def test_the_leading_member_has_the_largest_part_over_the_horizon() -> None:
    documents = {name: document(name) for name in ("last_value", "mean_of_last_day")}
    found = explained(documents, {"last_value": member(0.9, 0.2),
                                  "mean_of_last_day": member(0.1, 0.8)})
    assert list(found.members) == ["mean_of_last_day", "last_value"]
    assert found.leading is not None
    assert found.leading.member == "mean_of_last_day"
    assert found.members["last_value"].share == pytest.approx((0.9 + 23 * 0.2) / 24)
    assert found.absent == {"tbats": "timeout"}


@pytest.mark.parametrize(("documents", "why"), [
    ({}, NOT_STORED), ({"revert": "{}"}, "its model document cannot be read: schema None")])
def test_a_leading_member_that_cannot_be_read_says_so(
    documents: dict[str, str], why: str
) -> None:
    found = explained(documents, {"revert": member(1, 1)})
    assert found.leading is None
    assert found.unexplained.startswith(why)
    assert found.members["revert"].structure is None


def test_without_members_the_reason_is_the_forecasts() -> None:
    assert explained({}, {}, reason="no model yet").unexplained == "no model yet"
