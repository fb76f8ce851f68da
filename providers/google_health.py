"""Google Health API v4: parse functions and client.

Three spellings of a data type: kebab in the path, snake in a filter, camel in the answer (a wrong
camel key "succeeds" with nothing, so a point without the expected one is refused). An int64 comes
as text. A page may be empty and still carry a token; the last page may be `{}`. Schema: discovery
document `health.v4`, revision 20261030. The API has no blood pressure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    Payload,
    in_our_time,
    int64_text,
    list_at,
    night_of,
    number,
    object_at,
    offset_s,
    opened,
    plausible,
    temperature_at,
    text_at,
    text_or_none,
    token_at,
    utc,
)
from providers.errors import NotLinked, ProviderError, RateLimited, SchemaError
from providers.fetching import (
    DAY,
    TRAILING_REREAD,
    FetchRequest,
    Page,
    VendorClient,
    last_sync_of,
    reread_from,
    understood,
    walk,
    windows,
)
from providers.http import Session, judge_status
from providers.limits import RateLimit
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Parsed,
    Provider,
    Refusal,
    Statistic,
)
from providers.signals import latest
from providers.vendor import Endpoints, Entry

_PAGE_SIZE = "10000"
_MONTH_DAYS = 30
_STEPS = "steps.interval.start_time"
_METHODS = {"MANUAL": Method.MANUAL, "DERIVED": Method.DERIVED}
_MOTIONS = {"ACTIVE": Context.ACTIVE, "SEDENTARY": Context.REST}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """How one data type is spelled, and where its value stands in a point."""

    name: str
    key: str
    field: str
    vital: Vital
    daily: bool = False
    within: str | None = None
    read: Callable[[object], Decimal] = number
    granularity: Granularity = Granularity.SAMPLE
    statistic: Statistic = Statistic.INSTANT
    context: Context = Context.UNKNOWN

    @property
    def snake(self) -> str:
        """The filter's spelling."""
        return self.name.replace("-", "_")


_NIGHTLY = partial(DataType, granularity=Granularity.NIGHT, statistic=Statistic.MEAN,
                   context=Context.SLEEP)

DATA_TYPES: dict[str, DataType] = {kind.name: kind for kind in (
    DataType(name="heart-rate", key="heartRate", field="beatsPerMinute", vital=Vital.HEART_RATE,
             read=int64_text),
    DataType(name="oxygen-saturation", key="oxygenSaturation", field="percentage",
             vital=Vital.SPO2),
    DataType(name="core-body-temperature", key="coreBodyTemperature", field="temperatureCelsius",
             vital=Vital.BODY_TEMPERATURE),
    _NIGHTLY(name="daily-respiratory-rate", key="dailyRespiratoryRate", field="breathsPerMinute",
             vital=Vital.RESPIRATORY_RATE, daily=True),
    _NIGHTLY(name="daily-sleep-temperature-derivations", key="dailySleepTemperatureDerivations",
             field="nightlyTemperatureCelsius", vital=Vital.SKIN_TEMPERATURE, daily=True),
    _NIGHTLY(name="daily-oxygen-saturation", key="dailyOxygenSaturation",
             field="averagePercentage", vital=Vital.SPO2, daily=True),
    DataType(name="daily-resting-heart-rate", key="dailyRestingHeartRate", field="beatsPerMinute",
             vital=Vital.RESTING_HEART_RATE, daily=True, read=int64_text,
             granularity=Granularity.DAY, statistic=Statistic.MEAN, context=Context.REST),
    _NIGHTLY(name="respiratory-rate-sleep-summary", key="respiratoryRateSleepSummary",
             within="fullSleepStats", field="breathsPerMinute", vital=Vital.RESPIRATORY_RATE),
)}

RESOURCES = ("heart-rate", "oxygen-saturation", "core-body-temperature",
             "daily-respiratory-rate", "daily-sleep-temperature-derivations")
