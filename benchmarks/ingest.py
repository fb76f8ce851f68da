"""Rows per second from provider JSON to stored observation, beside plain COPY of the same rows.

    python benchmarks/ingest.py [--rounds 5] [--json]

The bytes are what the sandbox serves for four weeks of its generated patients, in the vendors' own
page sizes. One side decodes, parses and hashes them, saves payloads, observations and ledger, and
judges the readings on arrival, as the job does (`walk`, `save_fetch` and `check_saved` with the
collector paused, one fetch stored while the next is read); the other copies the finished rows, as
text made beforehand, into a table with the same columns, primary key and indexes. Same database,
one process with one session, tables emptied before each turn, turns alternate; the ratio is the
median over the rounds. A third side leaves the checks out,
to tell what they cost. On a busy machine the ratio of processor time, of this process and its
session together, says more than that of the clock.
"""

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from sqlalchemy import text

from benchmarks.common import median_ratio, scratch_database, side_by_side
from providers.catalogue import make_client, make_limiter, sandbox_endpoints
from providers.fetching import FetchRequest, FetchResult, Outcome, walk
from providers.google_health import DATA_TYPES, parse_data_points
from providers.http import Answer
from providers.limits import RateLimit
from providers.observation import Parsed, Provider
from providers.oura import parse_heartrate
from providers.sandbox.cohort import cohort
from providers.sandbox.grants import Consent
from providers.sandbox.server import create_app, serving
from providers.sandbox.world import World
from providers.withings_pages import parse_getmeas
from registry.database import Connection, Engine, open_engine, raw_cursor, transaction
from registry.observations import Prepared, prepared, save_fetch
from registry.patients import Patient, save_patients
from registry.quality import check_saved
from vitalcast.memory import collector_paused
from vitalcast.storing import Storing

END = datetime(2026, 11, 21, 6, tzinfo=UTC)
START = END - timedelta(days=28)
FREE = RateLimit(calls=10_000, period_s=1)
CLIENT = "https://localhost/consented"

RESOURCES = {Provider.GOOGLE_HEALTH: "heart-rate", Provider.WITHINGS: "getmeas",
             Provider.OURA: "heartrate"}
PARSERS: dict[Provider, Callable[[Any], Parsed]] = {
    Provider.GOOGLE_HEALTH: partial(parse_data_points, kind=DATA_TYPES["heart-rate"]),
    Provider.WITHINGS: parse_getmeas, Provider.OURA: parse_heartrate}

_EMPTY = """
TRUNCATE observations, raw_payloads, refusals, fetches, quality_flags, plain CASCADE"""
_PLAIN = "CREATE TABLE plain (LIKE observations INCLUDING ALL)"
_CONNECT = """
INSERT INTO connections (connection_id, patient_id, provider)
VALUES (:connection_id, :patient_id, :provider)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The bodies that one fetch of a patient's resource received."""

    patient_id: str
    provider: Provider
    bodies: tuple[bytes, ...]

    @property
    def connection_id(self) -> str:
        """As the registry names it."""
        return f"{self.provider.value}:{self.patient_id}"


class Token:
    """A consent given in the sandbox; it outlives the recording."""

    def __init__(self, world: World, patient_id: str, provider: Provider) -> None:
        code = world.grants.consent(Consent(
            provider=provider, subject_id=patient_id, scope="", redirect_uri=CLIENT))
        self._held = world.grants.exchange(provider, code, redirect_uri=CLIENT, verifier="")

    def access_token(self) -> str:
        """The only token."""
        return self._held.access_token

    def refresh(self, stale: str) -> str:
        """Never needed: a token is good for an hour."""
        raise RuntimeError(f"the sandbox refused a token of {len(stale)} characters")


def record() -> list[Recording]:
    """Fetch every patient's main resource from the sandbox by the real client."""
    world = World(cohort(7), now=int(END.timestamp()))
    tokens = {name: Token(world, name, subject.provider)
              for name, subject in world.subjects.items()}
    recordings = []
    with serving(create_app(world)) as root:
        for name, token in tokens.items():
            provider = world.subjects[name].provider
            client = make_client(
                provider, endpoints=sandbox_endpoints(provider, root), tokens=token,
                limiter=make_limiter(provider, FREE), account=name)
            result = client.fetch(FetchRequest(
                resource=RESOURCES[provider], start=START, end=END))
            client.close()
            if result.outcome is not Outcome.COMPLETE:
                raise SystemExit(f"the sandbox did not answer as recorded: {result.reason}")
            recordings.append(Recording(patient_id=name, provider=provider,
                                        bodies=tuple(page.body for page in result.pages)))
    return recordings


def read_again(recording: Recording) -> FetchResult:
    """From bytes to observations, as a client does behind its HTTP session."""
    bodies = iter(recording.bodies)

    def ask(_: str | None) -> Answer:
        body = next(bodies)
        return Answer(status=200, body=body, document=orjson.loads(body))

    pages = tuple(walk(ask, PARSERS[recording.provider], END))
    return FetchResult(resource=RESOURCES[recording.provider], outcome=Outcome.COMPLETE,
                       pages=pages, http_status=200, cursor_after=END.isoformat())


