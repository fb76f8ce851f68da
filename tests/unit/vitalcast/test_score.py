"""`vitalcast score`: rows in, scores out, errors that say where and what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from clinical.entries import COLUMNS
from clinical.news2 import PARAMETERS
from vitalcast.commands.score import read_observation_sets, score
from vitalcast.errors import UserError

HEADER = ",".join(COLUMNS)
Write = Callable[[str], Path]

app = typer.Typer()
app.command()(score)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        file = tmp_path / "sets.csv"
        file.write_text(text, encoding="utf-8")
        return file
    return to_file


def test_json_holds_one_score_per_row_in_row_order(write: Write) -> None:
    file = write(f"{HEADER}\n25,96,,true,120,131,39.1,pain\n"
                 ",,,,,,,\n16,98,1,false,120,70,36.8,alert\n")
    result = CliRunner().invoke(app, [str(file), "--json"])
    assert result.exit_code == 0
    first, second, third = json.loads(result.stdout)
    assert list(first) == ["total", "max", "complete", "band", "band_max", "points", "missing"]
    assert first == {
        "total": 13, "max": 13, "complete": True, "band": "high", "band_max": "high",
        "points": {"respiratory_rate": 3, "spo2": 0, "supplemental_oxygen": 2, "systolic_bp": 0,
                   "heart_rate": 3, "body_temperature": 2, "consciousness": 3},
        "missing": []}
    assert second == {"total": 0, "max": 20, "complete": False, "band": "low", "band_max": "high",
                      "points": {}, "missing": list(PARAMETERS)}
    assert (third["total"], third["complete"]) == (0, True)


def test_without_json_a_table_is_printed(write: Write) -> None:
    result = CliRunner().invoke(app, [str(write("heart_rate\n120\n"))])
    assert result.exit_code == 0
    assert "2 to 19" in result.stdout


def test_byte_order_mark_blank_lines_and_absent_columns_are_tolerated(tmp_path: Path) -> None:
    file = tmp_path / "sets.csv"
    file.write_bytes(b"\xef\xbb\xbf\r\nspo2 , heart_rate\r\n\r\n97, 70\r\n   \r\n98\r\n")
    first, second = read_observation_sets(file)
    assert (first.spo2, first.heart_rate) == (97, 70)
    assert (second.spo2, second.heart_rate) == (98, None)


@pytest.mark.parametrize(("text", "words"), [
    ("", ["empty", "respiratory_rate"]),
    ("\n\n", ["empty"]),
    (f"{HEADER}\n", ["no observation set"]),
    ("16,98\n17,97\n", ["line 1", "no such column", "'16'"]),
    ("heart_rate,pulse\n70,70\n", ["line 1", "'pulse'", "heart_rate"]),
    ("heart_rate;spo2\n70;98\n", ["separated by commas"]),
    ("heart_rate,heart_rate\n70,70\n", ["twice"]),
    ("heart_rate\n70\nfast\n", ["line 3", "column heart_rate", "'fast'", "not a number"]),
    ("heart_rate\n70\n\n-1\n", ["line 4", "column heart_rate", "not negative"]),
    ("heart_rate\nnan\n", ["line 2", "column heart_rate"]),
    ("heart_rate\n1e999\n", ["line 2", "column heart_rate", "finite"]),
    ("spo2,spo2_scale\n97,3\n", ["line 2", "column spo2_scale", "1, or 2"]),
    ("supplemental_oxygen\nperhaps\n", ["line 2", "column supplemental_oxygen", "true"]),
    ("consciousness\nasleep\n", ["line 2", "column consciousness", "unresponsive"]),
    ("heart_rate,spo2\n70,98,5\n", ["line 2", "3 fields", "2 columns"]),
    ('heart_rate\n"70\n', ["csv"]),
])
def test_bad_files_are_refused_with_place_and_remedy(
    write: Write, text: str, words: list[str],
) -> None:
    with pytest.raises(UserError) as caught:
        read_observation_sets(write(text))
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_observation_sets(tmp_path / "absent.csv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_observation_sets(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "sets.csv"
    file.write_bytes(b"heart_rate\n\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_observation_sets(file)


def test_nothing_is_printed_when_a_later_row_is_refused(write: Write) -> None:
    result = CliRunner().invoke(app, [str(write("heart_rate\n70\nfast\n")), "--json"])
    assert isinstance(result.exception, UserError)
    assert result.stdout == ""
