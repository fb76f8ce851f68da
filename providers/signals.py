"""What vendors tell beside readings: syncs of each kind of device, hours worn, hours charging."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from providers.observation import Parsed

DeviceSyncs = Mapping[str, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Of one account. Hours are given by their beginning, UTC.

    devices   when each kind of device last spoke to the vendor, None = never
    worn      hours with evidence of wear other than readings
    charging  hours in which the device was in its charger
    unknown   what the vendor did not tell, "<what>: <reason>"
    """

    devices: DeviceSyncs
    worn: frozenset[datetime] = frozenset()
    charging: frozenset[datetime] = frozenset()
    unknown: tuple[str, ...] = ()


def latest(syncs: Iterable[tuple[str, datetime | None]]) -> dict[str, datetime | None]:
    """The latest sync of each kind of device."""
    found: dict[str, datetime | None] = {}
    for kind, sync in syncs:
        known = found.get(kind)
        found[kind] = sync if known is None or (sync is not None and sync > known) else known
    return found


def hours_of(moments: Iterable[datetime]) -> frozenset[datetime]:
    """The full hours that the moments lie in."""
    return frozenset(one.replace(minute=0, second=0, microsecond=0) for one in moments)


def devices_of(pages: Sequence[Parsed]) -> dict[str, datetime | None]:
    """The devices that pages tell of in `figures["devices"]`."""
    return latest(pair for page in pages for pair in page.figures.get("devices", {}).items())


def moments_of(pages: Sequence[Parsed], name: str) -> frozenset[datetime]:
    """The hours of the moments in `figures[name]` of the pages."""
    return hours_of(moment for page in pages for moment in page.figures.get(name, ()))
