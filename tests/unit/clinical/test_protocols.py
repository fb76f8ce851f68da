"""The home-monitoring protocol: the printed five days, every limit, faulty files."""

import json
from dataclasses import asdict
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from clinical.errors import ProtocolError
from clinical.protocols import DEFAULT_PROTOCOL, Day, Report, Verdict, assess, available, load
from clinical.protocols.rules import parse

FIRST = date(2020, 5, 1)
ALL_CHEST_PAIN = {"chest_pain": True, "chest_pain_moderate_exercise": True,
                  "chest_pain_at_rest": True}
ALL_BREATH = {"shortness_of_breath": True, "shortness_of_breath_light_exercise": True,
              "shortness_of_breath_at_rest": True}
NO = {"chest_pain": False, "shortness_of_breath": False, "coloured_sputum": False}


def vitals(sys: float, spo2: float, heart: float, temp: float | None = None,
           breath: float | None = None) -> dict[str, list[float]]:
    values = {"systolic_bp": sys, "spo2": spo2, "heart_rate": heart, "body_temperature": temp,
              "respiratory_rate": breath}
    return {name: [value] for name, value in values.items() if value is not None}


FIVE_DAYS = [
    Day(date=FIRST, readings=vitals(120, 99, 73, 36.5, 16), answers=NO, assessed="mild"),
    Day(date=FIRST + timedelta(1), readings=vitals(110, 99, 75, 36.7, 16),
        answers={**NO, **ALL_CHEST_PAIN}, assessed="moderate"),
    Day(date=FIRST + timedelta(2), readings=vitals(200, 70, 95, 38.0),
        answers={**ALL_CHEST_PAIN, **ALL_BREATH, "coloured_sputum": True}, assessed="severe"),
    Day(date=FIRST + timedelta(3), readings=vitals(128, 98, 78), answers=NO, assessed="moderate"),
    Day(date=FIRST + timedelta(4), readings=vitals(120, 98, 70, 36.4), answers=NO,
        assessed="mild"),
]

PRINTED = {
    "SYS": ["120", "110", "200", "128", "120"],
    "SpO2": ["99", "99", "70", "98", "98"],
    "Heart rate": ["73", "75", "95", "78", "70"],
    "Temperature": ["36.5", "36.7", "38.0", "–", "36.4"],
    "Respiration rate": ["16", "16", "–", "–", "–"],
    "Chest pain (any; moderate exercise; at rest)":
        ["no", "yes yes yes", "yes yes yes", "no", "no"],
    "Shortness of breath (any; light exercise; at rest)":
        ["no", "no", "yes yes yes", "no", "no"],
    "Coloured sputum": ["no", "no", "yes", "no", "no"],
    "SYS decrease": ["", "−10", "+90", "−72", "−8"],
    "Assessed condition": ["mild", "moderate", "severe", "moderate", "mild"],
    "Assessed condition according to the protocol":
        ["mild", "moderate", "severe", "severe", "mild"],
}


def one_day(answers: dict[str, bool] | None = None, **readings: list[float]) -> Verdict:
    return assess(load(), [Day(date=FIRST, readings=readings, answers=answers or {})]).verdicts[0]


def fever_days(*temperatures: float | None, **configuration: float) -> list[str | None]:
    days = [Day(date=FIRST + timedelta(number),
                readings={"heart_rate": [70.0]} | ({} if one is None else
                                                   {"body_temperature": [one]}))
            for number, one in enumerate(temperatures)]
    return [one.level for one in assess(load().configured(**configuration), days).verdicts]


def cells(report: Report, row: str) -> list[str]:
    return [cell.text for one in (*report.rows, *report.derived_rows) if one.id == row
            for cell in one.cells]


def test_the_five_days_come_out_as_printed() -> None:
    report = assess(load(), FIVE_DAYS)
    assert {row.label: [cell.text for cell in row.cells] for row in report.rows} == PRINTED
    assert [row.label for row in report.rows] == list(PRINTED)


def test_the_fourth_day_is_severe_by_the_fall_of_systolic_pressure_alone() -> None:
    fourth = assess(load(), FIVE_DAYS).verdicts[3]
    assert [one.rule for one in fourth.reached] == ["sys-decrease"]
    assert fourth.reached[0].sentence == (
        "Systolic blood pressure fell by 72 mmHg from the day before: more than 40 mmHg.")
    assert fourth.missing == ("body_temperature", "respiratory_rate")


