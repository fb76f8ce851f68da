"""The sandbox's world: its clock, its subjects, its consents and what is wrong with it.

The clock stands still until it is set. The *anchor* is the first time it was set to: recorded
subjects end there and generated episodes are placed around it. Moving the clock never moves the
anchor, so that earlier readings stay what they were; with a state file a restart keeps it too.
"""

import json
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from providers.observation import Provider
from providers.sandbox import SandboxClockError, SandboxStateError
from providers.sandbox.faults import Faults
from providers.sandbox.grants import Grants
from providers.sandbox.readings import DAY_S, HOUR_S, Channel, Readings, Subject

LONGEST_S = 366 * DAY_S

Source = Callable[[int], Sequence[Subject]]

ACCESS_LIFETIME_S: dict[Provider, int] = {
    Provider.WITHINGS: 10800, Provider.GOOGLE_HEALTH: 3599, Provider.OURA: 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `requests` within any `seconds`."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What a vendor would have fixed for its client. Without `rate_limits` nothing is limited."""

    client_id: str = "vitalcast"
    client_secret: str = "sandbox-secret"
    access_lifetime_s: Mapping[Provider, int] = field(default_factory=lambda: ACCESS_LIFETIME_S)
    code_lifetime_s: float = 30
    withings_page: int = 200
    google_page: int = 1440
    google_page_max: int = 10000
    oura_page: int = 1000
    rate_limits: Mapping[Provider, RateLimit] = field(default_factory=dict)


class World:
    """Everything the server knows. Not for several threads: the server's one loop owns it."""

    def __init__(self, source: Source, *, now: int | None = None, anchor: int | None = None,
                 settings: SandboxSettings | None = None, state: Path | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.grants = Grants(access_lifetime_s=dict(self.settings.access_lifetime_s),
                             code_lifetime_s=self.settings.code_lifetime_s, saved=self._save)
        self._source = source
        self._state = state
        self._recent: dict[tuple[Provider, str], deque[float]] = {}
        self._subjects: dict[str, Subject] = {}
        self._anchor = anchor
        self._now: int | None = None
        self._load()
        if now is not None:
            self.set_now(now)

    @property
    def now(self) -> int:
        """The clock, epoch seconds; never set, it becomes the machine's last full hour."""
        if self._now is None:
            self.set_now(int(time.time()) // HOUR_S * HOUR_S)
        assert self._now is not None
        return self._now

    def set_now(self, now: int) -> None:
        """Set the clock; the first time fixes the anchor, unless it is fixed already.

        Raises SandboxClockError a year after the anchor: the cohort is generated day by day.
        """
        if self._anchor is not None and now > self._anchor + LONGEST_S:
            raise SandboxClockError(
                f"{iso(now)} is more than {LONGEST_S // DAY_S} days after the anchor "
                f"{iso(self._anchor)}; start the sandbox with a later --anchor or a new --state")
        self._now = now
        if self._anchor is None:
            self._anchor = now
            self._save()

    @property
    def anchor(self) -> int:
        """Epoch second around which the subjects' histories are placed."""
        return self.now if self._anchor is None else self._anchor

    @property
    def subjects(self) -> Mapping[str, Subject]:
        """Every subject by id."""
        if not self._subjects:
            self._subjects = {s.subject_id: s for s in self._source(self.anchor)}
        return self._subjects

    def visible(self, subject: Subject, channel: Channel) -> Readings:
        """What the vendor knows of a channel at the clock's time; empty if it cannot carry it."""
        if channel not in subject.channels:
            return Readings()
        readings = subject.readings(channel, self.now)
        told = self.faults.told(subject.provider, subject.subject_id, channel, readings, self.now)
        return told.visible(self.now)

    def user_number(self, subject_id: str) -> int:
        """A vendor's own number for a subject: unique, the same in every run."""
        return 10_000_001 + list(self.subjects).index(subject_id)

    def over_limit(self, provider: Provider, subject_id: str | None) -> int | None:
        """Count a request; the seconds to wait if it is over the vendor's limit, else None.

        Withings counts per application, the others per patient.
        """
        limit = self.settings.rate_limits.get(provider)
        if limit is None:
            return None
        whose = "" if provider is Provider.WITHINGS else subject_id or ""
        recent, now = self._recent.setdefault((provider, whose), deque()), time.monotonic()
        while recent and recent[0] <= now - limit.seconds:
            recent.popleft()
        if len(recent) >= limit.requests:
            return max(1, round(recent[0] + limit.seconds - now))
        recent.append(now)
        return None

    def _load(self) -> None:
        if self._state is None or not self._state.is_file():
            return
        try:
            document = json.loads(self._state.read_bytes())
            stored = epoch(document["anchor"]) if document["anchor"] else None
            self.grants.restore(document["grants"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SandboxStateError(
                f"{self._state} is not a state file of the sandbox ({error!r}); delete it to "
                "begin afresh, or name another with --state") from error
        self._anchor = stored if self._anchor is None else self._anchor

    def _save(self) -> None:
        if self._state is None:
            return
        document: dict[str, Any] = {
            "anchor": None if self._anchor is None else iso(self._anchor),
            "grants": self.grants.document(),
        }
        self._state.parent.mkdir(parents=True, exist_ok=True)
        beside = self._state.with_suffix(self._state.suffix + ".new")
        beside.write_text(json.dumps(document))
        beside.chmod(0o600)
        os.replace(beside, self._state)  # noqa: PTH105 - the atomic one


def epoch(text: str) -> int:
    """Epoch second of an ISO 8601 time with a zone. `ValueError` without one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone; write it as UTC, such as 2026-11-21T06:00:00Z")
    return int(moment.timestamp())


def iso(moment: int) -> str:
    """Epoch second as `2026-11-21T06:00:00Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
