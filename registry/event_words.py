"""The closed vocabulary of events: what can be said at all, and how severe it is.

An event is patient-free by construction: its text is a sentence of this file, its reason and every
word in its data are of this file, everything else is a number or a keyed hash. What is not here is
refused, so that no name, id or reading can get in by accident. A new kind of event is a line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

INFO, WARNING, ERROR = "info", "warning", "error"
SEVERITIES = (INFO, WARNING, ERROR)

FIGURES = "figures"
"""Instead of the names of a kind's data: any figures of a run, numbers alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of event.

    message   a sentence; in braces columns: job, shard, provider, vital, member, reason
    category  ECS event.category
    data      the names that its data may have
    of_cycle  it tells of all shards together: shard and run do not belong to it
    """

    message: str
    severity: str = INFO
    category: str = "process"
    data: tuple[str, ...] | str = ()
    of_cycle: bool = False


KINDS: Mapping[str, Kind] = {
    "job.started": Kind(message="{job} began on shard {shard}"),
    "job.done": Kind(message="{job} is done on shard {shard}", data=FIGURES),
    "job.failed": Kind(message="{job} failed on shard {shard}", severity=ERROR, data=FIGURES),
    "job.killed": Kind(message="{job} left no end on shard {shard}: it was killed",
                       severity=ERROR),
    "stage.done": Kind(message="{job} is done on every shard", of_cycle=True,
                       data=("shards", "seconds", "cpu_seconds")),
    "cycle.done": Kind(message="the cycle is done", of_cycle=True, data=("seconds",)),
    "fits.ended": Kind(message="fits of {member} ended as {reason}", severity=WARNING,
                       data=("count", "listed")),
    "fit.ended": Kind(message="a fit of {member} to {vital} ended as {reason}", severity=WARNING),
    "fits.fallback": Kind(message="{member} could not be refitted and was searched: {reason}",
                          severity=WARNING, data=("count",)),
    "fits.searched": Kind(message="structures of {member} were searched: {reason}",
                          data=("count",)),
    "models.unreadable": Kind(
        message="documents of {member} cannot be read and are left out", severity=WARNING,
        data=("count",)),
    "forecasts.missing": Kind(message="series have no forecast: {reason}", data=("count",)),
    "fetches.ended": Kind(message="fetches from {provider} ended as {reason}", severity=WARNING,
                          category="network", data=("count", "outcome", "http_status")),
    "records.refused": Kind(message="records from {provider} were not understood",
                            severity=WARNING, category="network", data=("count",)),
    "link.changed": Kind(message="a link to {provider} is now {reason}", category="iam"),
    "subscription.failed": Kind(
        message="{provider} could not be asked to tell of an account: {reason}; the next daily run "
                "asks again, readings come by the hour", severity=WARNING, category="network"),
    "quarantine.replayed": Kind(
        message="what {provider} sent was read again as someone asked: {reason}",
        data=("count", "inserted", "revised", "unchanged", "refused")),
    "quarantine.dismissed": Kind(
        message="what {provider} sent was let go by someone, never read: {reason}",
        severity=WARNING, data=("count",)),
    "drift.began": Kind(message="{vital} of a series has drifted: {reason}", severity=WARNING,
                        data=("score", "threshold", "hours")),
    "drift.ended": Kind(message="{vital} of a series has drifted no more: {reason}",
                        data=("score", "threshold", "hours")),
    "config.changed": Kind(message="the model configuration has changed",
                           category="configuration",
                           data=("config_hash", "earlier_hash", "changed")),
    "delivery.stopped": Kind(message="events are not delivered: Elasticsearch is {reason}",
                             severity=WARNING, category="network"),
    "delivery.resumed": Kind(message="events are delivered again", category="network",
                             data=("failures",)),
}

FIT_REASONS = ("constant", "few_hours", "not_finite", "no_structure", "unreadable", "timeout",
               "worker_died", "exception")
SEARCH_REASONS = ("no_earlier", "configuration", "last_failed", "capped", "age", "errors_drifted",
                  "drift_found")
DRIFTS = ("level", "spread", "distribution", "missing", "gaps", "error", "error_size", "coverage",
          "unit", "skew")
FETCH_REASONS = (
    "provider_error", "transport", "rate_limited", "vendor_unavailable", "circuit_open",
    "request_rejected", "schema", "authorisation", "token_rejected", "reauth_required", "revoked",
    "scope_missing", "subscription_lapsed", "not_linked", "client_refused")
LINK_STATUSES = ("active", "reauth_required", "revoked", "not_linked", "subscription_lapsed",
                 "file")
HELD_AS = ("payload", "page", "discrepancy", "records", "event")
SILENCES = ("silent", "no_model", "no_member")
FAULTS = ("unreachable", "overloaded", "unauthorised", "unsupported", "refused")
OTHER = "other"

REASONS = frozenset({*FIT_REASONS, *SEARCH_REASONS, *DRIFTS, *FETCH_REASONS, *LINK_STATUSES,
                     *HELD_AS, *SILENCES, *FAULTS, OTHER})
"""What the column `reason` may say."""

OUTCOMES = ("complete", "fetch_failed", "format_discrepancy", "not_entitled")
CONFIG_KEYS = (
    "members", "engines", "window_hours", "seasons", "horizon_hours", "train_every_hours",
    "search_every_hours", "drift_ratio", "drift", "watch_every_hours", "stale_after_hours",
    "fit_timeout_s", "alert_threshold")

WORDS = frozenset({*REASONS, *OUTCOMES, *CONFIG_KEYS})
"""What texts in an event's data may say; a list may hold several."""


def known(word: str) -> str:
    """A reason as the vocabulary has it: itself, or `other`."""
    return word if word in REASONS else OTHER
