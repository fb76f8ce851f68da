"""Subscriptions to webhooks: make those that are missing, renew those that lapse soon.

Oura's are the application's, Withings' each account's own (`vitalcast.jobs.notify`); Google's is
made once for the project and tells of whoever consents. The vendor's list decides what is to be
done, so that a run may die anywhere and be run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from providers.observation import Provider
from registry.runs import run
from vitalcast.cycle import last_full_hour
from vitalcast.errors import UserError
from vitalcast.jobs import notify
from vitalcast.settings import Settings
from vitalcast.wiring import System, client_of

if TYPE_CHECKING:
    from providers.webhooks.subscriptions import OuraSubscriptions, Plan, Subscription

Figures = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A subscription and what became of it; `expires_at` is None of one that is not made yet, and
    where none is told.

    state  good, made, renewed or ended; in a dry run missing or expiring; other: not ours, or
           twice; failed: of an account that could not be asked
    count  of how many accounts, where each has its own
    """

    provider: Provider
    data_type: str
    event_type: str
    state: str
    expires_at: datetime | None
    host: str
    count: int = 1


def is_set_up(settings: Settings) -> bool:
    """Are webhooks of a vendor that has subscriptions taken here, at an address that it can reach.
    """
    return _oura_is_set_up(settings) or notify.is_set_up(settings)


def _oura_is_set_up(settings: Settings) -> bool:
    return bool(settings.webhook_oura and settings.webhook_oura_token and settings.webhook_url)


def subscribe(system: System, *, now: datetime | None = None, dry_run: bool = False) -> list[Line]:
    """Have every subscription that is needed, and none that lapses soon; all of them by type.

    UserError where settings are missing; ProviderError when Oura refuses or cannot be asked, after
    Withings was. What Withings refuses of an account is a line.
    """
    _require_set_up(system.settings)
    now = now or datetime.now(UTC)
    if dry_run:
        return _looked_after(system, now, {}, dry_run=True)
    with run(system.engine, job="subscribe", cycle=last_full_hour(now), shard="1/1") as figures:
        return _looked_after(system, now, figures, dry_run=False)


def unsubscribe(system: System, *, dry_run: bool = False) -> list[Line]:
    """End every subscription of our address. Errors as of `subscribe`."""
    _require_set_up(system.settings)
    lines = _of_accounts(system, notify.hush_all, dry_run=dry_run)
    if not _oura_is_set_up(system.settings):
        return lines
    address, oura = address_of(system.settings, Provider.OURA), _subscriptions(system)
    ours = [one for one in oura.held() if one.address == address]
    for one in () if dry_run else ours:
        oura.end(one.name)
    return [*lines, *(_line(one, "ending" if dry_run else "ended") for one in ours)]


def figures_of(lines: Sequence[Line]) -> Figures:
    """How many there are by state."""
    counts = dict.fromkeys(("good", "made", "renewed", "other"), 0)
    for line in lines:
        counts[line.state] = counts.get(line.state, 0) + line.count
    return counts


def address_of(settings: Settings, provider: Provider) -> str:
    """Where a vendor sends its webhooks; Withings' is known by the secret at its end."""
    secret = f"/{settings.webhook_withings}" if provider is Provider.WITHINGS else ""
    return f"{settings.webhook_url.rstrip('/')}/v1/webhooks/{provider}{secret}"


def _require_set_up(settings: Settings) -> None:
    if not is_set_up(settings):
        raise UserError("no webhooks that need a subscription are set up: set "
                        "VITALCAST_WEBHOOK_URL, and VITALCAST_WEBHOOK_WITHINGS, or "
                        "VITALCAST_WEBHOOK_OURA and VITALCAST_WEBHOOK_OURA_TOKEN")
    root = urlsplit(settings.webhook_url)
    if not root.hostname or (root.scheme != "https" and not settings.sandbox_url):
        raise UserError("VITALCAST_WEBHOOK_URL must be an address that begins with https://")


def _looked_after(system: System, now: datetime, figures: dict[str, Any], *,
                  dry_run: bool) -> list[Line]:
    """Oura's first, since they lapse and a run may die among many accounts."""
    from providers.errors import ProviderError

    lines: list[Line] = []
    refusal: ProviderError | UserError | None = None
    try:
        lines += _oura(system, now, dry_run)
    except (ProviderError, UserError) as error:
        refusal = error
    figures.update(figures_of(lines))
    lines += _of_accounts(system, notify.notify_all, dry_run=dry_run)
    figures.update(figures_of(lines))
    if refusal is not None:
        raise refusal
    return lines


def _of_accounts(system: System, ask: Callable[..., notify.Made], *,
                 dry_run: bool) -> list[Line]:
    """What came of Withings' accounts, where its notifications are set up."""
    if not notify.is_set_up(system.settings):
        return []
    made = ask(system, address_of(system.settings, Provider.WITHINGS), dry_run=dry_run)
    host = urlsplit(system.settings.webhook_url).netloc
    return [Line(provider=Provider.WITHINGS, data_type=kind, event_type="any", state=state,
                 expires_at=None, host=host, count=count)
            for (kind, state), count in sorted(made.items())]


def _oura(system: System, now: datetime, dry_run: bool) -> list[Line]:
    from providers.webhooks.subscriptions import plan

    if not _oura_is_set_up(system.settings):
        return []
    address, oura = address_of(system.settings, Provider.OURA), _subscriptions(system)
    todo = plan(oura.held(), address, now)
    return _planned(todo, address) if dry_run else _carried_out(
        oura, todo, address, system.settings.webhook_oura_token)


def _subscriptions(system: System) -> "OuraSubscriptions":
    from providers.webhooks.subscriptions import OuraSubscriptions

    client_id, client_secret = client_of(system.settings, Provider.OURA)
    return OuraSubscriptions(
        base_url=system.endpoints(Provider.OURA).api, client_id=client_id,
        client_secret=client_secret, limiter=system.limiter(Provider.OURA))


def _planned(todo: "Plan", address: str) -> list[Line]:
    host = urlsplit(address).netloc
    missing = [Line(provider=Provider.OURA, data_type=data_type, event_type=event_type,
                    state="missing", expires_at=None, host=host)
               for data_type, event_type in todo.missing]
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
    return Line(provider=Provider.OURA, data_type=one.data_type, event_type=one.event_type,
                state=state, expires_at=one.expires_at, host=urlsplit(one.address).netloc)


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (line.state == "other", line.data_type, line.event_type))
