"""When a member is searched anew, when only its parameters are fitted again.

A search of the structure costs tens of refits and seldom finds another one, so it waits for a
reason: no earlier document, another configuration, a failure, a cap that was hit, age, or drift,
which the watch finds (`forecasting.detectors`) or the errors of the last day show (`drift`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

import numpy as np

from forecasting.config import LIGHT, EngineConfig
from forecasting.documents import Document, read_hour
from forecasting.types import FloatArray

MadeBy = Literal["search", "refit"]
SEARCH: Literal["search"] = "search"
REFIT: Literal["refit"] = "refit"

NO_EARLIER = "no earlier document"
DRIFT_FOUND = "drift was found: "
DRIFT_MIN_OBSERVED = 6
_NO_EVENTS: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do for one member of one series.

    `document` is the earlier one, to warm-start from or to stand in for a failed fit;
    `document_id` the id that it is stored under. `why` is the reason for a search.
    """

    made_by: MadeBy
    document: Document | None = None
    document_id: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`search_every_hours` is how old a structure may become; `drift_ratio` how many times its own
    standard deviation the one-hour errors may reach."""

    search_every_hours: int = 168
    drift_ratio: float = 2.0


def plan(member: str, earlier: Document | None, *, end: datetime, hours: int,
         config: EngineConfig, policy: Policy, document_id: str | None = None,
         failed: bool = False, drifted: bool = False,
         events: Mapping[str, datetime] = _NO_EVENTS) -> Plan:
    """The plan for `member` on a window of `hours` hours up to `end`.

    `failed` says that the member's last fit failed, `drifted` what `has_drifted` found, `events`
    are what the watch found of the series: kinds of drift, and when it did. Members without a
    structure are always fitted anew; that costs no more than a refit.
    """
    why = _reason(member, earlier, end, hours, config, policy, failed)
    if not why and member not in LIGHT and earlier is not None:
        why = _drift(searched_at(earlier), drifted, events)
    return Plan(made_by=SEARCH if why else REFIT, document=earlier, document_id=document_id,
                why=why)


def searched_at(document: Document) -> datetime:
    """The end of the window on which the document's structure was searched."""
    text = document.figures.get("searched_at")
    if text is None:                   # a document from before refits: its own window's end
        return document.grid.cutoff
    return read_hour(text)


def has_drifted(errors: FloatArray, sigma2: float, policy: Policy) -> bool:
    """Whether one-hour errors (NaN = not observed) are far beyond the variance of the fit.

    Their mean square is above drift_ratio² times `sigma2`, with at least six observed.
    """
    known = errors[~np.isnan(errors)]
    if known.size < DRIFT_MIN_OBSERVED:
        return False
    return float(np.mean(known ** 2)) > policy.drift_ratio ** 2 * sigma2


def _reason(member: str, earlier: Document | None, end: datetime, hours: int,
            config: EngineConfig, policy: Policy, failed: bool) -> str:
    if earlier is None:
        return NO_EARLIER
    if not _same_configuration(member, earlier, hours, config):
        return "the configuration has changed"
    if member in LIGHT:
        return ""
    if failed:
        return "the last fit failed"
    if earlier.figures.get("capped") and earlier.figures.get("made_by") == REFIT:
        return "the last fit hit its cap"
    if end - searched_at(earlier) >= timedelta(hours=policy.search_every_hours):
        return f"the structure is {policy.search_every_hours} h old or older"
    return ""


def _drift(searched: datetime, drifted: bool, events: Mapping[str, datetime]) -> str:
    """Drift that no search has answered yet: found by the watch since, or by the errors."""
    unanswered = sorted(kind for kind, found in events.items() if found > searched)
    if unanswered:
        return DRIFT_FOUND + ", ".join(unanswered)
    return "the errors have drifted" if drifted else ""


def _same_configuration(member: str, earlier: Document, hours: int, config: EngineConfig) -> bool:
    return (earlier.engine == config.engine(member) and earlier.grid.season == config.seasons
            and earlier.grid.n == hours)