"""Fetched by default. The sleep summary tells the same night as the daily rate: choose one."""

_LIST_KEYS = frozenset({"dataPoints", "nextPageToken"})
_DEVICE_KEYS = frozenset({"pairedDevices", "nextPageToken"})


def parse_data_points(payload: Payload, kind: DataType) -> Parsed:
    """One page of `dataPoints`. Raises SchemaError for a page that is not one."""
    return _points(payload, partial(_daily if kind.daily else _sample, kind=kind))


def parse_any_points(payload: Payload) -> Parsed:
    """One page of `dataPoints` of whatever types, each told by its own key (a saved answer)."""
    return _points(payload, _any_point)


def _points(payload: Payload, read: Callable[[object], Observation]) -> Parsed:
    page = opened(payload, known=_LIST_KEYS, required=frozenset())
    points = list_at(page, "dataPoints") if "dataPoints" in page else []
    observations: list[Observation] = []
    refused: list[Refusal] = []
    for index, point in enumerate(points):
        try:
            observations.append(read(point))
        except OddError as odd:
            refused.append(Refusal(record=f"dataPoints[{index}]", reason=str(odd)))
    return Parsed(observations=observations, refused=refused, received=len(points),
                  next_page=token_at(page, "nextPageToken"))


def parse_paired_devices(payload: Payload) -> Parsed:
    """One page of devices; `figures["last_sync"]` is the latest sync of them, or None.

    `figures["devices"]` has it by kind: tracker, scale or other; `figures["syncs"]` of each that
    measures by itself, by its name.
    """
    page = opened(payload, known=_DEVICE_KEYS, required=frozenset())
    devices = list_at(page, "pairedDevices") if "pairedDevices" in page else []
    syncs: list[tuple[str, datetime | None]] = []
    named: list[tuple[str, datetime]] = []
    refused: list[Refusal] = []
    for index, device in enumerate(devices):
        try:
            if not isinstance(device, dict):
                raise OddError("not an object")
            sync = utc(device["lastSyncTime"]) if "lastSyncTime" in device else None
            kind = (text_at(device, "deviceType") or "other").lower()
            syncs.append((kind, sync))
            if sync is not None and kind != "scale":
                named.append((text_at(device, "name") or kind, sync))
        except OddError as odd:
            refused.append(Refusal(record=f"pairedDevices[{index}]", reason=str(odd)))
    return Parsed(received=len(devices), refused=refused,
                  next_page=token_at(page, "nextPageToken"),
                  figures={"last_sync": max((at for _, at in syncs if at), default=None),
                           "devices": latest(syncs), "syncs": named})


def parse_steps(payload: Payload) -> Parsed:
    """One page of steps; `figures["worn"]` are the beginnings of its intervals.

    The vendor lists an interval, with an explicit zero if need be, only while the device is worn.
    SchemaError for an odd one: wear that cannot be read must not pass for none.
    """
    page = opened(payload, known=_LIST_KEYS, required=frozenset())
    points = list_at(page, "dataPoints") if "dataPoints" in page else []
    worn: list[datetime] = []
    for index, point in enumerate(points):
        try:
            interval = object_at(object_at(point, "steps"), "interval")
            worn.append(utc(interval.get("startTime")))
        except OddError as odd:
            raise SchemaError(f"dataPoints[{index}], {odd}") from None
    return Parsed(received=len(points), next_page=token_at(page, "nextPageToken"),
                  figures={"worn": worn})


# A quota may be told by HTTP 403 too, https://cloud.google.com/apis/design/errors.
_TOO_MANY = frozenset({"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded",
                       "quotaExceeded", "QUOTA_EXCEEDED"})


