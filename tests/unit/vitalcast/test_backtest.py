"""The command on small tables: what it prints, and what it says of bad ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from vitalcast.commands.backtest import backtest
from vitalcast.errors import UserError
from vitalcast.frames import read_windows

FAST = ["--members", "profile,last_value,theta", "--workers", "1", "--json"]
MEMBERS = ("profile", "last_value", "theta")
runner = CliRunner()
app = typer.Typer()
app.command()(backtest)


def tidy(hours: int = 120, ids: tuple[str, ...] = ("a", "b"), **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    ds = pd.date_range("2026-01-01", periods=hours, freq="h")
    frames = []
    for name in ids:
        y = 70 + 5 * np.sin(np.arange(hours) * np.pi / 12) + rng.normal(0, 2, hours)
        y[::17] = np.nan
        frames.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y, **columns}))
    return pd.concat(frames, ignore_index=True)


def stored(frame: pd.DataFrame, folder: Path, name: str = "series.parquet") -> Path:
    file = folder / name
    if name.endswith("csv"):
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file, index=False)
    return file


def run(file: Path, *more: str) -> Any:
    result = runner.invoke(app, [str(file), *FAST, *more], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout, parse_constant=lambda token: pytest.fail(f"{token} printed"))


def test_prints_one_object_with_what_was_promised(tmp_path: Path) -> None:
    said = run(stored(tidy(), tmp_path))
    assert said["series"] == 2 and said["cpu_seconds"] > 0
    assert set(said["members"]) == set(MEMBERS)
    assert set(said["members"]["profile"]) == {"mae", "mase", "smape", "failed"}
    assert set(said["ensemble"]["coverage"]) == {"80", "95"}
    lines = said["per_series"]
    assert [line["unique_id"] for line in lines] == ["a", "b"]
    assert said["ensemble"]["mae"] == pytest.approx(np.mean([line["mae"] for line in lines]))
    assert said["ensemble"]["mase"] == pytest.approx(
        np.mean([line["mae"] / line["scale"] for line in lines]))


def test_the_same_file_gives_the_same_numbers(tmp_path: Path) -> None:
    file = stored(tidy(), tmp_path)
    first, second = run(file), run(file)
    assert {**first, "cpu_seconds": 0} == {**second, "cpu_seconds": 0}


def test_held_out_hours_do_not_reach_the_forecast(tmp_path: Path) -> None:
    """With every test hour missing nothing can be scored, and what was forecast stays hidden."""
    frame = tidy()
    hidden = frame.assign(y=frame["y"].where(frame.groupby("unique_id").cumcount() < 96))
    windows = read_windows(stored(frame, tmp_path), horizon=24, windows=1)
    blind = read_windows(stored(hidden, tmp_path, "hidden.parquet"), horizon=24, windows=1)
    for seen, unseen in zip(windows, blind, strict=True):
        assert seen.train.tobytes() == unseen.train.tobytes()
    said = run(stored(hidden, tmp_path, "hidden.parquet"))
    assert said["ensemble"]["mae"] is None and said["per_series"][0]["mae"] is None
    assert said["per_series"][0]["scale"] is not None


def test_further_windows_step_back(tmp_path: Path) -> None:
    said = run(stored(tidy(), tmp_path), "--windows", "2", "--horizon", "12")
    lines = [line for line in said["per_series"] if line["unique_id"] == "a"]
    assert [(line["window"], line["train_hours"]) for line in lines] == [(0, 108), (1, 96)]
    assert said["series"] == 2


def test_a_series_that_cannot_be_forecast_is_counted_not_fatal(tmp_path: Path) -> None:
    frame = tidy()
    frame.loc[frame["unique_id"] == "b", "y"] = np.nan
    said = run(stored(frame, tmp_path))
    assert said["members"]["profile"]["failed"] == 1
    assert said["per_series"][1]["mae"] is None and said["per_series"][1]["refused"]
    assert said["ensemble"]["mae"] == said["per_series"][0]["mae"]


def test_two_seasons_and_csv_and_table(tmp_path: Path) -> None:
    file = stored(tidy(hours=100, ids=("a",)), tmp_path, "series.csv")
    assert run(file, "--season", "24,168")["series"] == 1
    result = runner.invoke(app, [str(file), *FAST[:-1]], catch_exceptions=False)
    assert result.exit_code == 0 and "ensemble" in result.stdout


@pytest.mark.parametrize(("name", "high"), [
    ("stay-1:spo2", 100), ("a:spo2:389", 100), ("a:mood", None), ("a", None), ("spo2", None),
])
def test_an_id_may_name_the_vital(name: str, high: float | None, tmp_path: Path) -> None:
    file = stored(tidy(ids=("a",)).assign(unique_id=name), tmp_path)
    window = read_windows(file, horizon=24, windows=1)[0]
    assert (window.vital.high if window.vital else None) == high


def test_a_vital_brings_its_resolution_and_range(tmp_path: Path) -> None:
    window = read_windows(stored(tidy(vital="spo2"), tmp_path), horizon=24, windows=1)[0]
    assert window.vital is not None and window.vital.high == 100


def test_times_may_have_gaps_zones_or_be_hour_numbers(tmp_path: Path) -> None:
    frame = tidy(hours=50, ids=("a",))
    plain = read_windows(stored(frame, tmp_path), horizon=2, windows=1)[0]
    zoned = frame.assign(ds=frame["ds"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    gapped = frame[frame["y"].notna()].assign(unique_id="a")
    numbers = frame.assign(ds=np.arange(50) + 7)
    for number, other in enumerate((zoned, numbers)):
        again = read_windows(stored(other, tmp_path, f"{number}.parquet"), horizon=2, windows=1)[0]
        assert again.train.tobytes() == plain.train.tobytes()
    without = read_windows(stored(gapped, tmp_path, "gaps.csv"), horizon=2, windows=1)[0]
    np.testing.assert_array_equal(without.train, plain.train[1:])


def test_categories_that_no_row_has_are_no_series(tmp_path: Path) -> None:
    frame = tidy(hours=50)
    names = pd.CategoricalDtype(["a", "b", "nobody"])
    file = stored(frame.assign(unique_id=frame["unique_id"].astype(names)), tmp_path)
    found = read_windows(file, horizon=2, windows=1)
    assert [window.unique_id for window in found] == ["a", "b"]


FRAME = tidy(hours=60, ids=("a",))
DS = FRAME["ds"]


@pytest.mark.parametrize(("frame", "said"), [
    (FRAME.iloc[:0], "has no rows"),
    (FRAME.drop(columns="y"), "lacks the column y"),
    (FRAME.assign(y=["x"] + ["1"] * 59), "row 1: y is 'x', not a number"),
    (FRAME.assign(y=[np.inf] + [1.0] * 59), "row 1: y is infinite"),
    (FRAME.assign(unique_id=FRAME["unique_id"].where(FRAME.index > 0)), "row 1 has no unique_id"),
    (FRAME.assign(ds=["yesterday", *DS.astype(str).tolist()[1:]]), "row 1: ds is 'yesterday'"),
    (FRAME.assign(ds=np.arange(60) / 2), "ds holds fractions"),
    (FRAME.assign(ds=np.arange(60) + 10**12), "row 1: ds is 1000000000000, too large for a count"),
    (FRAME.assign(ds=[*range(59), 2**63 - 1]), "row 60: ds is 9223372036854775807, too large"),
    (FRAME.iloc[::-1], "row 2 of it: a time before the one above"),
    (FRAME.assign(ds=[DS[0], *DS[:-1]]), "row 2 of it: twice the same time"),
    (FRAME.assign(ds=DS + pd.Timedelta(minutes=30)), "not a full hour"),
    (FRAME.iloc[:24], "has 24 hours; 1 windows of 24 leave nothing"),
    (FRAME.assign(vital="mood"), "vital 'mood' is unknown; known are heart_rate"),
    (FRAME.assign(vital=["spo2"] + ["heart_rate"] * 59), "has 2 vitals"),
])
@pytest.mark.parametrize("kind", ["series.parquet", "series.csv"])
def test_bad_tables_are_refused_with_what_to_do(
    frame: pd.DataFrame, said: str, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        read_windows(stored(frame, tmp_path, kind), horizon=24, windows=1)


def test_bad_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "odd.parquet").write_bytes(b"not parquet")
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00bad")
    (tmp_path / "notes.txt").write_bytes(b"x")
    for name, said in [("empty.csv", "is empty"), ("none.csv", "no file"),
                       ("odd.parquet", "cannot be read"), ("odd.csv", "cannot be read"),
                       ("notes.txt", "neither")]:
        with pytest.raises(UserError, match=said):
            read_windows(tmp_path / name, horizon=24, windows=1)


@pytest.mark.parametrize(("options", "said"), [
    (["--horizon", "0"], "horizon must be a whole number from 1"),
    (["--windows", "0"], "--windows"),
    (["--season", "day"], "--season takes whole numbers"),
    (["--levels", "80,101"], "levels"),
    (["--levels", "80,80"], "rise"),
    (["--members", "prophet"], "no member 'prophet'"),
    (["--fit-timeout", "0"], "--fit-timeout"),
])
def test_bad_options_are_refused_with_what_to_do(
    options: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        runner.invoke(app, [str(stored(FRAME, tmp_path)), *options], catch_exceptions=False)
