"""Withings public API: the client.

Every answer is HTTP 200; the verdict is the `status` inside. Readings arrive days late, so
measurements are followed by the time of their modification, never by the time of measuring.
Reference: developer.withings.com, API reference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from clinical.vitals import Vital
from providers.errors import (
    ProviderError,
    RateLimited,
    RequestRejected,
    SchemaError,
    ScopeMissing,
    TokenRejected,
    VendorUnavailable,
)
from providers.fetching import FetchRequest, Page, VendorClient, reread_from, walk, windows
from providers.http import Answer, Session, judge_status
from providers.limits import RateLimit
from providers.observation import Parsed, Provider
from providers.vendor import Endpoints, Entry
from providers.withings_pages import (
    INTRADAY,
    MEASURES,
    NIGHT,
    REAL_MEASURE,
    SLEEP,
    parse_devices,
    parse_getmeas,
    parse_intraday,
    parse_sleep,
    parse_sleep_summary,
)

RESOURCES = ("getmeas", "sleep", "intraday")
"""Fetched by default; "sleep-summary" tells the nights of "sleep" in nightly figures."""

PARSERS = {"getmeas": parse_getmeas, "sleep": parse_sleep, "intraday": parse_intraday,
           "sleep-summary": parse_sleep_summary}
"""The parse function of each resource."""

NOTIFIED: Mapping[int, tuple[str, str]] = {
    2: ("temperature", "user.metrics"), 4: ("pressure, pulse, SpO2", "user.metrics"),
    16: ("activity", "user.activity"), 44: ("sleep", "user.activity")}
"""Kinds of data (`appli`) that an address can be told of and that we read: name, and scope."""

_OVERLAP_S = 60
"""Read again behind the cursor: a reading may become visible after its time of modification."""

_REFUSED_TOKEN = frozenset({100, 101, 102, 200, 401})
_UNAUTHORISED = frozenset({214, 277, 403, 2553, 2555})
_TOO_MANY = 601
_INVALID = frozenset({*range(201, 214), 293, 294, 343, *range(501, 512), 523, 532, 2554})


def judge(status: int, document: Any) -> ProviderError | None:
    """The error that an answer tells of: by HTTP if at all, else by the status inside."""
    if error := judge_status(status):
        return error
    told = document.get("status") if isinstance(document, dict) else None
    if type(told) is not int:
        return None
    return _told(told)


def _told(status: int) -> ProviderError | None:
    if status == 0:
        return None
    if status in _REFUSED_TOKEN:
        return TokenRejected(f"Withings status {status}, the access token is refused")
    if status in _UNAUTHORISED:
        return ScopeMissing(f"Withings status {status}, not authorised for this")
    if status == _TOO_MANY:
        return RateLimited(f"Withings status {status}, too many requests")
    if status in _INVALID:
        return RequestRejected(f"Withings status {status}, invalid parameters or action")
    return VendorUnavailable(f"Withings status {status}")


class WithingsClient(VendorClient):
    """One account at Withings."""

    provider = Provider.WITHINGS
    known = (*RESOURCES, "sleep-summary")

    def __init__(self, session: Session, resources: tuple[str, ...] = RESOURCES) -> None:
        super().__init__(session, resources)

    def notified(self, address: str) -> set[int]:
        """The kinds of data of the account that Withings tells `address` of. ProviderError."""
        answer = self._session.post("/notify", {"action": "list"})
        return _notified(answer.document, address)

    def notify(self, address: str, appli: int) -> None:
        """Have Withings tell, after it has asked the address for a HEAD. ProviderError."""
        self._session.post("/notify", {"action": "subscribe", "callbackurl": address,
                                       "appli": str(appli), "comment": "vitalcast"})

    def hush(self, address: str, appli: int) -> None:
        """Have Withings tell no more. ProviderError."""
        self._session.post("/notify", {"action": "revoke", "callbackurl": address,
                                       "appli": str(appli)})

    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        return {"getmeas": self._getmeas, "sleep": self._sleep, "intraday": self._intraday,
                "sleep-summary": self._sleep_summary}[request.resource](request)

    def _cursor_after(self, request: FetchRequest, pages: Sequence[Page]) -> str:
        """By the time of modification, in epoch seconds, never past what was withheld."""
        if request.resource != "getmeas":
            return super()._cursor_after(request, pages)
        return str(min(
            int(request.end.timestamp()),
            *(page.parsed.figures["updatetime"] for page in pages),
            *(int(one.provider_modified_at.timestamp()) for page in pages
              for one in page.withheld if one.provider_modified_at),
        ))

    def _getmeas(self, request: FetchRequest) -> Iterator[Page]:
        since = int(request.cursor) - _OVERLAP_S if request.cursor else request.start.timestamp()
        form = {"action": "getmeas", "meastypes": ",".join(map(str, MEASURES)),
                "category": str(REAL_MEASURE), "lastupdate": str(int(since))}
        return self._walk("/measure", form, parse_getmeas, request)

    def _sleep_summary(self, request: FetchRequest) -> Iterator[Page]:
        form = {"action": "getsummary", "data_fields": ",".join(NIGHT),
                "lastupdate": str(int(reread_from(request).timestamp()))}
        return self._walk("/v2/sleep", form, parse_sleep_summary, request)

    def _sleep(self, request: FetchRequest) -> Iterator[Page]:
        for form in _daily_forms(request, action="get", data_fields=",".join(SLEEP)):
            yield from self._walk("/v2/sleep", form, parse_sleep, request)

    def _intraday(self, request: FetchRequest) -> Iterator[Page]:
        for form in _daily_forms(request, action="getintradayactivity",
                                 data_fields=",".join(INTRADAY)):
            yield from self._walk("/v2/measure", form, parse_intraday, request)

    def _walk(self, path: str, form: dict[str, str], parse: Callable[[Any], Parsed],
              request: FetchRequest) -> Iterator[Page]:
        def ask(offset: str | None) -> Answer:
            return self._session.post(path, form | ({"offset": offset} if offset else {}))

        return walk(ask, parse, request.end)

    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        answer = self._session.post("/v2/user", {"action": "getdevice"})
        parsed = parse_devices(answer.document)
        self._devices[as_of] = [parsed]
        if parsed.refused:
            raise SchemaError(f"{parsed.refused[0].record}, {parsed.refused[0].reason}")
        sync: datetime | None = parsed.figures["last_sync"]
        return sync


def _notified(document: Any, address: str) -> set[int]:
    """The kinds of data that `address` is told of. SchemaError."""
    try:
        return {int(profile["appli"]) for profile in document["body"]["profiles"]
                if profile["callbackurl"] == address}
    except (KeyError, TypeError, ValueError):
        raise SchemaError("/notify: the list has not the documented shape") from None


def _daily_forms(request: FetchRequest, **fields: str) -> Iterator[dict[str, str]]:
    """One form per day, because these calls answer 24 hours at most."""
    for first, stop in windows(reread_from(request), request.end, days=1):
        yield fields | {"startdate": str(int(first.timestamp())),
                        "enddate": str(int(stop.timestamp()))}


ENTRY = Entry(
    endpoints=Endpoints(
        api="https://wbsapi.withings.net",
        authorise="https://account.withings.com/oauth2_user/authorize2",
        token="https://wbsapi.withings.net/v2/oauth2",
        revoke="https://wbsapi.withings.net/v2/oauth2"),
    limit=RateLimit(calls=120, period_s=60),
    scopes={
        "user.info": (),
        "user.metrics": (Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP,
                         Vital.BODY_TEMPERATURE, Vital.SKIN_TEMPERATURE, Vital.SPO2),
        "user.activity": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2)},
    client=WithingsClient, judge=judge, parsers=PARSERS, resources=RESOURCES,
    pkce=False, sandbox_token_path="/v2/oauth2",
    sandbox_revoke_path="/v2/oauth2",
)
