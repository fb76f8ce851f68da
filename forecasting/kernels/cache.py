"""A writable place for compiled code, or a temporary one, so that importing a kernel never fails.

numba raises at import where it finds no place to write. Compiled code is loaded again and run:
a folder is only used if it belongs to this user and nobody else may write to it.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from numba import config

HERE = Path(__file__).parent


def usual_places() -> tuple[Path, ...]:
    """What `NUMBA_CACHE_DIR` names, the folder of the sources, the user's cache."""
    asked = config.CACHE_DIR  # type: ignore[attr-defined]
    named = (Path(asked),) if asked else ()
    try:
        return (*named, HERE / "__pycache__", Path.home() / ".cache")
    except RuntimeError:                          # a user without a home
        return (*named, HERE / "__pycache__")


def choose_place(places: Iterable[Path]) -> Path:
    """Set numba's cache to a folder in the first usable of the places, and return it.

    The folder's name is a digest of the kernels: other kernels never load this code.
    """
    name = f"vitalcast-{digest(HERE)}"
    chosen = next((place / name for place in places if usable(place / name)), None)
    if chosen is None:
        chosen = Path(tempfile.mkdtemp(prefix="vitalcast-numba-"))
    config.CACHE_DIR = str(chosen)  # type: ignore[attr-defined]
    return chosen


def digest(folder: Path) -> str:
    """Twelve hex digits over the names and texts of the modules in a folder."""
    texts = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        texts.update(source.name.encode() + b"\0" + source.read_bytes())
    return texts.hexdigest()[:12]


def usable(folder: Path) -> bool:
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
