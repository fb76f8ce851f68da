"""Flagged readings as marks in a chart and in words; changes as sentences."""

from datetime import UTC, datetime, timedelta

from api.pages.remarks import mark_kinds, remarks_of
from clinical.quality import KEEPS_OUT, LABELS, Flag
from registry.quality_reading import FlaggedHour
from registry.views import Change

START = datetime(2026, 11, 13, 14, tzinfo=UTC)


def flagged(hour: int, flag: Flag, *, readings: int = 1, vital: str = "systolic_bp",
            reason: str = "as it is") -> FlaggedHour:
    return FlaggedHour(vital=vital, hour=START + timedelta(hours=hour), flag=flag,
                       readings=readings, reason=reason, keeps_out=flag in KEEPS_OUT)


def change(vital: str, words: str, *, kind: str = "level", ended: bool = False) -> Change:
    return Change(vital=vital, kind=kind, detected=START + timedelta(hours=6), began=START,
                  score=6, threshold=5, words=words, closed_at=START if ended else None)


def test_each_flag_is_counted_in_words_what_is_kept_out_first() -> None:
    found = remarks_of("systolic_bp", [
        flagged(3, Flag.JUMP), flagged(5, Flag.IMPOSSIBLE_PAIR),
        flagged(9, Flag.IMPOSSIBLE_PAIR, reason="80 over 120"),
        flagged(1, Flag.JUMP, vital="spo2")], [], START)
    assert [(one.words, one.keeps_out) for one in found.flags] == [
        ("2 readings kept out: systolic not above diastolic", True),
        ("1 reading flagged, but used: jump", False)]
    assert (found.flags[0].last, found.flags[0].reason) == (
        START + timedelta(hours=9), "80 over 120")


def test_an_hour_has_one_mark_and_what_is_kept_out_is_drawn_last() -> None:
    found = remarks_of("systolic_bp", [
        flagged(2, Flag.CLOCK_AHEAD, reason="3 h ahead"), flagged(2, Flag.JUMP, reason="up by 80"),
        flagged(7, Flag.JUMP)], [], START)
    assert [(one.at, one.keeps_out) for one in found.marks] == [(7, False), (2, True)]
    assert found.marks[1].words == "kept out: 3 h ahead; jump: up by 80"


def test_every_flag_has_words_and_only_marks_that_are_shown_a_key() -> None:
    every = remarks_of("systolic_bp", [flagged(0, flag) for flag in Flag], [], START)
    assert [one.words.rpartition(": ")[2] for one in every.flags] == [
        LABELS[flag] for flag in sorted(Flag, key=lambda one: (one not in KEEPS_OUT, one))]
    jumped = remarks_of("systolic_bp", [flagged(0, Flag.JUMP)], [], START)
    assert mark_kinds({"systolic_bp": jumped}) == ((False, "reading flagged, but used"),)
    assert mark_kinds({"spo2": remarks_of("spo2", [], [], START)}) == ()


def test_a_change_that_lasts_is_told_under_its_vital_without_its_name() -> None:
    found = remarks_of("heart_rate", [], [
        change("heart_rate", "Heart rate: 9 /min higher than in the training window."),
        change("heart_rate", "Heart rate: less.", ended=True),
        change("spo2", "Oxygen saturation: 2 % lower.")], START)
    assert found.changes == (
        "Changed since Fri 13 Nov 2026, 14:00 UTC: 9 /min higher than in the training window. "
        "Found Fri 13 Nov 2026, 20:00 UTC.",)


def test_a_wider_spread_is_left_out_where_the_level_has_changed() -> None:
    spread = change("spo2", "varies more", kind="spread")
    assert len(remarks_of("spo2", [], [spread], START).changes) == 1
    (left,) = remarks_of("spo2", [], [spread, change("spo2", "lower")], START).changes
    assert ": lower" in left
    ended = change("spo2", "lower", ended=True)
    assert len(remarks_of("spo2", [], [spread, ended], START).changes) == 1
