"""A writable place for compiled code, or a temporary one, so that importing a kernel never fails.

numba raises at import where it finds no place to write. Compiled code is loaded again and run:
a folder is only used if it belongs to this user and nobody else may write to it.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from numba import config


def choose_place() -> Path:
    """Set numba's cache to the first usable of the places and return it.

    `NUMBA_CACHE_DIR` wins where it is set: the digest's folder is then made inside it.
    """
    here = Path(__file__).parent
    name = f"vitalcast-{_digest(here)}"
    asked = [Path(config.CACHE_DIR)] if config.CACHE_DIR else []  # type: ignore[attr-defined]
    for place in (*asked, here / "__pycache__", Path("~/.cache").expanduser()):
        if _usable(place / name):
            return _use(place / name)
    return _use(Path(tempfile.mkdtemp(prefix="vitalcast-numba-")))


def _digest(here: Path) -> str:
    """Twelve hex digits over the names and texts of the kernels."""
    texts = hashlib.sha256()
    for source in sorted(here.glob("*.py")):
        texts.update(source.name.encode() + b"\0" + source.read_bytes())
    return texts.hexdigest()[:12]


def _usable(folder: Path) -> bool:
    """Make the folder if need be; whether this user, and nobody else, can write in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        known = folder.stat()
    except OSError:
        return False
    private = not known.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return private and (not hasattr(os, "geteuid") or known.st_uid == os.geteuid())


def _use(folder: Path) -> Path:
    config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return folder
