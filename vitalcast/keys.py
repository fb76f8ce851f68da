"""Secrets the local installation makes for itself, once: one 0600 file in the home folder."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
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
    """Every secret of one installation. `repr` shows none of them."""

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


def _create(path: Path, keys: Keys) -> None:
    """Write all or nothing: a hard link fails where another process was first."""
    make_home(path.parent)
    draft = path.with_name(f".keys-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(keys), file, indent=1)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
