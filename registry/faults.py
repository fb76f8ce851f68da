"""What an exception tells without its message, which may quote a reading or name a patient."""

import hashlib
import traceback
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType

_MOST_FRAMES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Class and place of an exception.

    fingerprint  of class, modules and functions: the same fault has the same, in whichever release
                 or line, however deep a recursion was
    stack        one line a frame, innermost last, of the innermost thirty
    where        class and innermost place in one line
    """

    exception: str
    fingerprint: str
    stack: str
    where: str


def fault_of(error: BaseException) -> Fault:
    """Describe an exception that was raised."""
    name, frames = type(error).__name__, _frames(error.__traceback__)
    places = [place for place, _ in groupby((module, function) for module, function, _ in frames)]
    stack = "\n".join(f"{module}:{line} in {function}" for module, function, line in frames)
    return Fault(exception=name, fingerprint=fingerprint(name, *map(".".join, places)),
                 stack=stack, where=_where(name, error))


def fingerprint(*parts: str) -> str:
    """16 hex digits by which the same fault is known again."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _frames(trace: TracebackType | None) -> list[tuple[str, str, int]]:
    """Module, function and line of the innermost frames, innermost last."""
    frames = [(frame.f_globals.get("__name__", "?"), frame.f_code.co_name, line)
              for frame, line in traceback.walk_tb(trace)]
    return frames[-_MOST_FRAMES:]


def _where(name: str, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return name
    last = frames[-1]
    return f"{name} at {Path(last.filename).name}:{last.lineno} in {last.name}"
