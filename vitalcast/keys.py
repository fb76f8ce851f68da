"""Secrets the local installation makes for itself, once: one 0600 file in the home folder."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cryptography.fernet import Fernet

from vitalcast.errors import UserError
from vitalcast.home import make_home


def _fernet() -> str:
    return Fernet.generate_key().decode()


def _password() -> str:
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """Every secret of one installation. `repr` shows none of them.

    `token_key` may hold several keys, newest first and comma-separated, while one is replaced.
    """

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    token_key: str = field(default_factory=_fernet)
    airflow_fernet_key: str = field(default_factory=_fernet)
    airflow_jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    airflow_api_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    doctor_password: str = field(default_factory=_password)
    operator_password: str = field(default_factory=_password)
    airflow_password: str = field(default_factory=_password)


def load_keys(home: Path) -> Keys:
    """The keys of `home`, made at the first call. Two first calls at once agree on one file."""
    path = home / "keys.json"
    if not path.exists():
        _create(path, Keys())
    try:
        return Keys(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read. Restore it from a backup: without it stored vendor tokens "
            "cannot be decrypted. To start afresh, delete the whole folder."
        ) from error


def add_token_key(home: Path) -> Keys:
    """Put a new token key in front; not where one is being replaced already."""
    with _alone(home):
        keys = load_keys(home)
        if "," in keys.token_key:
            return keys
        return _replaced(home, replace(keys, token_key=f"{_fernet()},{keys.token_key}"))


def drop_old_token_keys(home: Path) -> Keys:
    """Keep the newest token key alone."""
    with _alone(home):
        keys = load_keys(home)
        return _replaced(home, replace(keys, token_key=keys.token_key.split(",")[0]))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    make_home(home)
    with (home / "keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replaced(home: Path, keys: Keys) -> Keys:
    path = home / "keys.json"
    _draft(path, keys).replace(path)
    return keys


def _draft(path: Path, keys: Keys) -> Path:
    """The keys in a 0600 file beside `path`, on the disk before anything is done with it."""
    draft = path.with_name(f".keys-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(keys), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _create(path: Path, keys: Keys) -> None:
    """Write all or nothing: a hard link fails where another process was first."""
    make_home(path.parent)
    draft = _draft(path, keys)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