def ready(recording: Recording, result: FetchResult) -> Prepared:
    """What is done before the database is asked."""
    return prepared(result.pages, patient_id=recording.patient_id, provider=recording.provider,
                    connection_id=recording.connection_id, parser_version=1)


def store(conn: Connection, fetched: Prepared, result: FetchResult, *,
          checked: bool = True) -> int:
    """Store and judge one fetch; the rows that came of it."""
    saved = save_fetch(conn, fetched, resource=result.resource, cycle=END, window_start=START,
                       result=result)
    if checked and saved.written:
        check_saved(conn, saved.written)
    return saved.inserted


def ingest_all(engine: Engine, recordings: list[Recording], *, checked: bool = True) -> int:
    """Rows stored; one transaction a fetch, while the next one is read, as in the job."""
    rows: list[int] = []

    def save(fetched: Prepared, result: FetchResult) -> int:
        with transaction(engine) as conn:
            return store(conn, fetched, result, checked=checked)

    with collector_paused(), Storing(rows.append) as storing:
        for recording in recordings:
            result = read_again(recording)
            storing.add(partial(save, ready(recording, result), result))
    return sum(rows)


def copy_all(engine: Engine, lines: bytes) -> int:
    """Rows stored by one COPY in one transaction."""
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.copy_expert("COPY plain FROM STDIN", io.BytesIO(lines))
    return lines.count(b"\n")


def finished_rows(engine: Engine, recordings: list[Recording]) -> bytes:
    """The rows that `recordings` become, in COPY's text format."""
    _empty(engine)
    buffer = io.BytesIO()
    with transaction(engine) as conn:
        for recording in recordings:
            result = read_again(recording)
            store(conn, ready(recording, result), result)
        with raw_cursor(conn) as cursor:
            cursor.copy_expert("COPY observations TO STDOUT", buffer)
    return buffer.getvalue()


def measure(engine: Engine, recordings: list[Recording], rounds: int) -> dict[str, float]:
    """The figures of one set of recordings."""
    lines = finished_rows(engine, recordings)
    sides: dict[str, Callable[[], int]] = {
        "ingest": lambda: ingest_all(engine, recordings), "copy": lambda: copy_all(engine, lines),
        "unchecked": lambda: ingest_all(engine, recordings, checked=False)}
    by_cpu: dict[str, list[float]] = {name: [] for name in sides}

    def rate(name: str) -> float:
        _empty(engine)
        start, cpu_s = time.perf_counter(), _cpu_s(engine)
        rows = sides[name]()
        by_cpu[name].append(rows / (_cpu_s(engine) - cpu_s))
        return rows / (time.perf_counter() - start)

    by_wall = side_by_side({name: partial(rate, name) for name in sides}, rounds)
    return {"rows": lines.count(b"\n"), "rows_per_second": round(median(by_wall["ingest"])),
            "copy_rows_per_second": round(median(by_wall["copy"])),
            "ratio": round(median_ratio(by_wall["ingest"], by_wall["copy"]), 3),
            "ratio_of_cpu": round(median_ratio(by_cpu["ingest"][1:], by_cpu["copy"][1:]), 3),
            "ratio_unchecked": round(median_ratio(by_wall["unchecked"], by_wall["copy"]), 3),
            "ratio_unchecked_of_cpu": round(
                median_ratio(by_cpu["unchecked"][1:], by_cpu["copy"][1:]), 3)}


def _cpu_s(engine: Engine) -> float:
    """Processor seconds so far of this process and of the server's session for it."""
    with transaction(engine) as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar()
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def figures(rounds: int) -> dict[str, dict[str, float]]:
    """By vendor, and "all" for their patients one after the other."""
    recordings = record()
    with scratch_database() as url:
        engine = open_engine(url)
        _prepare(engine, recordings)
        sets = {provider.value: [one for one in recordings if one.provider is provider]
                for provider in RESOURCES} | {"all": recordings}
        found = {name: measure(engine, chosen, rounds) for name, chosen in sets.items()}
        engine.dispose()
    return found


def _prepare(engine: Engine, recordings: list[Recording]) -> None:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id=one.patient_id) for one in recordings])
        conn.execute(text(_CONNECT), [
            {"connection_id": one.connection_id, "patient_id": one.patient_id,
             "provider": one.provider.value} for one in recordings])
        conn.execute(text(_PLAIN))


def _empty(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text(_EMPTY))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    found = figures(arguments.rounds)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, one in found.items():
        print(f"{name:14s}{one['rows']:8.0f} rows  {one['rows_per_second']:8.0f} rows/s"
              f"  COPY {one['copy_rows_per_second']:8.0f} rows/s  ratio {one['ratio']:.2f}"
              f" (of processor time {one['ratio_of_cpu']:.2f};"
              f" not judged on arrival {one['ratio_unchecked']:.2f},"
              f" {one['ratio_unchecked_of_cpu']:.2f})")


if __name__ == "__main__":
    main()
