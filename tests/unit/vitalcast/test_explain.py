"""Why a cycle was late or wrong: what was injected is named first."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.cycles import Compared, ConfigChange, Count, CycleFacts, CycleRun
from vitalcast.explain import Explanation, explain
from vitalcast.findings import duration

GOOD = datetime(2026, 11, 21, 8, tzinfo=UTC)
CYCLE = GOOD + timedelta(hours=1)
LATER = CYCLE + timedelta(hours=5)
MINUTES: Mapping[str, tuple[float, float]] = {
    "ingest": (5, 3), "train": (8, 6), "forecast": (14, 2), "evaluate": (16, 1)}
"""Of each job, minutes after the hour that it starts at, and minutes that it takes."""


def run(cycle: datetime, job: str, shard: str = "1/2", *, run_id: int = 0, status: str = "done",
        minutes: float | None = None, **figures: Any) -> CycleRun:
    start, usual = MINUTES[job]
    began = cycle + timedelta(minutes=start)
    took = timedelta(minutes=usual if minutes is None else minutes)
    return CycleRun(run_id=run_id, job=job, shard=shard, status=status, started_at=began,
                    ended_at=None if status == "running" else began + took,
                    cpu_seconds=took.total_seconds(), figures=figures,
                    exception=None if status != "failed" else "KeyError at x.py:1")


def usual(cycle: datetime) -> CycleFacts:
    return CycleFacts(
        cycle=cycle, gaps={"ok": 80, "not_worn": 20, "not_judged": 900},
        counts=[Count(kind="fits.ended", member="arima", reason="constant", count=2)],
        runs=[run(cycle, job, shard, patients=50) for job in MINUTES for shard in ("1/2", "2/2")])


def told(this: CycleFacts, *changes: ConfigChange, compared: bool = True) -> Explanation:
    """This cycle beside the usual one of the hour before."""
    good = usual(GOOD) if compared else None
    return explain(Compared(this=this, good=good, changes=changes), LATER)


def with_run(one: CycleRun) -> CycleFacts:
    """The usual cycle with one run in place of the usual one."""
    facts = usual(CYCLE)
    return replace(facts, runs=[one if (each.job, each.shard) == (one.job, one.shard) else each
                                for each in facts.runs])


def test_a_usual_cycle_is_good_and_nothing_stands_out() -> None:
    one = told(usual(CYCLE))
    assert (one.state, one.findings, one.good) == ("good", ("nothing stands out",), GOOD)
    assert one.seconds == one.good_seconds == 12 * 60
    assert [stage.ratio for stage in one.stages] == [1.0] * 4
    assert one.patients == 100
    assert one.cpu_per_patient == one.good_cpu_per_patient == pytest.approx(2 * 12 * 60 / 100)


def test_a_slow_shard_is_named_first() -> None:
    one = told(with_run(run(CYCLE, "train", "2/2", minutes=50)))
    assert one.findings[0] == "shard 2/2 of train was slow: 50 min 0 s, the others 6 min 0 s"
    assert one.findings[1] == "train took 50 min 0 s, 8.3 × the last good cycle's time"
    stage = next(stage for stage in one.stages if stage.job == "train")
    assert (stage.slowest, stage.slowest_seconds) == ("2/2", 3000)


def test_a_stage_that_is_slow_on_all_shards_blames_none() -> None:
    slow = [run(CYCLE, "train", shard, minutes=30) for shard in ("1/2", "2/2")]
    facts = usual(CYCLE)
    facts = replace(facts, runs=[one for one in facts.runs if one.job != "train"] + slow)
    assert told(facts).findings == ("train took 30 min 0 s, 5.0 × the last good cycle's time",)


def test_a_failing_member_is_named_first_with_its_reason() -> None:
    failing = Count(kind="fits.ended", member="tbats", reason="not_finite", count=70)
    facts = with_run(run(CYCLE, "train", "1/2", minutes=50))
    one = told(replace(facts, counts=[*facts.counts, failing]))
    assert one.findings[0] == "70 fits failed, tbats: not finite (0 in the last good cycle)"
    assert "arima" not in str(one.findings)           # as many as in the good cycle
    assert [(line.name, line.count, line.good) for line in one.failed_fits] == [
        ("tbats: not finite", 70, 0), ("arima: constant", 2, 2)]


def test_a_change_of_configuration_goes_before_what_it_causes() -> None:
    change = ConfigChange(at=CYCLE, keys={"search_every_hours": ("168", "1")})
    failing = Count(kind="fits.ended", member="tbats", reason="timeout", count=70)
    facts = with_run(run(CYCLE, "train", "1/2", minutes=50))
    one = told(replace(facts, counts=[failing]), change)
    assert one.findings[0] == ("the configuration has changed since the last good cycle: "
                               "search_every_hours from 168 to 1")
    assert len(one.findings) == 4


@pytest.mark.parametrize(("one", "state", "first"), [
    (run(CYCLE, "train", status="failed"), "failed",
     "train failed on shard 1/2: KeyError at x.py:1"),
    (run(CYCLE, "evaluate", status="running"), "incomplete",
     "evaluate runs still on shard 1/2, for 4 h 44 min"),
    (run(CYCLE, "evaluate", minutes=59), "late",
     "shard 1/2 of evaluate was slow: 59 min 0 s, the others 1 min 0 s"),
], ids=["failed", "running", "late"])
def test_the_state_and_what_is_to_blame(one: CycleRun, state: str, first: str) -> None:
    found = told(with_run(one))
    assert (found.state, found.findings[0]) == (state, first)


def test_a_job_beside_the_chain_makes_no_cycle_late() -> None:
    facts = usual(CYCLE)
    report = replace(run(CYCLE, "ingest", "1/1", minutes=200), job="quality")
    found = told(replace(facts, runs=[*facts.runs, report]))
    assert (found.state, found.seconds) == ("good", 12 * 60)
    assert found.stages[-1].job == "quality"


def test_a_job_that_never_ran_makes_the_cycle_incomplete() -> None:
    facts = usual(CYCLE)
    found = told(replace(facts, runs=[one for one in facts.runs if one.job != "forecast"]))
    assert (found.state, found.findings[0]) == ("incomplete", "forecast has not run")


def test_a_run_that_was_made_up_for_is_told_and_does_not_count_as_failed() -> None:
    facts = usual(CYCLE)
    killed = replace(run(CYCLE, "train", status="failed"), run_id=-1, ended_at=None,
                     exception="killed: it left no end")
    found = told(replace(facts, runs=[killed, *facts.runs]))
    assert found.state == "good"
    assert found.findings[0] == "train had to be run again on shard 1/2: killed: it left no end"


def test_more_gaps_and_failed_fetches_are_told_by_state_and_reason() -> None:
    fetched = run(CYCLE, "ingest", run_id=1, incomplete={"oura: rate_limited": 30})
    forecast = run(CYCLE, "forecast", run_id=2, patients=50, missing={"silent": 9})
    facts = usual(CYCLE)
    facts = replace(facts, counts=[], runs=[*facts.runs, fetched, forecast],
                    gaps={"ok": 40, "not_worn": 20, "fetch_failed": 40, "not_judged": 5})
    assert told(facts).findings == (
        "30 fetches were not complete, oura: rate limited (0 in the last good cycle)",
        "9 series have no forecast, silent (0 in the last good cycle)",
        "40% of the last hour is fetch failed, 0% in the last good cycle")


def test_what_only_an_earlier_run_lacked_is_not_told() -> None:
    facts = usual(CYCLE)
    before_training = run(CYCLE, "forecast", patients=50, missing={"no_model": 29})
    assert told(replace(facts, runs=[before_training, *facts.runs])).findings == (
        "nothing stands out",)


def test_the_pause_before_a_shard_that_is_run_again_is_none_of_the_stage_s_time() -> None:
    again = run(CYCLE, "forecast", "2/2", minutes=3, patients=50)
    pause = timedelta(hours=2)
    one = told(with_run(replace(again, started_at=again.started_at + pause,
                                ended_at=again.started_at + pause + timedelta(minutes=3))))
    stage = next(stage for stage in one.stages if stage.job == "forecast")
    assert (stage.seconds, stage.good_seconds) == (5 * 60, 2 * 60)


def test_a_run_again_of_what_was_done_makes_no_cycle_late() -> None:
    facts = usual(CYCLE)
    again = replace(run(CYCLE, "ingest", "1/2", run_id=9), started_at=CYCLE + timedelta(hours=3),
                    ended_at=CYCLE + timedelta(hours=3, minutes=1))
    found = told(replace(facts, runs=[*facts.runs, again]))
    assert (found.state, found.seconds) == ("good", 12 * 60)


def test_without_a_good_cycle_it_says_so_and_compares_nothing() -> None:
    found = told(replace(usual(CYCLE), counts=[]), compared=False)
    assert "no good cycle" in found.findings[0]
    assert {stage.ratio for stage in found.stages} == {None}


@pytest.mark.parametrize(("seconds", "told"), [
    (0, "0 s"), (0.2, "< 1 s"), (0.6, "1 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")])
def test_a_duration_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert duration(seconds) == told
