"""What a job did, as events: counts by member, vendor and reason; single series up to a few.

Pure: from what the jobs have in hand to events. Reasons that the mathematics or a vendor gives are
sentences; an event says the word they stand for.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from forecasting.policy import DRIFT_FOUND, NO_EARLIER, SEARCH
from forecasting.workers import FAILED, FITTED, TIMEOUT
from registry.event_words import OTHER, known
from registry.events import Event
from registry.faults import Fault, fingerprint
from registry.fetch_ledger import Troubled
from registry.forecasts import ForecastRow
from vitalcast.jobs.trained import Training

Searches = dict[str, dict[str, int]]
"""How often structures were searched, by member and reason."""

Lacks = Counter[tuple[str, str | None, str]]
"""How often something was lacking, by kind of event, member and reason."""

MOST_LISTED = 5
"""Failed fits of one member, outcome and reason in one block that are told one by one."""

_UNREADABLE = "cannot be read"

_FIT_WORDS = (
    ("not finished after", "timeout"), ("the worker died", "worker_died"),
    (_UNREADABLE, "unreadable"), ("the series is constant", "constant"),
    ("observed hours", "few_hours"), ("hours observed", "few_hours"),
    ("finite forecast", "not_finite"), ("no structure gives", "no_structure"))

_SEARCH_WORDS = (
    ("the configuration has changed", "configuration"), ("the last fit failed", "last_failed"),
    ("hit its cap", "capped"), ("h old or older", "age"), (DRIFT_FOUND, "drift_found"),
    ("errors have drifted", "errors_drifted"), (_UNREADABLE, "unreadable"),
    (NO_EARLIER, "no_earlier"))

_FORECAST_WORDS = (("no reading in the last", "silent"), ("no model yet", "no_model"))

_EXCEPTION = re.compile(r"([A-Z]\w{2,60}): ")
_BY_A_SEARCH = re.compile(r"no refit: |refit failed: ")


def fit_events(trainings: Sequence[Training]) -> list[Event]:
    """Fits of one block of patients that failed, ran out of time, or had to be searched instead.

    The block is known again by its first series: trained again, it is told once.
    """
    if not trainings:
        return []
    block = "/".join((trainings[0].patient_id, trainings[0].vital))
    failed: dict[tuple[str, str], list[Event]] = {}
    fallbacks: Counter[tuple[str, str]] = Counter()
    for one in trainings:
        for member, outcome in one.outcomes().items():
            if outcome.status in (FAILED, TIMEOUT):
                event = _failed_fit(one, member, outcome.reason)
                failed.setdefault((member, event.reason or OTHER), []).append(event)
            elif outcome.status == FITTED and _BY_A_SEARCH.match(outcome.reason):
                fallbacks[member, word_of(outcome.reason, _FIT_WORDS)] += 1
    listed = [event for events in failed.values() for event in events[:MOST_LISTED]]
    ended = [Event(kind="fits.ended", member=member, reason=reason, once=block, data={
        "count": len(events), "listed": min(len(events), MOST_LISTED)})
        for (member, reason), events in failed.items()]
    return [*listed, *ended, *_counted("fits.fallback", fallbacks, block)]


def _failed_fit(one: Training, member: str, reason: str) -> Event:
    raised = _EXCEPTION.match(reason)
    fault = Fault(exception=raised[1], where=raised[1], stack="",
                  fingerprint=fingerprint(raised[1], "fit", member)) if raised else None
    word = word_of(reason, _FIT_WORDS)
    return Event(kind="fit.ended", vital=one.vital, member=member, fault=fault,
                 reason="exception" if raised and word == OTHER else word,
                 series=(one.patient_id, one.vital))


def count_searches(trainings: Iterable[Training], figures: Searches) -> None:
    """Add to a run's figures why structures were searched that gave a model."""
    for one in trainings:
        for member, plan in one.plans.items():
            outcome = one.made.outcomes.get(member)
            if plan.made_by == SEARCH and plan.why and outcome and outcome.status == FITTED:
                word = word_of(plan.why, _SEARCH_WORDS)
                of_member = figures.setdefault(member, {})
                of_member[word] = of_member.get(word, 0) + 1


def search_events(figures: Searches) -> list[Event]:
    """The structure searches of a run."""
    return _counted("fits.searched", {(member, word): count for member, words in figures.items()
                                      for word, count in words.items()})


def count_lacks(rows: Iterable[ForecastRow], counts: Lacks) -> None:
    """Add the series without a forecast, by reason, and documents left out as unreadable."""
    for row in rows:
        if row.reason is not None:
            counts["forecasts.missing", None, _missing_word(row.reason)] += 1
        for member, why in row.absent.items():
            if _UNREADABLE in why:
                counts["models.unreadable", member, "unreadable"] += 1


def lack_events(counts: Lacks) -> list[Event]:
    """What `count_lacks` counted in a run."""
    return [Event(kind=kind, member=member, reason=reason, data={"count": count}, once=str(count))
            for (kind, member, reason), count in counts.items()]


def missing_counts(counts: Lacks) -> dict[str, int]:
    """The series without a forecast, by reason: a figure of the run."""
    return {reason: count for (kind, _, reason), count in counts.items()
            if kind == "forecasts.missing"}


def incomplete_counts(found: Iterable[Troubled]) -> dict[str, int]:
    """The fetches of a run that were not complete, by vendor and reason: a figure of it."""
    counts: Counter[str] = Counter()
    for one in found:
        if one.outcome != "complete":
            counts[f"{one.provider}: {known(one.reason)}"] += one.fetches
    return dict(counts)


def fetch_events(found: Iterable[Troubled]) -> list[Event]:
    """Fetches of a run that were not complete, and records that were not understood."""
    refused: Counter[str] = Counter()
    events = []
    for one in found:
        refused[one.provider] += one.refused
        if one.outcome != "complete":
            data: dict[str, Any] = {"count": one.fetches, "outcome": one.outcome}
            if one.http_status is not None:
                data["http_status"] = one.http_status
            events.append(Event(kind="fetches.ended", provider=one.provider,
                                reason=known(one.reason), data=data, once=str(data)))
    return events + [
        Event(kind="records.refused", provider=provider, data={"count": count}, once=str(count))
        for provider, count in refused.items() if count]


def word_of(sentence: str, words: Sequence[tuple[str, str]]) -> str:
    """The word for a reason: of the first part that is in it."""
    return next((word for part, word in words if part in sentence), OTHER)


def _missing_word(reason: str) -> str:
    word = word_of(reason, _FORECAST_WORDS)
    return "no_member" if word == OTHER else word


def _counted(kind: str, counts: Mapping[tuple[str, str], int], once: str = "") -> list[Event]:
    """One event a member and reason. Of a run, another count is another event."""
    return [Event(kind=kind, member=member, reason=reason, data={"count": count},
                  once=once or str(count)) for (member, reason), count in counts.items()]
