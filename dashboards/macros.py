"""Grafana's macros and variables in a query, written out as Grafana would.

After https://grafana.com/docs/grafana/latest/datasources/postgres/ ("Macros"): those that the
boards use. One that is not known is refused, for Grafana would send it to the database as it is.
A variable is written `${name:sqlstring}`: every value quoted, several joined by commas.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dashboards.errors import QueryFailed

_MACRO = re.compile(r"\$__(\w+)(?:\(([^()]*)\))?")
_VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What Grafana knows when it sends a query: the time range, its grain, the choices made."""

    since: datetime
    until: datetime
    interval: str = "1h"
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)


def expand(sql: str, window: Window) -> str:
    """The query as the database gets it. QueryFailed names what is not known."""
    written = _MACRO.sub(lambda found: _macro(found[1], found[2], window), sql)
    if left := re.search(r"\$\{?[a-z]\w*", _VARIABLE.sub("", written)):
        raise QueryFailed(f"{left[0]} would reach the database unquoted: write ${{name:sqlstring}}")
    return _VARIABLE.sub(lambda found: _choice(found[1], window), written)


def seconds(interval: str) -> int:
    """Seconds of an interval such as `6h`."""
    return int(interval[:-1]) * _SECONDS[interval[-1]]


def _macro(name: str, arguments: str | None, window: Window) -> str:
    given = [one.strip().strip("'") for one in (arguments or "").split(",")]
    since, until = _moment(window.since), _moment(window.until)
    match name, given:
        case "timeFilter", [column] if column:
            return f"{column} BETWEEN {since} AND {until}"
        case "timeFrom", _:
            return since
        case "timeTo", _:
            return until
        case "interval", _:
            return window.interval
        case "timeGroup" | "timeGroupAlias", [column, grain]:
            wide = seconds(window.interval if grain == "$__interval" else grain)
            group = f"floor(extract(epoch from {column})/{wide})*{wide}"
            return group if name == "timeGroup" else f'{group} AS "time"'
        case _:
            raise QueryFailed(f"$__{name} is no macro that is known here: see dashboards/macros.py")


def _choice(name: str, window: Window) -> str:
    if name not in window.choices:
        raise QueryFailed(f"${name} is no variable of the board")
    return ",".join("'" + one.replace("'", "''") + "'" for one in window.choices[name])


def _moment(moment: datetime) -> str:
    return f"'{moment:%Y-%m-%dT%H:%M:%SZ}'"