def test_derived_rows_tell_fever() -> None:
    report = assess(load(), FIVE_DAYS)
    assert cells(report, "fever") == ["no", "no", "yes", "–", "no"]
    assert cells(report, "prolonged_fever") == ["0 d", "0 d", "1 d", "–", "0 d"]


def test_a_report_is_plain_json() -> None:
    text = json.dumps(asdict(assess(load(), FIVE_DAYS)))
    assert json.loads(text)["dates"][0] == "2020-05-01"


@pytest.mark.parametrize(("name", "value", "level"), [
    ("spo2", 95, "mild"), ("spo2", 94, "moderate"), ("spo2", 93, "moderate"),
    ("spo2", 92.5, "moderate"), ("spo2", 92.4, "severe"), ("spo2", 92, "severe"),
    ("respiratory_rate", 20, "mild"), ("respiratory_rate", 21, "moderate"),
    ("respiratory_rate", 24, "moderate"), ("respiratory_rate", 25, "severe"),
    ("respiratory_rate", 12, "mild"), ("respiratory_rate", 11, "moderate"),
    ("respiratory_rate", 9, "moderate"), ("respiratory_rate", 8, "severe"),
    ("heart_rate", 90, "mild"), ("heart_rate", 91, "moderate"), ("heart_rate", 130, "moderate"),
    ("heart_rate", 131, "severe"), ("heart_rate", 51, "mild"), ("heart_rate", 50, "moderate"),
    ("heart_rate", 41, "moderate"), ("heart_rate", 40, "severe"),
    ("body_temperature", 37.9, "mild"), ("body_temperature", 37.95, "moderate"),
    ("body_temperature", 38.0, "moderate"), ("body_temperature", 41.0, "moderate"),
    ("body_temperature", 35.1, "mild"), ("body_temperature", 35.0, "severe"),
    ("systolic_bp", 91, "mild"), ("systolic_bp", 90, "severe"), ("systolic_bp", 219, "mild"),
    ("systolic_bp", 220, "severe"),
])
def test_each_limit_holds_on_both_sides(name: str, value: float, level: str) -> None:
    assert one_day(None, **{name: [value]}).level == level


@pytest.mark.parametrize("question", [*ALL_CHEST_PAIN, *ALL_BREATH, "coloured_sputum"])
def test_any_answer_of_yes_is_moderate_and_no_more(question: str) -> None:
    assert one_day({question: True}).level == "moderate"


def test_every_answer_of_yes_is_still_moderate() -> None:
    verdict = one_day({**ALL_CHEST_PAIN, **ALL_BREATH, "coloured_sputum": True})
    assert verdict.level == "moderate"
    assert len(verdict.reached) == 3


def test_the_worst_reading_counts_and_the_last_is_shown() -> None:
    report = assess(load(), [Day(date=FIRST, readings={"spo2": [97, 91, 96]})])
    cell = next(row for row in report.rows if row.id == "spo2").cells[0]
    assert (cell.text, cell.last, cell.worst, cell.level) == ("96", 96, 91, "severe")


def test_both_directions_are_looked_at_within_one_day() -> None:
    assert one_day(heart_rate=[70.0, 135.0, 45.0]).level == "severe"
    reached = one_day(heart_rate=[70.0, 135.0, 45.0]).reached
    assert [one.rule for one in reached] == ["heart-rate-high-severe", "heart-rate-low-moderate"]


@pytest.mark.parametrize(("today", "level"), [(80.0 + 40, "mild"), (80.0 + 39, "severe")])
def test_only_a_fall_of_more_than_40_from_the_day_before_is_severe(
    today: float, level: str,
) -> None:
    days = [Day(date=FIRST, readings={"systolic_bp": [160.0]}),
            Day(date=FIRST + timedelta(1), readings={"systolic_bp": [today]})]
    assert assess(load(), days).verdicts[1].level == level


def test_a_fall_is_not_told_across_a_gap_of_days() -> None:
    days = [Day(date=FIRST, readings={"systolic_bp": [160.0]}),
            Day(date=FIRST + timedelta(2), readings={"systolic_bp": [110.0]})]
    report = assess(load(), days)
    assert cells(report, "sys_decrease") == ["", ""]
    assert report.verdicts[1].level == "mild"