def judge(status: int, document: Any) -> ProviderError | None:
    """The error that an answer tells of, also when it is an error in the shape of a success."""
    told = document.get("error") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        return judge_status(status)
    code = told.get("code")
    status = code if type(code) is int and code != status and status == 200 else status
    if _reason(told) == "ACCOUNT_NOT_LINKED":
        return NotLinked()
    if told.get("status") == "RESOURCE_EXHAUSTED" or _reason(told) in _TOO_MANY:
        return RateLimited("the quota is used up")
    return judge_status(status) or judge_status(500)


PARSERS: dict[str, Callable[[Payload], Parsed]] = {
    name: partial(parse_data_points, kind=kind) for name, kind in DATA_TYPES.items()}
"""The parse function of each resource."""


class GoogleHealthClient(VendorClient):
    """One account at Google Health."""

    provider = Provider.GOOGLE_HEALTH
    known = tuple(DATA_TYPES)

    def __init__(self, session: Session, resources: tuple[str, ...] = RESOURCES) -> None:
        super().__init__(session, resources)

    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        kind = DATA_TYPES[request.resource]
        path = f"/v4/users/me/dataTypes/{kind.name}/dataPoints"
        for asked in _filters(kind, request):
            def ask(token: str | None, asked: str = asked) -> Any:
                params = {"filter": asked, "pageSize": _PAGE_SIZE}
                return self._session.get(path, params | ({"pageToken": token} if token else {}))

            yield from walk(ask, PARSERS[request.resource], request.end)

    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        def ask(token: str | None) -> Any:
            return self._session.get("/v4/users/me/pairedDevices",
                                     {"pageToken": token} if token else {})

        pages = list(walk(ask, parse_paired_devices, as_of))
        self._devices[as_of] = [page.parsed for page in pages]
        return last_sync_of(pages)

    def _ask_wear(self, as_of: datetime) -> Sequence[Parsed]:
        start = as_of - TRAILING_REREAD
        asked = f'{_STEPS} >= "{_rfc3339(start)}" AND {_STEPS} < "{_rfc3339(as_of)}"'

        def ask(token: str | None) -> Any:
            params = {"filter": asked, "pageSize": _PAGE_SIZE}
            return self._session.get("/v4/users/me/dataTypes/steps/dataPoints",
                                     params | ({"pageToken": token} if token else {}))

        return understood(list(walk(ask, parse_steps, as_of)))


def _filters(kind: DataType, request: FetchRequest) -> Iterator[str]:
    """One filter per listing: a month each at first, closed days when reading again."""
    start = reread_from(request)
    if kind.daily:
        # Civil dates: the patient's day may be one off from the day in UTC.
        yield (f'{kind.snake}.date >= "{(start - DAY).date()}"'
               f' AND {kind.snake}.date < "{(request.end + 2 * DAY).date()}"')
        return
    time = f"{kind.snake}.sample_time.physical_time"
    for first, stop in windows(start, request.end, days=1 if request.cursor else _MONTH_DAYS):
        yield f'{time} >= "{_rfc3339(first)}" AND {time} < "{_rfc3339(stop)}"'


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _any_point(point: object) -> Observation:
    kind = next((one for one in DATA_TYPES.values()
                 if isinstance(point, dict) and one.key in point), None)
    if kind is None:
        raise OddError("of none of the data types that hold vitals")
    return (_daily if kind.daily else _sample)(point, kind)


def _sample(point: object, kind: DataType) -> Observation:
    """A reading at a moment; one tight function, because heart rates come by the ten thousand."""
    record = object_at(point, kind.key)
    sample_time = object_at(record, "sampleTime")
    holder = object_at(record, kind.within) if kind.within else record
    site, vital = _site(record), kind.vital
    if vital is Vital.BODY_TEMPERATURE:
        vital = temperature_at(site)
    value = plausible(vital, kind.read(holder.get(kind.field)))
    moment = utc(sample_time.get("physicalTime"))
    method, device_id, model = _source(point)
    motion = record.get("metadata")
    return Observation(
        vital=vital, value=value, effective_start=moment, effective_end=moment,
        utc_offset_s=offset_s(sample_time.get("utcOffset")),
        civil_date=None if kind.granularity is Granularity.SAMPLE else _civil_date(sample_time),
        granularity=kind.granularity, statistic=kind.statistic,
        context=kind.context if motion is None else _context(motion), method=method,
        body_site=site, device_id=device_id, device_model=model,
        source_record_id=_record_id(point),
    )


