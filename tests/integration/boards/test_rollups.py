"""Cycles counted for the boards, beside the rows that they count."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from dashboards.boards import common
from providers.coverage import State
from registry.database import transaction
from registry.rollups import BUCKETS
from tests.reference.cycles import CYCLE, Installation
from tests.watched import HOURS
from vitalcast.cycle import HOUR
from vitalcast.jobs.rollup import rollup

STATES = [state.name.lower() for state in sorted(State)]


def ask(place: Installation, query: str, **values: Any) -> list[Any]:
    with transaction(place.system.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query), values)]


def everything(place: Installation) -> dict[str, list[str]]:
    names = ask(place, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'rollup%'")
    return {name: sorted(str(row) for row in ask(
        place, f"SELECT to_jsonb(t) - 'rolled_at' FROM {name} t")) for (name,) in names}


def test_every_rollup_has_rows(watched: Installation) -> None:
    assert [name for name, rows in everything(watched).items() if not rows] == []


def test_each_cycle_has_its_row(watched: Installation) -> None:
    found = ask(watched, "SELECT cycle, patients FROM rollup_cycles ORDER BY cycle")
    assert found == [(CYCLE - one.ago * HOUR, 3) for one in HOURS]


def test_every_reading_arrived_once(watched: Installation) -> None:
    counted = ask(watched, "SELECT provider, vital, sum(readings + history + revised), "
                           "sum(flagged) FROM rollup_arrivals GROUP BY 1, 2 ORDER BY 1, 2")
    stored = ask(watched, "SELECT provider, vital, count(*), "
                          "count(*) FILTER (WHERE quality <> 'ok') "
                          "FROM (SELECT provider, vital, quality FROM observations UNION ALL "
                          "SELECT provider, vital, quality FROM observation_revisions) AS arrived "
                          "GROUP BY 1, 2 ORDER BY 1, 2")
    assert counted == stored


def test_fits_and_their_cost_are_all_counted(watched: Installation) -> None:
    counted = ask(watched, "SELECT member, outcome, sum(fits), round(CAST(sum(cpu_seconds) AS "
                           "numeric), 6) FROM rollup_fits GROUP BY 1, 2 ORDER BY 1, 2")
    stored = ask(watched, "SELECT member, outcome, count(*), round(CAST(coalesce(sum(cpu_seconds), "
                          "0) AS numeric), 6) FROM fits GROUP BY 1, 2 ORDER BY 1, 2")
    assert counted == stored


def test_reasons_hold_no_numbers(watched: Installation) -> None:
    assert ask(watched, "SELECT DISTINCT reason FROM rollup_failures") == [
        ("# observed hours to fit on, needs #",)]
    assert not ask(watched, "SELECT 1 FROM rollup_forecasts WHERE reason ~ '[0-9]'")


def test_boards_call_the_states_by_their_names() -> None:
    assert [name for name, _ in common.STATES.values()] == STATES[1:]


def test_coverage_counts_every_judged_hour(watched: Installation) -> None:
    counted: Counter[Any] = Counter()
    for day, vital, states in ask(watched, "SELECT CAST(day AS text), vital, states FROM coverage "
                                           "WHERE day >= CAST(:day AS date)", day=CYCLE):
        for hour, state in enumerate(bytes(states)):
            if state:
                counted[f"{day} {hour:02}", vital, STATES[state]] += 1
    stored = {(hour, vital, state): series for hour, vital, state, series in ask(
        watched, "SELECT to_char(hour, 'YYYY-MM-DD HH24'), vital, state, sum(series) "
                 "FROM rollup_coverage WHERE hour >= :day GROUP BY 1, 2, 3",
        day=CYCLE.replace(hour=0))}
    assert stored == counted
    assert counted


def scored(place: Installation, cycle: Any) -> Iterator[tuple[str, int, float, list[bool]]]:
    """Vital, lead, error and whether each interval held, from the scores' own JSON."""
    for vital, errors, covered in ask(place, "SELECT vital, errors, covered FROM evaluations "
                                             "WHERE cutoff = :cycle", cycle=cycle):
        for lead, error in enumerate(errors["ensemble"], 1):
            if error is not None:
                yield vital, lead, error, [covered[level][lead - 1] for level in ("50", "80", "95")]


