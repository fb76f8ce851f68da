"""Delivery to a log store that fails in every way: each event arrives exactly once."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import Engine, text

from registry import event_log
from registry.database import transaction
from registry.elastic import Elastic
from registry.event_documents import DATA_STREAM, templates
from registry.event_log import Delivery, deliver, drop_events, read_breaker, waiting
from registry.events import Event, record
from registry.log_store import LogStoreError, Unreachable
from registry.runs import run
from tests.reference.elastic_stub import Cluster, Request, elasticsearch

MORNING = datetime(2026, 11, 21, 6, tzinfo=UTC)
Deliver = Callable[..., Delivery]


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = MORNING
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[tuple[str, Cluster]]:
    with elasticsearch() as found:
        yield found


@pytest.fixture
def cluster(server: tuple[str, Cluster]) -> Cluster:
    return server[1]


@pytest.fixture
def send(engine: Engine, server: tuple[str, Cluster], clock: Clock) -> Iterator[Deliver]:
    elastic = Elastic(server[0], timeout_s=0.25)

    def one(**options: Any) -> Delivery:
        return deliver(engine, elastic, clock=clock, sleep=clock.sleep, **options)

    yield one
    elastic.close()


def happen(engine: Engine, count: int, kind: str = "link.changed") -> None:
    with transaction(engine) as conn:
        before = conn.execute(text("SELECT coalesce(max(number), 0) FROM events")).scalar_one()
        record(conn, [Event(kind=kind, provider="oura", reason="active", once=f"{before + each}")
                      for each in range(count)])


def once_each(engine: Engine, cluster: Cluster) -> bool:
    """Whether the store holds every event of the outbox exactly once, and nothing else."""
    with transaction(engine) as conn:
        ids = sorted(conn.execute(text("SELECT event_id FROM events")).scalars())
    return sorted(name for name, _ in cluster.stored()) == ids


# --- what goes well -----------------------------------------------------------------------


def test_everything_that_waits_is_delivered_in_batches(
        engine: Engine, cluster: Cluster, send: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "BATCH", 10)
    happen(engine, 25)
    assert send().delivered == 25
    assert once_each(engine, cluster)
    assert send() == Delivery()


def test_nobody_is_asked_while_nothing_waits(cluster: Cluster, send: Deliver) -> None:
    assert send().error is None
    assert cluster.requests == []


# --- what goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("faults", [
    ["partial"], ["partial", "partial"], ["partial", "lost"], [429], [503], [502, 429], ["cut"],
    ["lost"], ["slow"], ["halves"], ["partial", "cut", 503, "lost"],
], ids=str)
def test_every_event_arrives_once_whatever_happens_on_the_way(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock,
        faults: list[int | str]) -> None:
    cluster.faults = list(faults)
    happen(engine, 7)
    for _ in range(len(faults) + 2):
        send()
        clock.now += timedelta(hours=1)
    assert cluster.faults == []
    assert waiting(engine) == 0
    assert once_each(engine, cluster)


@pytest.mark.parametrize("fault", ["lost", "slow", "halves"])
def test_an_unanswered_batch_is_not_written_again_after_a_rollover(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock, fault: str) -> None:
    cluster.faults = [fault]
    happen(engine, 4)
    assert isinstance(send().error, Unreachable)
    cluster.rollover()
    clock.now += timedelta(hours=1)
    assert send().delivered >= 4
    assert once_each(engine, cluster)


def test_a_process_killed_between_sending_and_marking_sends_nothing_twice(
        engine: Engine, cluster: Cluster, send: Deliver) -> None:
    happen(engine, 3)
    send()
    with transaction(engine) as conn:
        conn.execute(text("UPDATE events SET delivered_at = NULL"))
    cluster.rollover()
    assert send().delivered == 3
    assert once_each(engine, cluster)


def test_a_busy_store_is_offered_the_rest_alone_after_longer_and_longer_pauses(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock) -> None:
    cluster.faults = ["partial", "partial"]
    happen(engine, 4)
    assert send().delivered == 4
    assert clock.slept == [1, 2]
    sizes = [len(one.body) // 2 for one in cluster.requests if "/_bulk" in one.path]
    assert sizes == [4, 2, 1]


def test_what_is_refused_for_ever_is_marked_and_holds_nothing_up(
        engine: Engine, cluster: Cluster, send: Deliver) -> None:
    happen(engine, 3)
    with transaction(engine) as conn:
        first = conn.execute(text("SELECT event_id FROM events ORDER BY number")).scalars().first()
    cluster.poison = {str(first)}
    told = send()
    assert (told.delivered, told.refused, told.waiting, told.error) == (2, 1, 0, None)
    with transaction(engine) as conn:
        reasons = conn.execute(text("SELECT refused FROM events ORDER BY number")).scalars().all()
    assert reasons == ["400 document_parsing_exception", None, None]


def test_a_request_that_is_refused_as_too_large_is_halved(
        engine: Engine, cluster: Cluster, send: Deliver) -> None:
    happen(engine, 30)
    cluster.most_bytes = 4_000
    assert send() == Delivery(delivered=30)
    assert once_each(engine, cluster)


@pytest.mark.parametrize(("most_bytes", "reason"), [
    (2_000, "413"), (1 << 20, "400 x_content_parse_exception")])
def test_an_event_that_is_refused_alone_is_marked_and_holds_nothing_up(
        engine: Engine, cluster: Cluster, send: Deliver, most_bytes: int, reason: str) -> None:
    happen(engine, 5)
    with transaction(engine) as conn:
        first = conn.execute(text("""
            UPDATE events SET message = repeat('a ', 2000)
            WHERE number = (SELECT min(number) FROM events) RETURNING event_id""")).scalar_one()
    cluster.most_bytes, cluster.unfit = most_bytes, {first}
    told = send()
    assert (told.delivered, told.refused, told.waiting, told.error) == (4, 1, 0, None)
    with transaction(engine) as conn:
        assert conn.execute(text("SELECT refused FROM events WHERE refused IS NOT NULL")
                            ).scalars().all() == [reason]
    assert first not in dict(cluster.stored())


def test_where_every_request_is_refused_no_event_is_given_up(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock) -> None:
    happen(engine, 5)
    cluster.most_bytes = 10
    told = send()
    assert (told.delivered, told.refused, told.waiting) == (0, 0, 6)      # and that it stopped
    assert "413" in str(told.error)
    cluster.most_bytes = 1 << 20
    clock.now += timedelta(hours=1)
    while send().waiting:
        pass
    assert once_each(engine, cluster)


def test_a_batch_that_passed_makes_no_event_of_the_next_one_refused(
        engine: Engine, cluster: Cluster, send: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "BATCH", 10)
    happen(engine, 25)
    with transaction(engine) as conn:
        cluster.unfit = set(conn.execute(text(
            "SELECT event_id FROM events ORDER BY number OFFSET 10")).scalars())
    told = send()
    assert (told.delivered, told.refused, told.waiting) == (10, 0, 16)    # and that it stopped
    assert "400" in str(told.error)


def test_a_store_that_refuses_everything_is_not_asked_for_every_event(
        engine: Engine, cluster: Cluster, send: Deliver) -> None:
    happen(engine, 200)
    cluster.most_bytes = 10
    assert "413" in str(send().error)
    assert len(cluster.requests) < 60         # of 399 that reach each event


def test_many_that_are_refused_alone_hold_nothing_up(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock) -> None:
    happen(engine, 100)
    with transaction(engine) as conn:
        cluster.unfit = set(conn.execute(text(
            "SELECT event_id FROM events ORDER BY number LIMIT 20")).scalars())
    assert send().delivered == 80
    clock.now += timedelta(hours=1)           # those left over are told from a store that stopped
    told = send()                             # by the events of its stop and of its end
    assert (told.delivered, told.refused, told.waiting, told.error) == (2, 6, 0, None)


def test_a_days_outage_stops_nothing_and_loses_nothing(
        engine: Engine, cluster: Cluster, send: Deliver, clock: Clock) -> None:
    happen(engine, 2)
    send()
    cluster.down = True
    asked_before = len(cluster.requests)
    for _ in range(24 * 4):
        happen(engine, 1)
        send()
        clock.now += timedelta(minutes=15)
    asked = len(cluster.requests) - asked_before
    assert 48 <= asked <= 54                  # at first more often, then every half hour
    assert read_breaker(engine).fault == "overloaded"
    cluster.down = False
    clock.now += timedelta(minutes=30)
    while send().waiting:
        pass
    assert once_each(engine, cluster)
    kinds = [body["event"]["action"] for _, body in cluster.stored()]
    assert kinds.count("delivery.stopped") == kinds.count("delivery.resumed") == 1
    assert read_breaker(engine).failures == 0


def test_a_store_that_failed_is_left_alone_unless_a_person_asks(
        engine: Engine, cluster: Cluster, send: Deliver) -> None:
    cluster.faults = [503]
    happen(engine, 1)
    send()
    asked = len(cluster.requests)
    told = send()
    assert (told.delivered, told.error, len(cluster.requests)) == (0, None, asked)
    assert told.retry_at == MORNING + timedelta(minutes=1)
    assert send(force=True).delivered == 3    # and what tells of the failure and of its end


def test_only_one_process_delivers_at_a_time(engine: Engine, send: Deliver) -> None:
    happen(engine, 1)
    with event_log._alone(engine) as mine:
        assert mine
        assert send().busy
    assert send().delivered == 1


# --- what is told -------------------------------------------------------------------------


@pytest.mark.parametrize(("of_cluster", "setting"), [
    ({"version": "8.19.1"}, "VITALCAST_ELASTICSEARCH_URL must name version 9"),
    ({"version": "10.0.0"}, "VITALCAST_ELASTICSEARCH_URL must name version 9"),
    ({"product": False}, "is no Elasticsearch; correct VITALCAST_ELASTICSEARCH_URL"),
    ({"api_key": "right"}, "VITALCAST_ELASTICSEARCH_API_KEY"),
    ({"down": True}, "answers 503"),
], ids=str)
def test_what_cannot_be_used_names_the_setting(
        engine: Engine, of_cluster: dict[str, Any], setting: str) -> None:
    happen(engine, 1)
    with elasticsearch(**of_cluster) as (url, _):
        elastic = Elastic(url.replace("//", "//someone:sesame@"))
        told = deliver(engine, elastic, clock=Clock())
        elastic.close()
    assert setting in str(told.error)
    assert "sesame" not in str(told.error)
    assert told.waiting == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://host:port"])
def test_a_wrong_address_names_the_setting(engine: Engine, url: str) -> None:
    with pytest.raises(LogStoreError, match="VITALCAST_ELASTICSEARCH_URL"):
        Elastic(url).check()


# --- what is sent -------------------------------------------------------------------------


def sent_by_everything(engine: Engine, send: Deliver, server: tuple[str, Cluster],
                       clock: Clock) -> list[Request]:
    """Every request that setting up and delivering makes."""
    url, cluster = server
    elastic = Elastic(url, api_key="a2V5")
    for _ in range(2):
        elastic.set_up(30)
    elastic.close()
    with pytest.raises(ZeroDivisionError), run(engine, job="train", cycle=MORNING, shard="1/1"):
        raise ZeroDivisionError
    with transaction(engine) as conn:
        record(conn, [Event(kind="fit.ended", member="arima", vital="spo2", reason="timeout",
                            series=("p", "spo2"))])
    cluster.faults = ["lost"]
    send()
    clock.now += timedelta(hours=1)
    send()
    return cluster.requests


ENDPOINTS = {
    "/_component_template/": "cluster.put_component_template",
    "/_index_template/": "indices.put_index_template", "/_lifecycle": "indices.put_data_lifecycle",
    "/_bulk": "bulk", "/_search": "search", "/_refresh": "indices.refresh",
}


def test_requests_keep_to_the_published_specification(
        engine: Engine, send: Deliver, server: tuple[str, Cluster], clock: Clock,
        shared: Path) -> None:
    contract = json.loads((shared / "contracts/elasticsearch/requests.subset.json").read_text())
    seen = set()
    for request in sent_by_everything(engine, send, server, clock):
        path, _, query = request.path.partition("?")
        if path == "/":
            continue
        name = next((endpoint for part, endpoint in ENDPOINTS.items() if part in path),
                    "indices.create_data_stream")
        seen.add(name)
        spec = contract["endpoints"][name]
        assert any(request.method in url["methods"] for url in spec["urls"])
        assert {one.split("=")[0] for one in query.split("&") if one} <= set(spec["query"])
        jsonschema.Draft202012Validator({**spec["body"], "$defs": contract["$defs"]}).validate(
            {} if request.body is None else request.body)
        for action in request.body[::2] if name == "bulk" else ():
            jsonschema.Draft202012Validator({
                "$ref": "#/$defs/_global.bulk:OperationContainer",
                "$defs": contract["$defs"]}).validate(action)
    assert seen == {*ENDPOINTS.values(), "indices.create_data_stream"}


def test_setting_up_again_puts_the_same(server: tuple[str, Cluster]) -> None:
    url, cluster = server
    elastic = Elastic(url)
    elastic.set_up(30)
    first = dict(cluster.put)
    elastic.set_up(30)
    elastic.close()
    assert cluster.put == first
    assert f"/_data_stream/{DATA_STREAM}" in first


def test_every_field_that_is_sent_has_a_mapping(
        engine: Engine, send: Deliver, server: tuple[str, Cluster], clock: Clock) -> None:
    def unmapped(body: dict[str, Any], fields: dict[str, Any], at: str = "") -> Iterator[str]:
        for name, value in body.items():
            mapped = fields.get(name)
            if mapped is None:
                yield f"{at}{name}"
            elif isinstance(value, dict) and "properties" in mapped:
                yield from unmapped(value, mapped["properties"], f"{at}{name}.")

    sent_by_everything(engine, send, server, clock)
    fields = templates(30)["vitalcast.events@mappings"]["template"]["mappings"]["properties"]
    bodies = [body for _, body in server[1].stored()]
    assert {"job.failed", "fit.ended"} <= {body["event"]["action"] for body in bodies}
    assert [path for body in bodies for path in unmapped(body, fields)] == []


# --- how long they are kept ---------------------------------------------------------------


@pytest.mark.parametrize(("delivering", "left"), [(True, 2), (False, 1)])
def test_old_events_go_but_not_before_the_store_has_them(
        engine: Engine, send: Deliver, delivering: bool, left: int) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    happen(engine, 1)
    send()
    happen(engine, 1)
    with transaction(engine) as conn:
        conn.execute(text("UPDATE events SET recorded_at = :old"), {"old": long_ago})
    happen(engine, 1)
    with transaction(engine) as conn:
        drop_events(conn, before=long_ago + timedelta(days=1), delivering=delivering)
        assert conn.execute(text("SELECT count(*) FROM events")).scalar() == left
