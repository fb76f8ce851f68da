"""The sandbox vendors' own side: their clock, whom they know, and a patient's consent."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from providers.oauth import AuthorisationRequest
from providers.observation import Provider
from vitalcast.errors import UserError

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


def subjects(root: str) -> list[Subject]:
    """Everybody the sandbox serves."""
    return [
        Subject(subject_id=row["subject_id"], provider=Provider(row["provider"]),
                birth_date=date.fromisoformat(row["birth_date"]) if row.get("birth_date") else None)
        for row in _call("GET", f"{root}/sandbox/subjects").json()
    ]


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
        raise SandboxError(f"the sandbox answered {answer.status_code} to {urlsplit(url).path}")
    return answer