@pytest.mark.parametrize(("bucket", "ago"), [("1", 1), ("2-6", 6), ("13-24", 24)])
def test_accuracy_is_that_of_the_scores(watched: Installation, bucket: str, ago: int) -> None:
    cycle, (first, last, _) = CYCLE - ago * HOUR, BUCKETS[bucket]
    expected: dict[str, list[float]] = {}
    for vital, lead, error, inside in scored(watched, cycle):
        if first <= lead <= last:
            sums = expected.setdefault(vital, [0.0] * 6)
            for at, value in enumerate((1.0, error, abs(error), *map(float, inside))):
                sums[at] += value
    found = {vital: [float(one) for one in sums] for vital, *sums in ask(
        watched, "SELECT vital, hours, error_sum, absolute_sum, covered_50, covered_80, covered_95 "
                 "FROM rollup_accuracy WHERE cycle = :cycle AND bucket = :bucket",
        cycle=cycle, bucket=bucket)}
    assert found.keys() == expected.keys()
    assert found
    for vital, sums in expected.items():
        assert found[vital] == pytest.approx(sums)


def test_members_are_weighed_by_their_hours(watched: Installation) -> None:
    rows = ask(watched, "SELECT vital, observed, mae FROM evaluations WHERE cutoff = :cycle AND "
                        "observed > 0", cycle=CYCLE - 24 * HOUR)
    expected: Counter[Any] = Counter()
    for vital, observed, mae in rows:
        for member, value in mae.items():
            expected[vital, member] += observed * value
    found = {(vital, member): total for vital, member, total in ask(
        watched, "SELECT vital, member, absolute_sum FROM rollup_members WHERE cycle = :cycle",
        cycle=CYCLE - 24 * HOUR)}
    assert found == pytest.approx(dict(expected))
    assert found


def test_counting_again_changes_nothing(watched: Installation) -> None:
    before = everything(watched)
    assert rollup(watched.system, cycle=CYCLE, again_days=3)["cycles"] == len(HOURS)
    assert everything(watched) == before


def test_a_cycle_that_is_fetched_again_counts_no_reading_twice(watched: Installation) -> None:
    """As an operator does: `vitalcast ingest --hour`, hours after the cycles that followed."""
    again = CYCLE - max(one.ago for one in HOURS) * HOUR
    before = everything(watched)
    with transaction(watched.system.engine) as conn:
        run_id = conn.execute(text(
            "INSERT INTO runs (job, cycle, shard, status, started_at, ended_at) SELECT 'ingest', "
            ":cycle, '1/1', 'done', max(ended_at), max(ended_at) + interval '1 second' FROM runs "
            "RETURNING run_id"), {"cycle": again}).scalar_one()
    try:
        rollup(watched.system, cycle=again)
        rollup(watched.system, cycle=CYCLE)
        assert everything(watched) == before
    finally:
        with transaction(watched.system.engine) as conn:
            conn.execute(text("DELETE FROM runs WHERE run_id = :run_id"), {"run_id": run_id})


def test_a_cycle_that_was_missed_is_caught_up(watched: Installation) -> None:
    before = everything(watched)
    missed = CYCLE - HOURS[1].ago * HOUR
    with transaction(watched.system.engine) as conn:
        for name in ("rollup_cycles", "rollup_fits", "rollup_arrivals"):
            conn.execute(text(f"DELETE FROM {name} WHERE cycle = :cycle"), {"cycle": missed})
    assert rollup(watched.system, cycle=CYCLE)["cycles"] == 2
    assert everything(watched) == before
