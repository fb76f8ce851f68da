"""Random schedules of vendor faults and of ingest killed in the middle: for property tests."""

import json
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import event, text

from providers.catalogue import CATALOGUE, make_limiter
from providers.limits import RateLimit
from providers.sandbox.faults import OF_READINGS, Kind
from registry.connections import TokenCipher
from registry.database import Engine, open_engine, transaction
from tests.reference.cycles import settings
from vitalcast.jobs.enrol import link
from vitalcast.jobs.ingest import ingest
from vitalcast.sandbox_admin import subjects
from vitalcast.settings import Settings
from vitalcast.wiring import System

PATIENTS = {"withings": "demo-02", "google_health": "demo-05", "oura": "demo-07"}
DISTURBED = tuple(datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (8, 10))
QUIET = datetime(2026, 11, 21, 13, tzinfo=UTC)
"""By then whatever was late or came again is there as the vendor means it."""

TOKEN_PATHS = {"withings": "/v2/oauth2", "google_health": "/token", "oura": "/oauth/token"}
_OF_REQUESTS = sorted(set(Kind) - OF_READINGS)
_OF_TOKENS = (Kind.HTTP_500, Kind.HANG, Kind.TRUNCATED_BODY, Kind.HTTP_429_BARE, Kind.TOKEN_DEATH)
_LATE = (Kind.LATE_DATA, Kind.RESENT_SUMMARY)           # a device's wrong clock stays wrong
_MOST_STATEMENTS = 120

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What happens to a few vendors in each of the `DISTURBED` hours, and to readings on the whole.

    Arguments of `arm`. `kills` are the numbers of the statement before which ingest of that hour
    is killed, None where it is not.
    """

    seed: int
    vendors: tuple[str, ...]
    readings: tuple[Fields, ...]
    requests: tuple[tuple[Fields, ...], ...]
    kills: tuple[int | None, ...]

    def __str__(self) -> str:
        hours = "\n".join(f"  {hour:%H:%M} killed before statement {kill}: {faults}" for
                          hour, kill, faults in zip(DISTURBED, self.kills, self.requests,
                                                    strict=True))
        return (f"schedule {self.seed} of {', '.join(self.vendors)}, readings {self.readings}\n"
                f"{hours}")


def schedule(seed: int) -> Schedule:
    """The schedule of this number; one in sixteen is killed somewhere."""
    rng = random.Random(seed)
    killed = seed % 16 == 0
    vendors = tuple(sorted(rng.sample(list(PATIENTS), rng.choice((1, 1, 1, 2, 3)))))
    return Schedule(
        seed=seed, vendors=vendors,
        readings=tuple(_of_readings(rng) for _ in range(rng.choice((0, 0, 1, 2)))),
        requests=tuple(tuple(fault for _ in range(rng.randint(1, 3))
                             for fault in _fault(rng, vendors)) for _ in DISTURBED),
        kills=tuple(rng.randint(1, _MOST_STATEMENTS) if killed and rng.random() < 0.7 else None
                    for _ in DISTURBED))


def _of_readings(rng: random.Random) -> Fields:
    since = DISTURBED[0] - timedelta(hours=rng.randint(0, 6))
    return {"kind": rng.choice(_LATE).value, "since": since.isoformat(),
            "until": (since + timedelta(hours=rng.randint(1, 3))).isoformat(),
            "seconds": rng.randint(600, 7200)}


def _fault(rng: random.Random, vendors: tuple[str, ...]) -> list[Fields]:
    """One fault of requests; of token requests together with what makes a token be asked for."""
    provider = rng.choice(vendors)
    if rng.random() < 0.15:
        kind = rng.choice(_OF_TOKENS)
        return [{"kind": Kind.TOKEN_DEATH.value, "provider": provider, "times": 1,
                 "after": rng.randint(0, 3)},
                {"kind": kind.value, "resource": TOKEN_PATHS[provider], "provider": provider,
                 "times": 1}]
    kind = rng.choice(_OF_REQUESTS)
    fault: Fields = {"kind": kind.value, "provider": rng.choice((provider, None)),
                     "times": rng.randint(1, 6), "after": rng.randint(0, 9)}
    if kind is Kind.HTTP_429:
        fault["retry_after"] = rng.choice((0, 3600))
    if kind is Kind.HANG:
        fault["times"] = 1
    return [fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An installation on a sandbox, whose vendors are not waited for."""

    system: System
    sandbox: str

    @classmethod
    def on(cls, engine: Engine, database_url: str, sandbox: str) -> "Bench":
        given = settings(database_url, sandbox).model_copy(update={
            "history_days": 1, "vendor_timeout_s": 0.25, "vendor_wait_s": 0.0005})
        free = {one: make_limiter(one, RateLimit(calls=10**6, period_s=1)) for one in CATALOGUE}
        return cls(sandbox=sandbox, system=replace(_system(given, engine), limiters=free))

    def clear(self, vendors: Iterable[str]) -> None:
        """Forget every reading and fetch; of the links, those of these vendors are active."""
        with transaction(self.system.engine) as conn:
            conn.execute(text("TRUNCATE observations, observation_revisions, fetches, "
                              "raw_payloads, runs CASCADE"))
            conn.execute(text(
                "UPDATE connections SET status = "
                "CASE WHEN provider = ANY(:vendors) THEN 'active' ELSE 'file' END"),
                {"vendors": list(vendors)})

    def run(self, given: Schedule) -> None:
        """The disturbed hours, then a quiet one, before which patients consent again as need be."""
        self.clear(given.vendors)
        for fields in given.readings:
            self.arm(fields)
        for hour, faults, kill in zip(DISTURBED, given.requests, given.kills, strict=True):
            armed = [self.arm(fields) for fields in faults]
            self.ingest(hour, kill)
            for number in armed:
                self.told("DELETE", f"faults?fault_id={number}")
        self.reconnect()
        self.ingest(QUIET)
        self.told("DELETE", "faults")

    def undisturbed(self) -> None:
        """The same hours of every vendor without a fault."""
        self.clear(PATIENTS)
        for hour in (*DISTURBED, QUIET):
            self.ingest(hour)

    def ingest(self, hour: datetime, kill: int | None = None) -> None:
        self.told("POST", "clock", now=hour.isoformat())
        if kill is None:
            ingest(self.system, cycle=hour, shard="1/1")
        else:
            ingest_killed(self.system.settings, hour, kill)

    def arm(self, fields: Fields) -> int:
        """Activate a fault; its number."""
        given = {name: value for name, value in fields.items() if value is not None}
        return int(self.told("POST", "faults", **given)["fault_id"])

    def told(self, method: str, path: str, **fields: Any) -> Any:
        """What the sandbox's own side answers; with as little ado as can be, for it is often."""
        with closing(HTTPConnection(urlsplit(self.sandbox).netloc, timeout=60)) as http:
            http.request(method, f"/sandbox/{path}", json.dumps(fields),
                         {"Content-Type": "application/json"})
            answer = http.getresponse()
            body = answer.read()
        assert answer.status < 400, f"the sandbox answered {answer.status} to {path}"
        return json.loads(body)

    def reconnect(self) -> None:
        """Whoever cannot be read any more consents again, as the patient would when asked."""
        with transaction(self.system.engine) as conn:
            lost = set(conn.execute(text(
                "SELECT patient_id FROM connections "
                "WHERE status NOT IN ('active', 'file')")).scalars())
        for subject in subjects(self.sandbox) if lost else ():
            if subject.subject_id in lost:
                link(self.system, subject)

    def rows(self, query: str, vendors: Iterable[str]) -> list[str]:
        """What the query, given the patients of these vendors, finds."""
        with transaction(self.system.engine) as conn:
            return sorted(conn.execute(text(query), {
                "patients": [PATIENTS[vendor] for vendor in vendors]}).scalars())


