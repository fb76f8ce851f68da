"""The short past of an installation on generated patients: what it has seen before its first cycle.

A few cycles before the sandbox's anchor run here, one after the other, in minutes: the jobs
themselves on what the vendors had by then, with things going wrong as they do. So there is
something to see from the first hour on: scores, lateness, gaps by reason, a failed run. Stamps are
moved to the hour they stand for. An hour that was lived through is not again; one that was killed
goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from registry.database import transaction
from registry.patients import patient_ids
from registry.rehearsal import date_back, lived_through
from vitalcast.cycle import HOUR, partition_key
from vitalcast.errors import UserError
from vitalcast.model_config import ModelConfig
from vitalcast.processes import Command, Supervisor, script
from vitalcast.sandbox_admin import anchor_of, arm, armed, disarm, set_clock, subjects
from vitalcast.settings import child_environment
from vitalcast.wiring import System

Fault = Mapping[str, Any]
Step = Callable[[str], None]

SHARD = "1/1"
MOST_HOURS = 7 * 24
"""Generated histories reach back far enough for models of a week ago."""
USUAL = ModelConfig()
_WAIT_S = 0.05
"""Vendors that fail are asked again at once: hours pass in seconds here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """A cycle so many hours `ago`, and what goes wrong in it, in words too.

    `config` is what operators have set otherwise, `faults` what the vendors do; at the request
    that `hangs` a worker gets stuck and is killed, before another one does its work.
    """

    ago: int
    told: str = "nothing goes wrong"
    config: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    hangs: Fault | None = None


PAST = (
    Hour(ago=24, told="operators have series forecast that were silent for 6 h at most",
         config={"stale_after_hours": 6}),
    Hour(ago=6, told="Withings answers in another format; a worker is killed while Oura hangs",
         faults=({"kind": "changed_schema", "provider": "withings", "resource": "/measure",
                  "times": 1},),
         hangs={"kind": "hang", "provider": "oura", "times": 1}),
    Hour(ago=1, told="Oura answers 500", faults=({"kind": "http_500", "provider": "oura"},)),
)


def hours_before(count: int | None) -> Sequence[Hour]:
    """`PAST`, or every hour of the last `count` with what `PAST` says of it."""
    if count is None:
        return PAST
    known = {one.ago: one for one in PAST}
    return [known.get(ago, Hour(ago=ago)) for ago in range(count, 0, -1)]


def live_past(system: System, until: datetime, step: Step, *, hours: Sequence[Hour],
              config: ModelConfig = USUAL) -> None:
    """Live through the hours up to `until` that were not yet; the vendors' clock ends there.

    `config` is what they run with but for what they say themselves. UserError, with no stamp moved,
    where the database holds a patient whom the sandbox does not serve.
    """
    root = system.settings.sandbox_url
    anchor = anchor_of(root)
    system = replace(system, settings=system.settings.model_copy(update={"vendor_wait_s": _WAIT_S}))
    for one in hours:
        hour = anchor - one.ago * HOUR
        with transaction(system.engine) as conn:
            if hour > until or lived_through(conn, hour):
                continue
        _dated_back(system, hour)                   # what a killed past left
        step(f"  {one.ago} h ago: {one.told}")
        set_clock(root, hour)
        _killed(system, hour, one.hangs)
        with _broken(root, one.faults):
            _cycle(system, hour, config.model_copy(update=dict(one.config)))
    set_clock(root, until)


def _cycle(system: System, hour: datetime, config: ModelConfig) -> None:
    """The jobs of a cycle, as the DAGs chain them; loaded only where there is a past to live."""
    from vitalcast.jobs.configure import use_config
    from vitalcast.jobs.evaluate import evaluate
    from vitalcast.jobs.forecast import forecast
    from vitalcast.jobs.ingest import ingest
    from vitalcast.jobs.rollup import rollup
    from vitalcast.jobs.train import train
    from vitalcast.jobs.watch import watch

    ingest(system, cycle=hour, shard=SHARD)
    used = use_config(system, config.text())
    for job in (train, forecast):
        job(system, cycle=hour, shard=SHARD, config_hash=used)
    evaluate(system, cycle=hour, shard=SHARD)
    watch(system, cycle=hour, shard=SHARD, config_hash=used)
    _dated_back(system, hour)                       # rollups count readings by when they came
    rollup(system, cycle=hour)
    _dated_back(system, hour)


def _dated_back(system: System, hour: datetime) -> None:
    served = {one.subject_id for one in subjects(system.settings.sandbox_url)}
    with transaction(system.engine) as conn:
        if not served.issuperset(patient_ids(conn)):
            raise UserError("the database holds patients whom the sandbox does not serve, whose "
                            "stamps must stay as they are: leave the past out with --past 0, or "
                            "set VITALCAST_HOME or VITALCAST_DATABASE_URL to a place without them")
        date_back(conn, hour)


@contextmanager
def _broken(root: str, faults: Sequence[Fault]) -> Iterator[None]:
    numbers = [arm(root, **fault) for fault in faults]
    try:
        yield
    finally:
        for number in numbers:
            disarm(root, number)


def _killed(system: System, hour: datetime, hangs: Fault | None) -> None:
    """A worker that waits for a vendor's answer for ever, until its process is ended."""
    if hangs is None:
        return
    root = system.settings.sandbox_url
    number = arm(root, **hangs)
    with Supervisor(system.settings.home / "logs") as worker:
        worker.start(Command(
            name="killed-worker", env=child_environment(system.settings),
            argv=[script("vitalcast"), "ingest", "--hour", partition_key(hour), "--shard", SHARD],
            ready=lambda: number not in [fault["fault_id"] for fault in armed(root)]))
