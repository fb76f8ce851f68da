"""`python -m providers.sandbox`: one line with the address, loopback only, restartable."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from providers.sandbox.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def command(*options: str) -> Iterator[str]:
    """The running command; gives the address that it printed."""
    with subprocess.Popen([sys.executable, "-m", "providers.sandbox", *options], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) in (0, -signal.SIGINT)


def test_a_restarted_sandbox_goes_on_where_it_was(tmp_path: Path) -> None:
    state, port = tmp_path / "state.json", tmp_path / "port"
    subjects = []
    for now in ("2026-11-21T06:00:00Z", "2026-11-22T09:00:00+00:00"):
        with command("--now", now, "--state", str(state), "--port-file", str(port)) as address:
            assert address == f"http://127.0.0.1:{port.read_text().strip()}"
            requests.post(f"{address}/sandbox/clock", timeout=60,
                          json={"now": "2026-11-21T06:00:00Z"}).raise_for_status()
            subjects.append(requests.get(f"{address}/sandbox/subjects", timeout=60).json())
            anchor = requests.get(f"{address}/sandbox/health", timeout=60).json()["anchor"]
            assert anchor == "2026-11-21T06:00:00Z"
    assert len(subjects[0]) == 8
    assert subjects[0] == subjects[1]


@pytest.mark.parametrize(("options", "told"), [
    (["--host", "0.0.0.0"], "127.0.0.1 only"),
    (["--now", "2026-11-21T06:00:00"], "no zone"),
    (["--now", "soon"], "soon"),
    (["--rate-limit", "withings=many"], "VENDOR=N/SECONDS"),
    (["--rate-limit", "polar=1/2"], "VENDOR=N/SECONDS")])
def test_impossible_options_are_refused(
        options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_missing_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert "subjects.csv" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "curl -X POST http://127.0.0.1:8099/sandbox/clock" in capsys.readouterr().out
