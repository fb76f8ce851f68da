"""A cycle's events: what went wrong is told, once, and never whose it was."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from registry.event_documents import document
from registry.event_reading import Wanted, newest_events
from registry.people import People
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from vitalcast.cycle import HOUR
from vitalcast.jobs import train as training
from vitalcast.jobs.configure import use_config
from vitalcast.sandbox_admin import arm

OF_EXECUTIONS = ("job.started", "job.done", "job.failed", "job.killed")
ARIMA_TOO = LIGHT.replace('"arima": false', '"arima": true')

# Everything that names a person, an account or a link, or is one of their readings' identities.
_NAMES = """
SELECT patient_id FROM patients
UNION SELECT username FROM users UNION SELECT connection_id FROM connections
UNION SELECT provider_user_id FROM connections UNION SELECT provider_legacy_id FROM connections
UNION SELECT source_record_id FROM observations UNION SELECT device_id FROM observations
UNION SELECT group_id FROM observations UNION SELECT encode(key, 'hex') FROM observations"""


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors() as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def told(engine: Engine) -> list[Any]:
    return newest_events(engine, Wanted(limit=10_000))


def names(engine: Engine) -> set[str]:
    with transaction(engine) as conn:
        return {name for name in conn.execute(text(_NAMES)).scalars() if name}


def fail_hard(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """Let the next training fail as a bug would, with a patient in its message."""
    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError(message)

    monkeypatch.setattr(training, "rows_of", broken)


def test_no_event_names_anybody(
    place: Installation, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = People(database_url)
    people.add_user("dr-house", "correct horse battery", "doctor")
    people.close()
    arm(place.sandbox_url, "vendor_error", provider="google_health")
    arm(place.sandbox_url, "changed_schema", provider="oura")
    place.cycle()
    fail_hard(monkeypatch, "demo-01 has a heart rate of 71.5")
    with pytest.raises(ValueError):
        place.train(CYCLE + 30 * HOUR)
    events = told(engine)
    kinds = Counter(event.kind for event in events)
    assert {"job.failed", "fetches.ended", "link.changed", "stage.done", "cycle.done",
            "config.changed"} <= kinds.keys()
    known = names(engine)
    assert {"demo-01", "dr-house", "withings:demo-01"} <= known
    for event in events:
        said = orjson.dumps([event, document(event)]).decode()
        found = [name for name in known if name in said]
        assert found == [] and "71.5" not in said, event.kind


def test_a_cycle_run_again_tells_the_same_once(place: Installation, engine: Engine) -> None:
    arm(place.sandbox_url, "vendor_error", provider="google_health")
    place.cycle()
    first = {event.event_id for event in told(engine) if event.kind not in OF_EXECUTIONS}
    place.cycle()
    assert first == {event.event_id for event in told(engine) if event.kind not in OF_EXECUTIONS}
    assert len(first) > 5


def test_a_change_of_the_configuration_is_told_with_its_keys(
    place: Installation, engine: Engine,
) -> None:
    for config in (LIGHT, LIGHT, ARIMA_TOO, '{"window_hours": 200}', LIGHT):
        use_config(place.system, config)
    changes = [event for event in told(engine) if event.kind == "config.changed"]
    assert [event.data["changed"] for event in changes] == [
        [], ["members"], ["members", "window_hours"], ["members", "window_hours"]]
    assert changes[-1].data["config_hash"] == changes[0].data["config_hash"]
    assert changes[-1].data["earlier_hash"] == changes[-2].data["config_hash"]


def test_a_vendor_that_fails_is_told_by_reason_and_count(
    place: Installation, engine: Engine,
) -> None:
    arm(place.sandbox_url, "vendor_error", provider="google_health")
    place.ingest()
    (event,) = [event for event in told(engine) if event.kind == "fetches.ended"]
    assert (event.provider, event.reason) == ("google_health", "not_linked")
    with transaction(engine) as conn:
        failed = conn.execute(text(
            "SELECT count(*) FROM fetches WHERE outcome = 'not_entitled'")).scalar()
    assert event.data["count"] == failed


def test_a_link_that_changed_is_told_with_the_run_that_found_it(
    place: Installation, engine: Engine,
) -> None:
    arm(place.sandbox_url, "vendor_error", provider="google_health")
    linked = len(told(engine))
    place.ingest()
    changes = [event for event in told(engine)[linked:] if event.kind == "link.changed"]
    with transaction(engine) as conn:
        run_id = conn.execute(text("SELECT run_id FROM runs WHERE job = 'ingest'")).scalar_one()
    assert {(event.job, event.cycle, event.shard, event.run_id) for event in changes} == {
        ("ingest", CYCLE, "1/1", run_id)}


def test_searches_are_told_by_member_and_reason(place: Installation, engine: Engine) -> None:
    use_config(place.system, ARIMA_TOO)
    training.train(place.system, cycle=_ingested(place), shard="1/1",
                   config_hash=use_config(place.system, ARIMA_TOO))
    searched = {(event.member, event.reason): event.data["count"] for event in told(engine)
                if event.kind == "fits.searched"}
    with transaction(engine) as conn:
        made = conn.execute(text("SELECT count(*) FROM fits WHERE member = 'arima' "
                                 "AND made_by = 'search'")).scalar()
    assert searched == {("arima", "no_earlier"): made}


def _ingested(place: Installation) -> Any:
    place.ingest()
    return CYCLE
