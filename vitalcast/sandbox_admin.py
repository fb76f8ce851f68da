"""The sandbox vendors' own side: clock, faults, whom they know, and a patient's consent."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from providers.oauth import AuthorisationRequest
from providers.observation import Provider
from vitalcast.errors import UserError
from vitalcast.settings import Settings

_TIMEOUT_S = 60


class SandboxError(UserError):
    """The sandbox did not answer as expected; read sandbox.log in the home folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person the sandbox serves. The patient id is the subject id."""

    subject_id: str
    provider: Provider
    birth_date: date | None


def set_clock(root: str, now: datetime) -> None:
    """Set the sandbox's clock; nothing after it is served."""
    _call("POST", f"{root}/sandbox/clock", json={"now": now.astimezone(UTC).isoformat()})


def anchor_of(root: str) -> datetime:
    """The time that the histories of the sandbox's subjects are placed around."""
    return datetime.fromisoformat(_call("GET", f"{root}/sandbox/health").json()["anchor"])


def subjects(root: str) -> list[Subject]:
    """Everybody the sandbox serves."""
    return [
        Subject(subject_id=row["subject_id"], provider=Provider(row["provider"]),
                birth_date=date.fromisoformat(row["birth_date"]) if row.get("birth_date") else None)
        for row in _call("GET", f"{root}/sandbox/subjects").json()
    ]


def arm(root: str, kind: str, **fields: Any) -> int:
    """Activate a fault of `docs/sandbox.md` by its name and fields; its id."""
    given = {name: value for name, value in fields.items() if value is not None}
    added: int = _call("POST", f"{root}/sandbox/faults", json={"kind": kind, **given}).json()[
        "fault_id"]
    return added


def armed(root: str) -> list[dict[str, Any]]:
    """The active faults, each with its id and how many requests it will still take."""
    return [{name: value for name, value in fault.items() if value is not None}
            for fault in _call("GET", f"{root}/sandbox/faults").json()]


def disarm(root: str, fault_id: int | None = None) -> int:
    """Remove one fault or all; how many were removed."""
    one = {} if fault_id is None else {"fault_id": fault_id}
    removed: int = _call("DELETE", f"{root}/sandbox/faults", params=one).json()["removed"]
    return removed


def send_webhooks_to(root: str, settings: Settings) -> None:
    """Have the sandbox's Google send webhooks to the API at `webhook_url`, where it is set up.

    Its Oura and Withings are told by `vitalcast webhooks subscribe`.
    """
    if settings.webhook_google_health:
        _call("PUT", f"{root}/sandbox/webhooks", json={
            "provider": Provider.GOOGLE_HEALTH,
            "address": f"{settings.webhook_url.rstrip('/')}/v1/webhooks/google_health",
            "authorization": settings.webhook_google_health})


def google_keyset(root: str) -> bytes:
    """The public keyset that the sandbox's Google signs webhooks by; new with each start."""
    return _call("GET", f"{root}/google_health/webhooks/webhooks_public_keyset.json").content


def ping(root: str, provider: str, subject_id: str) -> list[int]:
    """Have the vendor tell that this patient has something new; the HTTP status of each answer."""
    answers: list[int] = _call("POST", f"{root}/sandbox/ping", json={
        "provider": provider, "subject_id": subject_id}).json()["answers"]
    return answers


def consent(request: AuthorisationRequest) -> str:
    """The authorisation code that the vendor hands out when the patient agrees."""
    answer = _call("GET", request.url, allow_redirects=False)
    asked = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
    if asked.get("state") != [request.state] or "code" not in asked:
        raise SandboxError(f"the sandbox did not hand out a code (HTTP {answer.status_code})")
    return asked["code"][0]


def _call(method: str, url: str, **options: Any) -> requests.Response:
    try:
        answer = requests.request(method, url, timeout=_TIMEOUT_S, **options)
    except requests.RequestException as error:
        raise SandboxError(f"the sandbox at {urlsplit(url).netloc} does not answer") from error
    if answer.status_code >= 400:
        raise SandboxError(f"the sandbox answered {answer.status_code} to {urlsplit(url).path}"
                           f"{_detail(answer)}")
    return answer


def _detail(answer: requests.Response) -> str:
    """What the sandbox's own endpoints say is wrong, in a form to be read."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(detail, str):
        return f": {detail}"
    return ": " + "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in detail)
