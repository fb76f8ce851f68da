"""Judged days as runs, as gaps under a chart, and as what is missing now."""

from datetime import UTC, date, datetime, timedelta

from api.coverage import hours_of, lacks_of, runs_of, shares_of
from api.pages.gaps import MOST_GAPS, gaps_of, legend
from providers.coverage import State
from registry.views import CoverageDay

DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def day(states: list[State], reasons: list[tuple[int, str | None]], *, vital: str = "heart_rate",
        on: date = DAY) -> CoverageDay:
    return CoverageDay(vital=vital, day=on, states=bytes(states) + bytes(24 - len(states)),
                       reasons=tuple(reasons), version=1, computed_cycle=MIDNIGHT)


WORN_OFF = day([State.OK] * 20 + [State.NOT_WORN] * 4, [(0, None), (20, "off")])
OFF_LONGER = day([State.NOT_WORN] * 2 + [State.NOT_SYNCED] * 3, [(0, "off"), (2, "a"), (4, "b")],
                 on=DAY + timedelta(days=1))


def test_runs_go_on_over_midnight_and_end_where_state_or_cause_changes() -> None:
    runs = runs_of(hours_of([WORN_OFF, OFF_LONGER]), MIDNIGHT, MIDNIGHT + 48 * HOUR)
    assert [(run.start.hour, run.hours, run.state, run.why) for run in runs] == [
        (0, 20, State.OK, None), (20, 6, State.NOT_WORN, "off"),
        (2, 2, State.NOT_SYNCED, "a"), (4, 1, State.NOT_SYNCED, "b")]
    assert shares_of(runs) == {"ok": 0.6897, "not_worn": 0.2069, "not_synced": 0.1034}


def test_a_window_cuts_runs_and_hours_not_judged_leave_a_hole() -> None:
    runs = runs_of(hours_of([WORN_OFF]), MIDNIGHT + 19 * HOUR, MIDNIGHT + 22 * HOUR)
    assert [(run.start.hour, run.hours) for run in runs] == [(19, 1), (20, 2)]
    holed = day([State.OK, State.NOT_JUDGED, State.OK], [])
    assert len(runs_of(hours_of([holed]), MIDNIGHT, MIDNIGHT + 24 * HOUR)) == 2
    assert runs_of(hours_of([]), MIDNIGHT, MIDNIGHT + HOUR) == ()
    assert shares_of(()) == {}


def test_what_is_missing_now_is_told_by_state_the_most_urgent_first() -> None:
    found = lacks_of([
        day([State.OK] * 3, [(0, None)]),
        day([State.NOT_SYNCED], [(0, "not synced")], vital="respiratory_rate"),
        day([State.NOT_ENTITLED], [(0, "lapsed")], vital="spo2"),
        day([State.NOT_SYNCED], [(0, "not synced")], vital="systolic_bp"),
        day([State.NOT_MEASURED], [(0, "nobody")], vital="body_temperature"),
        day([State.KEPT_OUT], [(0, "cannot be")], vital="diastolic_bp"), day([], [])])
    assert [(one.state, one.vitals, one.why) for one in found] == [
        ("kept out", ("diastolic blood pressure",), "cannot be"),
        ("not entitled", ("oxygen saturation",), "lapsed"),
        ("not synced", ("respiratory rate", "systolic blood pressure"), "not synced")]


def test_a_strip_has_a_bar_for_each_run_without_a_reading() -> None:
    end = MIDNIGHT + 29 * HOUR
    found = gaps_of("heart_rate", [WORN_OFF, OFF_LONGER], MIDNIGHT, end, 53)
    assert [(bar.at, bar.hours, bar.kind) for bar in found.bars] == [
        (20, 6, "not_worn"), (26, 2, "not_synced"), (28, 1, "not_synced")]
    assert (found.now, found.width) == ("b", 53)
    assert found.summary == "a reading 20 h, not worn 6 h, not synced 3 h"
    assert legend({"heart_rate": found}) == (
        ("not_worn", "not worn"), ("not_synced", "not synced: may still come"))
    assert gaps_of("spo2", [WORN_OFF], MIDNIGHT, end, 53).summary == ""


def test_only_the_latest_gaps_are_told_one_by_one() -> None:
    several = [day([State.OK, State.NOT_WORN], [(0, None), (1, "off")],
                   on=DAY + timedelta(days=n)) for n in range(MOST_GAPS + 3)]
    found = gaps_of("heart_rate", several, MIDNIGHT, MIDNIGHT + timedelta(days=30), 24 * 30)
    assert (len(found.gaps), found.more) == (MOST_GAPS, 3)
    assert found.gaps[0].start.date() == several[-1].day
    assert found.now == ""
