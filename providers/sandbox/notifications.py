"""Withings' notifications: which address is told of which kind of an account's data.

An address is asked for a HEAD before, as at the vendor's. Addresses on loopback alone are asked,
and told.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests

from providers.sandbox.exchange import Call
from providers.sandbox.subscriptions import loopback

Told = set[tuple[str, str, int]]
"""Subject, address and kind of data (`appli`) of every notification."""

_PROBE_S = 10


class ParameterError(ValueError):
    """A parameter is missing or out of range; answered as status 503."""


def integer(params: Mapping[str, str], name: str) -> int | None:
    """A whole number, None where it is not given. ParameterError."""
    text = params.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise ParameterError(f"{name} must be an integer") from error


def actions(told: Told) -> Mapping[str, Callable[[Call], dict[str, Any]]]:
    """What can be asked of `notify`, by its name. ParameterError."""
    return {name: partial(action, told=told) for name, action in (
        ("list", _notifications), ("subscribe", _subscribed), ("revoke", _revoked))}


def _subscribed(call: Call, told: Told) -> dict[str, Any]:
    """Tell an address of a kind of data, once it has answered a HEAD, as at the vendor's."""
    address, appli = _notification(call)
    if not loopback(address) or not _answers(address):
        raise ParameterError("callbackurl does not answer")
    told.add((call.subject.subject_id, address, appli))
    return {}


def _revoked(call: Call, told: Told) -> dict[str, Any]:
    address, appli = _notification(call)
    told.discard((call.subject.subject_id, address, appli))
    return {}


def _notifications(call: Call, told: Told) -> dict[str, Any]:
    asked = integer(call.params, "appli")
    return {"profiles": [
        {"appli": appli, "callbackurl": address, "comment": "vitalcast"}
        for subject_id, address, appli in sorted(told)
        if subject_id == call.subject.subject_id and asked in (None, appli)]}


def _notification(call: Call) -> tuple[str, int]:
    address, appli = call.params.get("callbackurl", ""), integer(call.params, "appli")
    if not address or appli is None:
        raise ParameterError("callbackurl and appli are required")
    return address, appli


def _answers(address: str) -> bool:
    try:
        return requests.head(address, timeout=_PROBE_S, allow_redirects=False).ok
    except requests.RequestException:
        return False
