"""Answers as JSON, not validated again: schemas document them, a test holds them to these."""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

NO_STORE = {"Cache-Control": "no-store"}


class Answer(Response):
    """A JSON body; NaN becomes null, times end in Z. Patient data: no cache may keep it."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200) -> None:
        super().__init__(encode(content), status_code=status_code, headers=NO_STORE)


def encode(content: Any) -> bytes:
    """JSON of plain values, times and frozen dataclasses."""
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def age_minutes(since: datetime | None, now: datetime) -> int | None:
    """Whole minutes from `since` to `now`, at least 0."""
    if since is None:
        return None
    return max(0, int((now - since.astimezone(UTC)).total_seconds() // 60))