def test_a_fall_is_told_from_the_last_reading_to_the_lowest() -> None:
    days = [Day(date=FIRST, readings={"systolic_bp": [190.0, 140.0]}),
            Day(date=FIRST + timedelta(1), readings={"systolic_bp": [99.0, 120.0]})]
    report = assess(load(), days)
    assert cells(report, "sys_decrease") == ["", "−20"]
    assert report.verdicts[1].reached[0].value == -41


@pytest.mark.parametrize(("systolic", "level"), [(111.0, "mild"), (110.0, "severe")])
def test_a_fall_of_40_from_the_baseline_is_severe(systolic: float, level: str) -> None:
    day = Day(date=FIRST, readings={"systolic_bp": [systolic]})
    report = assess(load(), [day], baseline={"systolic_bp": 150.0})
    assert report.verdicts[0].level == level
    assert assess(load(), [day]).verdicts[0].level == "mild"


def test_fever_on_three_consecutive_days_is_severe() -> None:
    assert fever_days(38, 38.5, 38, 36.5) == ["moderate", "moderate", "severe", "mild"]
    assert fever_days(38, None, 38, 38) == ["moderate", "mild", "moderate", "moderate"]
    assert fever_days(38, 38, prolonged_fever_days=2) == ["moderate", "severe"]


def test_a_day_with_nothing_read_or_asked_has_no_verdict() -> None:
    report = assess(load(), [Day(date=FIRST, assessed="mild")])
    assert report.verdicts[0].level is None
    assert [row.cells[0].text for row in report.rows] == ["–"] * 9 + ["mild", "not assessed"]


def test_follow_up_questions_that_were_not_asked_are_told() -> None:
    answers = {"chest_pain": True, "chest_pain_at_rest": False}
    report = assess(load(), [Day(date=FIRST, answers=answers)])
    assert cells(report, "chest_pain") == ["yes – no"]


@pytest.mark.parametrize("days", [
    [Day(date=FIRST + timedelta(1)), Day(date=FIRST)],
    [Day(date=FIRST), Day(date=FIRST)],
    [Day(date=FIRST, assessed="fine")],
    [Day(date=FIRST, readings={"spo2": [float("nan")]})],
])
def test_days_that_cannot_be_assessed_are_refused(days: list[Day]) -> None:
    with pytest.raises(ProtocolError):
        assess(load(), days)


def test_no_days_give_an_empty_table() -> None:
    report = assess(load(), [])
    assert report.verdicts == ()
    assert [row.cells for row in report.rows] == [()] * 11


def test_a_protocol_that_does_not_exist_is_refused_with_those_that_do() -> None:
    assert DEFAULT_PROTOCOL in available()
    with pytest.raises(ProtocolError, match=DEFAULT_PROTOCOL):
        load("influenza")
    with pytest.raises(ProtocolError, match="prolonged_fever_days"):
        load().configured(fever_days=2)


def test_every_rule_names_its_source() -> None:
    assert all(rule.source and rule.sentence for rule in load().rules)


def _file() -> dict[str, Any]:
    raw = files("clinical.protocols").joinpath(f"{DEFAULT_PROTOCOL}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(raw)
    return loaded


@pytest.mark.parametrize(("change", "word"), [
    ({"input": "pulse"}, "input"), ({"level": "mortal"}, "level"), ({"worst": "mean"}, "worst"),
    ({"at_most": "unknown_setting"}, "setting"), ({"sentence": "{nothing}"}, "sentence"),
    ({"colour": "red"}, "colour"),
])
def test_a_faulty_rule_is_refused_with_its_fault(change: dict[str, Any], word: str) -> None:
    raw = _file()
    raw["rules"][1].update(change)
    with pytest.raises(ProtocolError, match=word):
        parse(json.dumps(raw))


def test_a_rule_without_a_bound_is_refused() -> None:
    raw = _file()
    del raw["rules"][1]["at_most"]
    with pytest.raises(ProtocolError, match=r"spo2-severe.*no bound"):
        parse(json.dumps(raw))


def test_text_that_is_no_protocol_is_refused() -> None:
    for text in ("", "[]", "{}"):
        with pytest.raises(ProtocolError):
            parse(text)
    raw = _file()
    raw["rows"] = [*raw["rows"], "shoe_size"]
    with pytest.raises(ProtocolError, match="shoe_size"):
        parse(json.dumps(raw))