def _system(given: Settings, engine: Engine) -> System:
    return System(settings=given, engine=engine, cipher=TokenCipher([given.token_keys]))


@cache
def _prepared() -> multiprocessing.context.ForkServerContext:
    """A process without threads that has imported what ingest needs, and forks in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "authlib.integrations.requests_client"])
    return context


def ingest_killed(given: Settings, hour: datetime, statement: int) -> None:
    """Ingest in a process of its own that SIGKILLs itself before its n-th statement, if any."""
    killed_before(statement, partial(ingest, cycle=hour, shard="1/1"), given)


def killed_before(statement: int, job: Callable[[System], object], given: Settings) -> bool:
    """Run a job in a process of its own that SIGKILLs itself before its n-th statement or commit.

    False where it came to its end before.
    """
    child = _prepared().Process(target=_dying, args=(given, job, statement))
    child.start()
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL), f"the job ended with {child.exitcode}"
    return child.exitcode != 0


def _dying(given: Settings, job: Callable[[System], object], statement: int) -> None:
    engine = open_engine(given.database_url)
    left = iter(range(statement, 0, -1))

    def count(*_: object) -> None:
        if next(left, 1) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    job(_system(given, engine))


def seeds(count: int, first: str | None) -> Iterable[int]:
    """The schedules to run: `count` of them, or the one that is to be replayed."""
    return range(count) if first is None else [int(first)]
