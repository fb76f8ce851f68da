"""What stands out in a cycle, in sentences, most telling first.

A cause goes before what it causes: what failed, what was killed, what was configured, what could
not be fitted, what was slow, what is missing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from statistics import median

from registry.cycles import NEEDED, Compared, CycleFacts
from vitalcast.cycle_figures import (
    Change,
    Line,
    Stage,
    failed_fits,
    incomplete_fetches,
    lacking,
    lines,
    newest,
    plain,
    seconds_of,
    shares,
)

SLOWER = 1.5
"""A stage is slow from so many times the last good one's time."""

SLOWEST_SHARD = 2.0
"""A shard is slow from so many times the median of its stage's other shards."""

LEAST_SECONDS = 10.0
"""Nothing shorter is called slow: ratios of short times are noise."""

MORE_GAPS = 0.05
"""A state is told from so much more of all hours than in the last good cycle."""


def findings(compared: Compared, stages: Sequence[Stage], changes: Sequence[Change],
             now: datetime) -> tuple[str, ...]:
    """Sentences, never none."""
    this, good = compared.this, compared.good
    found = chain(
        _failures(this), _absences(this, now), _kills(this), map(_change, changes),
        _more("fits failed", lines(failed_fits, this, good)),
        _slow_shards(this, now), _slow_stages(stages),
        _more("fetches were not complete", lines(incomplete_fetches, this, good)),
        _more("series have no forecast", lines(lacking, this, good)), _more_gaps(this, good))
    return tuple(found) or (_nothing(good),)


def duration(seconds: float) -> str:
    """Seconds as `12 s`, `4 min 10 s`, `2 h 5 min`; what took less than half of one as `< 1 s`."""
    if 0 < seconds < 0.5:
        return "< 1 s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _failures(facts: CycleFacts) -> Iterator[str]:
    for run in newest(facts.runs):
        if run.status == "failed":
            yield f"{run.job} failed on shard {run.shard}: {run.exception or 'no reason on record'}"


def _absences(facts: CycleFacts, now: datetime) -> Iterator[str]:
    """Jobs that run still, and those that every cycle needs and that are not there."""
    runs = newest(facts.runs)
    for run in runs:
        if run.ended_at is None:
            since = duration(seconds_of([run], now))
            yield f"{run.job} runs still on shard {run.shard}, for {since}"
    for job in NEEDED:
        if job not in {run.job for run in runs}:
            yield f"{job} has not run"


def _kills(facts: CycleFacts) -> Iterator[str]:
    """Runs that left no end or failed, and were made up for by a later one."""
    last = {run.run_id for run in newest(facts.runs)}
    for run in facts.runs:
        if run.status == "failed" and run.run_id not in last:
            yield f"{run.job} had to be run again on shard {run.shard}: {run.exception}"


def _change(change: Change) -> str:
    return (f"the configuration has changed since the last good cycle: {change.key} from "
            f"{change.before} to {change.after}")


def _more(what: str, counts: Sequence[Line]) -> Iterator[str]:
    """Counts that are higher than in the last good cycle."""
    for line in counts:
        if line.good is None or line.count > line.good:
            before = "" if line.good is None else f" ({line.good} in the last good cycle)"
            yield f"{line.count} {what}, {line.name}{before}"


def _slow_shards(facts: CycleFacts, now: datetime) -> Iterator[str]:
    """A stage's slowest shard, where it took much longer than the others."""
    runs = newest(facts.runs)
    for run in sorted(runs, key=lambda one: -seconds_of([one], now)):
        took = seconds_of([run], now)
        others = [seconds_of([one], now) for one in runs
                  if one.job == run.job and one.shard != run.shard]
        if others and took >= max(LEAST_SECONDS, SLOWEST_SHARD * median(others)):
            yield (f"shard {run.shard} of {run.job} was slow: {duration(took)}, the others "
                   f"{duration(median(others))}")


def _slow_stages(stages: Sequence[Stage]) -> Iterator[str]:
    for stage in sorted(stages, key=lambda one: -one.seconds):
        if stage.ratio and stage.ratio >= SLOWER and stage.seconds >= LEAST_SECONDS:
            yield (f"{stage.job} took {duration(stage.seconds)}, {stage.ratio:.1f} × the last "
                   "good cycle's time")


def _more_gaps(this: CycleFacts, good: CycleFacts | None) -> Iterator[str]:
    """States that more of the last hour's series are in than before."""
    before = shares(good.gaps) if good else {}
    for state, share in sorted(shares(this.gaps).items(), key=lambda one: -one[1]):
        usual = before.get(state, 0.0)
        if state != "ok" and before and share - usual >= MORE_GAPS:
            yield (f"{share:.0%} of the last hour is {plain(state)}, {usual:.0%} in the last good "
                   "cycle")


def _nothing(good: CycleFacts | None) -> str:
    return "nothing stands out" + ("" if good else "; there is no good cycle in the week before to "
                                   "compare with")
