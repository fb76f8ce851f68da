"""What a command did, on standard output: one line to read, or one JSON object."""

from collections.abc import Mapping
from typing import Any

import orjson
import typer


def show(told: Mapping[str, Any], as_json: bool) -> None:
    """Print `name: value, …`, without what is None, or as JSON with it."""
    if as_json:
        typer.echo(orjson.dumps(told).decode())
    else:
        typer.echo(", ".join(f"{name.replace('_', ' ')}: {value}"
                             for name, value in told.items() if value is not None))
