"""The figures of one cycle beside those of the last good one. Pure: from rows to rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry.cycles import CHAIN, JOBS, NEEDED, ON_TIME, CycleFacts, CycleRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One job of the cycle: its newest run of every shard.

    seconds   in which any shard ran; the pause before a shard that was run again is none of it
    ratio     of seconds to the last good cycle's; None without one
    slowest   the shard that took longest, and how long
    """

    job: str
    status: str
    shards: int
    started_at: datetime
    seconds: float
    good_seconds: float | None
    cpu_seconds: float
    slowest: str
    slowest_seconds: float

    @property
    def ratio(self) -> float | None:
        """Of this cycle's time to the last good one's."""
        return self.seconds / self.good_seconds if self.good_seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A count of this cycle beside that of the last good one, None without one."""

    name: str
    count: int
    good: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key of the configuration, before and after."""

    at: datetime
    key: str
    before: str
    after: str


def newest(runs: Sequence[CycleRun]) -> list[CycleRun]:
    """The newest run of each shard of each job."""
    return list({(run.job, run.shard): run for run in runs}.values())


def seconds_of(runs: Sequence[CycleRun], now: datetime) -> float:
    """From the first start to the last end, or to now while one runs. A killed one has no end."""
    ends = [run.ended_at or (now if run.status == "running" else run.started_at) for run in runs]
    return (max(ends) - min(run.started_at for run in runs)).total_seconds()


def busy_seconds(runs: Sequence[CycleRun], now: datetime) -> float:
    """How long at least one of them ran."""
    busy, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for run in sorted(runs, key=lambda run: run.started_at):
        since = max(run.started_at, until)
        until = max(until, run.started_at + timedelta(seconds=seconds_of([run], now)))
        busy += (until - since).total_seconds() if until > since else 0.0
    return busy


def cycle_seconds(facts: CycleFacts, now: datetime) -> float:
    """Until the jobs of the chain were first done, or whatever ran where none of them did."""
    runs = _until_done(facts.runs)
    return seconds_of([run for run in runs if run.job in CHAIN] or runs, now)


def _until_done(runs: Sequence[CycleRun]) -> list[CycleRun]:
    """Without those that repeat what was done."""
    done: set[tuple[str, str]] = set()
    kept = []
    for run in runs:
        if (run.job, run.shard) not in done:
            kept.append(run)
        if run.status == "done":
            done.add((run.job, run.shard))
    return kept


def stages_of(this: CycleFacts, good: CycleFacts | None, now: datetime) -> tuple[Stage, ...]:
    """The jobs that ran, in the order that they begin in."""
    mine, before = newest(this.runs), newest(good.runs) if good else []
    return tuple(_stage(job, runs, [run for run in before if run.job == job], now)
                 for job in JOBS if (runs := [run for run in mine if run.job == job]))


def _stage(job: str, runs: Sequence[CycleRun], good: Sequence[CycleRun],
           now: datetime) -> Stage:
    slowest = max(runs, key=lambda run: seconds_of([run], now))
    statuses = {run.status for run in runs}
    return Stage(
        job=job, shards=len(runs), slowest=slowest.shard,
        status=next((one for one in ("failed", "running") if one in statuses), "done"),
        started_at=min(run.started_at for run in runs), seconds=busy_seconds(runs, now),
        good_seconds=busy_seconds(good, now) if good else None,
        cpu_seconds=sum(run.cpu_seconds or 0 for run in runs),
        slowest_seconds=seconds_of([slowest], now))


def patients_of(facts: CycleFacts) -> int | None:
    """Patients that the cycle forecast."""
    counts = [run.figures["patients"] for run in newest(facts.runs)
              if run.job == "forecast" and "patients" in run.figures]
    return sum(counts) if counts else None


def cpu_per_patient(facts: CycleFacts) -> float | None:
    """CPU seconds of all runs; None where nothing was forecast."""
    patients = patients_of(facts)
    return sum(run.cpu_seconds or 0 for run in facts.runs) / patients if patients else None


def fit_counts(facts: CycleFacts) -> Counter[str]:
    """What trainings came to, and why structures were searched."""
    counts: Counter[str] = Counter()
    for run in facts.runs:
        if run.job == "train":
            for name in ("refitted", "searched", "failed", "timeout", "too_little_data"):
                counts[name.replace("_", " ")] += int(run.figures.get(name, 0))
    for one in facts.counts:
        if one.kind == "fits.searched":
            counts[f"searched: {plain(one.reason)}"] += one.count
    return +counts


def failed_fits(facts: CycleFacts) -> Counter[str]:
    """Fits that failed, by member and reason."""
    return Counter({f"{one.member}: {plain(one.reason)}": one.count for one in facts.counts
                    if one.kind == "fits.ended"})


def incomplete_fetches(facts: CycleFacts) -> Counter[str]:
    """Fetches of the newest ingest that were not complete, by vendor and reason."""
    return _of_newest(facts, "ingest", "incomplete")


def lacking(facts: CycleFacts) -> Counter[str]:
    """Series without one of the newest forecasts, by reason."""
    return _of_newest(facts, "forecast", "missing")


def _of_newest(facts: CycleFacts, job: str, name: str) -> Counter[str]:
    """A count by words, over the newest run of each of the job's shards."""
    counts: Counter[str] = Counter()
    for run in newest(facts.runs):
        if run.job == job:
            counts.update({plain(word): count for word, count in run.figures.get(name, {}).items()})
    return counts


def gaps_of(facts: CycleFacts) -> Counter[str]:
    """Hours of the last hour's series by state, most first; those judged alone."""
    return Counter({plain(state): hours for state, hours in facts.gaps.items()
                    if state != "not_judged"})


def lines(count: Callable[[CycleFacts], Counter[str]], this: CycleFacts,
          good: CycleFacts | None) -> tuple[Line, ...]:
    """This cycle's counts, most first, beside the last good one's."""
    before = count(good) if good else None
    return tuple(Line(name=name, count=number, good=None if before is None else before[name])
                 for name, number in count(this).most_common())


def state_of(facts: CycleFacts, now: datetime) -> str:
    """good, late, incomplete or failed."""
    runs = newest(facts.runs)
    if any(run.status == "failed" for run in runs):
        return "failed"
    if any(run.ended_at is None for run in runs) or set(NEEDED) - {run.job for run in runs}:
        return "incomplete"
    return "late" if timedelta(seconds=cycle_seconds(facts, now)) > ON_TIME else "good"


def shares(gaps: Mapping[str, int]) -> dict[str, float]:
    """States as shares of the hours that were judged."""
    judged = {state: hours for state, hours in gaps.items() if state != "not_judged"}
    total = sum(judged.values())
    return {state: hours / total for state, hours in judged.items()} if total else {}


def plain(word: str | None) -> str:
    """A word of the vocabulary as it is read."""
    return (word or "no reason").replace("_", " ")
