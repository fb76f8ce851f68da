"""Subscriptions to Oura's webhooks: make those that are missing, renew those that lapse soon.

Oura's list decides what is to be done, so that a run may die anywhere and be run again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from providers.observation import Provider
from registry.runs import run
from vitalcast.cycle import last_full_hour
from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.wiring import System, client_of

if TYPE_CHECKING:
    from providers.webhooks.subscriptions import OuraSubscriptions, Plan, Subscription

Figures = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One subscription and what became of it; `expires_at` is None of one that is not made yet.

    state  good, made, renewed or ended; in a dry run missing or expiring; other: not ours, or twice
    """

    data_type: str
    event_type: str
    state: str
    expires_at: datetime | None
    host: str


def is_set_up(settings: Settings) -> bool:
    """Are Oura's webhooks taken here, at an address that Oura can reach."""
    return bool(settings.webhook_oura and settings.webhook_oura_token and settings.webhook_url)


def subscribe(system: System, *, now: datetime | None = None, dry_run: bool = False) -> list[Line]:
    """Have every subscription that is needed, and none that lapses soon; all of them by type.

    UserError where settings are missing; ProviderError when Oura refuses or cannot be asked.
    """
    from providers.webhooks.subscriptions import plan

    address, now = _address(system.settings), now or datetime.now(UTC)
    oura = _subscriptions(system)
    if dry_run:
        return _planned(plan(oura.held(), address, now), address)
    with run(system.engine, job="subscribe", cycle=last_full_hour(now), shard="1/1") as figures:
        lines = _carried_out(oura, plan(oura.held(), address, now), address,
                             system.settings.webhook_oura_token)
        figures.update(figures_of(lines))
    return lines


def unsubscribe(system: System, *, dry_run: bool = False) -> list[Line]:
    """End every subscription of our address. Errors as of `subscribe`."""
    address, oura = _address(system.settings), _subscriptions(system)
    ours = [one for one in oura.held() if one.address == address]
    for one in () if dry_run else ours:
        oura.end(one.name)
    return [_line(one, "ending" if dry_run else "ended") for one in ours]


def figures_of(lines: Sequence[Line]) -> Figures:
    """How many there are by state."""
    counts = dict.fromkeys(("good", "made", "renewed", "other"), 0)
    for line in lines:
        counts[line.state] = counts.get(line.state, 0) + 1
    return counts


def _address(settings: Settings) -> str:
    if not is_set_up(settings):
        raise UserError("Oura's webhooks are not set up: set VITALCAST_WEBHOOK_URL, "
                        "VITALCAST_WEBHOOK_OURA and VITALCAST_WEBHOOK_OURA_TOKEN")
    root = urlsplit(settings.webhook_url)
    if not root.hostname or (root.scheme != "https" and not settings.sandbox_url):
        raise UserError("VITALCAST_WEBHOOK_URL must be an address that begins with https://")
    return f"{settings.webhook_url.rstrip('/')}/v1/webhooks/oura"


def _subscriptions(system: System) -> "OuraSubscriptions":
    from providers.webhooks.subscriptions import OuraSubscriptions

    client_id, client_secret = client_of(system.settings, Provider.OURA)
    return OuraSubscriptions(
        base_url=system.endpoints(Provider.OURA).api, client_id=client_id,
        client_secret=client_secret, limiter=system.limiter(Provider.OURA))


def _planned(todo: "Plan", address: str) -> list[Line]:
    host = urlsplit(address).netloc
    missing = [Line(data_type=data_type, event_type=event_type, state="missing", expires_at=None,
                    host=host) for data_type, event_type in todo.missing]
    return _sorted([*missing, *(_line(one, "expiring") for one in todo.expiring), *_kept(todo)])


def _carried_out(oura: "OuraSubscriptions", todo: "Plan", address: str, token: str) -> list[Line]:
    renewed = [_line(oura.renew(one.name), "renewed") for one in todo.expiring]
    made = [_line(oura.subscribe(data_type, event_type, address, token), "made")
            for data_type, event_type in todo.missing]
    return _sorted([*renewed, *made, *_kept(todo)])


def _kept(todo: "Plan") -> list[Line]:
    return [*(_line(one, "good") for one in todo.good),
            *(_line(one, "other") for one in todo.others)]


def _line(one: "Subscription", state: str) -> Line:
    return Line(data_type=one.data_type, event_type=one.event_type, state=state,
                expires_at=one.expires_at, host=urlsplit(one.address).netloc)


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (line.state == "other", line.data_type, line.event_type))
