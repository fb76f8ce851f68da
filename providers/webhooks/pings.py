"""Garmin's pings: readings that wait at an address, which comes from outside and is not trusted.

Only hosts that are allowed are asked, over https, at public addresses (what the socket is connected
to counts, not what a name resolved to before), without a proxy, a redirect or a credential of ours,
for a body of limited size. The address holds a token and stands in no message.
"""

import re
import time
from collections.abc import Sequence
from ipaddress import ip_address
from socket import socket
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from providers.errors import SchemaError, TransportError
from providers.http import judge_status
from providers.webhooks.events import EventRefused, Pull, Push

MOST_BYTES = 64 * 2**20
LONGEST_S = 120.0

_TIMEOUT_S = (5, 30)
# No user, no IPv6 literal, no backslash: nothing that two readers of addresses read differently.
_ADDRESS = re.compile(r"(https?)://([a-z0-9.-]+)(?::(\d{1,5}))?(?:/[!-\[\]-~]*)?", re.IGNORECASE)


class _PublicConnection(HTTPSConnection):
    """Connects, and hangs up before a byte is sent where the other end is not public."""

    def _new_conn(self) -> socket:
        connected = super()._new_conn()
        if not is_public(connected.getpeername()[0]):
            connected.close()
            raise EventRefused("a ping whose address is in a private network: it was not asked")
        return connected


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class PublicOnly(HTTPAdapter):
    """Speaks https with public addresses alone."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As the adapter's, with guarded connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}


def is_public(address: str) -> bool:
    """Is this IP address one of the public network."""
    ip = ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast


def require_allowed(pull: Pull, hosts: Sequence[str]) -> str:
    """The address's origin. EventRefused unless it is of one of these hosts.

    `apis.garmin.com` is that host, `*.garmin.com` all of a domain, both by https on its own port;
    `http://127.0.0.1:8080` is exactly that origin, which need not be public.
    """
    found = _ADDRESS.fullmatch(pull.address)
    if found is None or not (_origin(found) in hosts or _by_name(found, hosts)):
        raise EventRefused("a ping whose address is not Garmin's: it was not asked")
    return _origin(found)


def follow(pull: Pull, hosts: Sequence[str]) -> Push:
    """Ask the address; what it holds, as if it had been pushed.

    EventRefused where it must not be asked or is another account's; ProviderError when it fails.
    """
    origin = require_allowed(pull, hosts)
    records = _asked(pull.address, guarded=origin not in hosts)
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise SchemaError("a ping's address does not hold a list of summaries")
    if any(one.get("userId", pull.account) != pull.account for one in records):
        raise EventRefused("a ping whose address holds another account's summaries")
    return Push(account=pull.account, body=orjson.dumps({pull.name: records},
                                                        option=orjson.OPT_SORT_KEYS))


def _origin(found: re.Match[str]) -> str:
    scheme, host, port = found.groups()
    return f"{scheme}://{host}".lower() + (f":{port}" if port else "")


def _by_name(found: re.Match[str], hosts: Sequence[str]) -> bool:
    scheme, host, port = (part and part.lower() for part in found.groups())
    return scheme == "https" and port in (None, "443") and any(
        host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)


def _asked(address: str, *, guarded: bool) -> Any:
    until = time.monotonic() + LONGEST_S
    with requests.Session() as session:
        session.trust_env = False
        if guarded:
            session.mount("https://", PublicOnly())
        try:
            with session.get(address, stream=True, allow_redirects=False, timeout=_TIMEOUT_S,
                             headers={"Accept": "application/json"}) as answer:
                body = _body(answer, until)
        except requests.RequestException as error:
            # Its text and its request hold the address, and so the token: neither goes further.
            raise TransportError(f"a ping's address: {type(error).__name__}") from None
    if (verdict := judge_status(answer.status_code)) is not None:
        raise verdict
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise TransportError("a ping's address does not hold whole JSON") from None


def _body(answer: requests.Response, until: float) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(2**16):
        body += chunk
        if len(body) > MOST_BYTES:
            raise SchemaError(f"a ping's address holds more than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise TransportError(f"a ping's address took longer than {LONGEST_S:.0f} s")
    return bytes(body)
