"""Values as lines of PostgreSQL's COPY text format.

Columns are separated by tabs, a line ends with a newline, a backslash escapes, `\\N` is null.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

NULL = "\\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copy_text(value: str | None) -> str:
    """A text column. NUL characters, which PostgreSQL cannot store, become U+FFFD."""
    if value is None:
        return NULL
    if value.isprintable() and "\\" not in value:
        return value
    return value.translate(_ESCAPES).replace("\0", "\ufffd")


def stored_text(value: str) -> str:
    """How a text reads once it is stored: see `copy_text`; a lone surrogate has no UTF-8."""
    if value.isprintable():
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def copy_bytes(value: bytes) -> str:
    """A bytea column."""
    return rf"\\x{value.hex()}"


def copy_text_array(values: Iterable[str]) -> str:
    """A text[] column: quoted as an array, then escaped as a line."""
    quoted = (value.replace("\\", r"\\").replace('"', r'\"') for value in values)
    return copy_text("{" + ",".join(f'"{value}"' for value in quoted) + "}")


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: copy_text, type(None): copy_text, float: repr, int: repr, bool: repr,
    datetime: lru_cache(maxsize=64)(datetime.isoformat),       # a block's rows share a few
}


def copy_line(values: Sequence[Any]) -> str:
    """A row of texts, numbers, times and None as a line; KeyError for any other type."""
    return "\t".join([_WRITERS[type(value)](value) for value in values]) + "\n"
