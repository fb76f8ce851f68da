"""Password hashes of the table `users`: scrypt, written as `scrypt$n$r$p$salt$hash` in base64."""

import base64
import hashlib
import hmac
import secrets

from registry.database import RegistryError

# An interactive login: about 16 MiB and 50 ms each (OWASP password storage, scrypt).
N, R, P = 2**14, 8, 1
SALT_BYTES = 16
KEY_BYTES = 32
MIN_LENGTH = 8


class WeakPassword(RegistryError):
    """The password is shorter than eight characters; choose a longer one."""


def hash_password(password: str) -> str:
    """A fresh salted hash of `password`. WeakPassword below eight characters."""
    if len(password) < MIN_LENGTH:
        raise WeakPassword(f"the password needs at least {MIN_LENGTH} characters")
    salt = secrets.token_bytes(SALT_BYTES)
    key = _scrypt(password, salt, N, R, P)
    return "$".join(("scrypt", str(N), str(R), str(P), _text(salt), _text(key)))


def verify_password(password: str, stored: str | None) -> bool:
    """Whether `password` belongs to `stored`.

    With `stored` None (no such user) the same work is done on a fixed hash, so that the answer's
    time does not tell which names exist.
    """
    _, n, r, p, salt, key = (stored or _NOBODY).split("$")
    expected = base64.b64decode(key)
    given = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p), len(expected))
    return hmac.compare_digest(given, expected) and stored is not None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, size: int = KEY_BYTES) -> bytes:
    memory = 132 * n * r * p + 2**20
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=size)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


_NOBODY = "$".join(
    ("scrypt", str(N), str(R), str(P), _text(b"\0" * SALT_BYTES), _text(b"\0" * KEY_BYTES))
)
