"""Processes are started, watched, and all stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vitalcast.processes import (
    Command,
    ProcessFailed,
    Supervisor,
    free_port,
    listening,
    run_to_end,
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def check_for_seconds(supervisor: Supervisor, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        supervisor.check()
        time.sleep(0.05)


def test_leaving_the_block_stops_a_process_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"     # a stubborn leader
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\n"
        "time.sleep(60)\n"
    )
    with pytest.MonkeyPatch.context() as patch, Supervisor(tmp_path / "logs") as supervisor:
        patch.setattr("vitalcast.processes.STOP_TIMEOUT_S", 0.5)
        supervisor.start(Command(name="stubborn", argv=python(code), ready=pids.exists))
        leader, child = map(int, pids.read_text().split())
        assert alive(leader)
        assert alive(child)
        supervisor.stop()
    deadline = time.monotonic() + 5
    while (alive(leader) or alive(child)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(leader)
    assert not alive(child)


def test_a_process_that_dies_before_it_is_ready_names_its_log(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor, pytest.raises(ProcessFailed, match=r"mortal\.log"):
        supervisor.start(Command(name="mortal", argv=python("print('why'); raise SystemExit(3)"),
                                 ready=lambda: False))
    assert "why" in (tmp_path / "mortal.log").read_text()


def test_a_process_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor, pytest.raises(ProcessFailed, match="was not ready"):
        supervisor.start(Command(name="slow", argv=python("import time; time.sleep(60)"),
                                 ready=lambda: False, timeout_s=0.3))


def test_a_process_that_dies_later_is_noticed(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Command(name="brief", argv=python("pass")))
        with pytest.raises(ProcessFailed, match="brief ended with code 0"):
            check_for_seconds(supervisor, 10)


def test_a_command_that_fails_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match=r"code 4; read .*migrate\.log"):
        run_to_end(Command(name="migrate", argv=python("raise SystemExit(4)")), tmp_path)


def test_a_free_port_has_no_listener() -> None:
    assert not listening(free_port())


def test_a_killed_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from vitalcast.processes import Command, Supervisor\n"
        "child = f'import os, time; open({sys.argv[1]!r}, \"w\").write(str(os.getpid()));'"
        " ' time.sleep(60)'\n"
        "with Supervisor(Path(sys.argv[2])) as supervisor:\n"
        "    supervisor.start(Command(name='child', argv=[sys.executable, '-c', child],\n"
        "                             ready=lambda: bool(Path(sys.argv[1]).exists()\n"
        "                                                and Path(sys.argv[1]).read_text())))\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(pid), str(tmp_path / "logs")],
                          stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None and killed.stdout.readline() == b"ready\n"
        killed.kill()
    deadline = time.monotonic() + 10
    while alive(int(pid.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