def _daily(point: object, kind: DataType) -> Observation:
    """A value of a civil day, without times."""
    record = object_at(point, kind.key)
    value = plausible(kind.vital, kind.read(record.get(kind.field)))
    day = _date(object_at(record, "date"))
    start, end = night_of(day)
    if kind.granularity is Granularity.DAY:
        end += end - start
    method, device_id, model = _source(point)
    return Observation(
        vital=kind.vital, value=value, effective_start=start, effective_end=end, civil_date=day,
        granularity=kind.granularity, statistic=kind.statistic, context=kind.context,
        method=method, device_id=device_id, device_model=model,
        source_record_id=_record_id(point),
    )


def _source(point: Any) -> tuple[Method, str | None, str | None]:
    """Method, device id and model. Points mostly have no id: a point without a device is told
    apart by the platform it came through."""
    if point.get("dataSource") is None:
        return Method.DEVICE, None, None
    source = object_at(point, "dataSource")
    method = _METHODS.get(text_at(source, "recordingMethod") or "", Method.DEVICE)
    model = None if source.get("device") is None \
        else text_at(object_at(source, "device"), "displayName")
    platform = text_at(source, "platform")
    return method, None if model else platform, model


def _record_id(point: Any) -> str | None:
    name = text_at(point, "name")
    return name.rpartition("/")[2] if name else None


def _context(metadata: object) -> Context:
    if not isinstance(metadata, dict):
        raise OddError("metadata is not an object")
    return _MOTIONS.get(text_at(metadata, "motionContext") or "", Context.UNKNOWN)


def _site(record: dict[str, Any]) -> str | None:
    site = text_at(record, "measurementLocation")
    return site.lower() if site else None


def _civil_date(sample_time: dict[str, Any]) -> date | None:
    civil = sample_time.get("civilTime")
    return _date(object_at(civil, "date")) if civil is not None else None


def _date(told: dict[str, Any]) -> date:
    parts = [told.get(name) for name in ("year", "month", "day")]
    try:
        if all(type(part) is int for part in parts):
            return in_our_time(date(*parts))  # type: ignore[arg-type]
    except OddError:
        raise
    except (ValueError, OverflowError):
        pass
    raise OddError("the day is not a date")


def _reason(error: dict[str, Any]) -> str | None:
    """Of the first detail that has one; the older form of an error keeps them as `errors`."""
    for details in (error.get("details"), error.get("errors")):
        for detail in details if isinstance(details, list) else []:
            if isinstance(detail, dict) and "reason" in detail:
                return text_or_none(detail["reason"])
    return None


_SCOPE = "https://www.googleapis.com/auth/googlehealth.{}.readonly"

ENTRY = Entry(
    endpoints=Endpoints(
        api="https://health.googleapis.com",
        authorise="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",
        revoke="https://oauth2.googleapis.com/revoke"),
    limit=RateLimit(calls=300, period_s=60, per="account"),
    scopes={
        _SCOPE.format("health_metrics_and_measurements"): (
            Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.BODY_TEMPERATURE, Vital.SPO2,
            Vital.RESTING_HEART_RATE),
        _SCOPE.format("sleep"): (Vital.SKIN_TEMPERATURE,),
        _SCOPE.format("activity_and_fitness"): (),
        _SCOPE.format("settings"): (), _SCOPE.format("profile"): ()},
    client=GoogleHealthClient, judge=judge, parsers=PARSERS,
    resources=RESOURCES, pkce=True, sandbox_token_path="/token",
    sandbox_revoke_path="/revoke",
)
