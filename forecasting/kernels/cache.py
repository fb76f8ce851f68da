"""A writable place for compiled code, or a temporary one, so that importing a kernel never fails.

numba raises at import where it finds no place to write. Compiled code is loaded again and run:
a folder is only used if it belongs to this user and nobody else may write to it. Where whoever
owns the sources has compiled them already, as an installation by root has, another user begins
with a copy of that code: it is as trustworthy as the sources beside it.
"""

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from numba import config

HERE = Path(__file__).parent
BESIDE = HERE / "__pycache__"


def usual_places() -> tuple[Path, ...]:
    """What `NUMBA_CACHE_DIR` names, the folder of the sources, the user's cache, then /tmp."""
    asked = config.CACHE_DIR  # type: ignore[attr-defined]
    places = [Path(asked)] if asked else []
    places.append(BESIDE)
    with suppress(RuntimeError):                  # a user without a home
        places.append(Path.home() / ".cache")
    return (*places, Path(tempfile.gettempdir()))


def choose_place(places: Iterable[Path]) -> Path:
    """Set numba's cache to a folder in the first usable of the places, and return it.

    The folder's name is a digest of the kernels: other kernels never load this code. Without a
    usable place it is a temporary folder that goes with the process.
    """
    name = f"vitalcast-{digest(HERE)}"
    chosen = next((place / name for place in places if usable(place / name)), None)
    if chosen is None:
        chosen = Path(tempfile.mkdtemp(prefix="vitalcast-numba-"))
        atexit.register(shutil.rmtree, chosen, ignore_errors=True)
    if chosen.parent != BESIDE:
        take_over(BESIDE / name, chosen)
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
        return _private(folder, os.geteuid())
    except OSError:
        return False


def take_over(compiled: Path, empty: Path) -> None:
    """Copy what the owner of the sources compiled into an empty folder of this user's.

    Another process may do the same at once: each file appears whole, and both write the same.
    """
    with suppress(OSError):
        if any(empty.iterdir()) or not _private(compiled, HERE.stat().st_uid):
            return
        for source in compiled.glob("*/*.nb?"):
            _copy_whole(source, empty / source.relative_to(compiled))


def open_to_readers(compiled: Path) -> None:
    """Let every user of the machine read compiled code, so that theirs may begin with a copy."""
    for found in (compiled, *compiled.rglob("*")):
        found.chmod(0o755 if found.is_dir() else 0o644)


def _copy_whole(source: Path, target: Path) -> None:
    """Indices hold the age of the kernels' sources, not their own: times need not be kept."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        part.write(source.read_bytes())
    Path(part.name).replace(target)


def _private(folder: Path, owner: int) -> bool:
    """Whether it is a folder, no link to one, that only its owner may write to."""
    known = folder.lstat()
    return (stat.S_ISDIR(known.st_mode) and known.st_uid == owner
            and not known.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
