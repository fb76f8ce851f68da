"""Templates to HTML. A page links its styles and scripts; a report to keep carries them inside."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from clinical import words
from vitalcast import findings

FOLDER = Path(__file__).parent
STATIC_FOLDER = FOLDER / "static"
STYLES = ("vendor/uplot/uPlot.min.css", "vitalcast.css")
SCRIPTS = ("vendor/uplot/uPlot.iife.min.js", "charts.js")
NOTHING = "–"


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page of this site."""
    return HTMLResponse(html(template, standalone=False, **context), status_code=status)


def html(template: str, *, standalone: bool, **context: Any) -> str:
    """`standalone` pages need neither this server nor a network."""
    return _environment.get_template(template).render(standalone=standalone, **context)


def standalone_policy() -> str:
    """Content-Security-Policy of a self-contained report: its own two scripts and nothing else."""
    hashes = " ".join(f"'sha256-{_digest(_inline(name))}'" for name in SCRIPTS)
    return (f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}; "
            "img-src data:; base-uri 'none'; form-action 'none'")


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, as a person says it."""
    if since is None:
        return "never"
    minutes = max(0, round((now - since) / timedelta(minutes=1)))
    return duration(minutes) + " ago"


def duration(minutes: float) -> str:
    """Minutes as `35 min`, `6 h 10 min`, `3 days`."""
    hours, rest = divmod(round(minutes), 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def moment(time: datetime | None) -> str:
    """`Fri 20 Nov 2026, 14:00 UTC`."""
    if time is None:
        return NOTHING
    return time.astimezone(UTC).strftime("%a %-d %b %Y, %H:%M UTC")


def percent(share: float | None) -> str:
    """A probability, or that there is none."""
    return NOTHING if share is None else words.percent(share)


def another_than(number: float, text: str) -> bool:
    """Whether a table's text shows another number; its minus sign is the typographer's."""
    shown = text.replace("−", "-").split()[0]
    try:
        return float(shown) != number
    except ValueError:
        return True


def embedded_json(value: Any) -> Markup:
    """JSON for a data block: no `<` can end it early."""
    text = orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    return Markup(text.replace("<", "\\u003c"))


def _asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that caches cannot lag."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


def _inline(name: str) -> Markup:
    """A static file's text, between the tags of a self-contained page."""
    text = (STATIC_FOLDER / name).read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{name} would end its own tag: split the word in it")
    return Markup(text)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)
_environment.globals.update(
    asset=_asset, inline=_inline, styles=STYLES, scripts=SCRIPTS,
    standalone_policy=standalone_policy, embedded_json=embedded_json,
    percent=percent, at_least=words.at_least, too_little=words.TOO_LITTLE,
)
_environment.tests["another_than"] = another_than
_environment.filters.update(percent=percent, at_least=words.at_least, moment=moment,
                            duration=duration, seconds=findings.duration)
