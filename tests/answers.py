"""What tests of the API ask of its answers, and the settings that it runs with."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from requests import Response

from api import schemas
from api.settings import ApiSettings
from tests.clinic import NOW
from tests.serving import Client

PROBLEM = "application/problem+json"
SignIn = Callable[..., Client]
"""Clients with a token for a name, and for another role than the user's where one is given."""
Browser = Callable[[str], Client]
"""Clients signed in as a role by cookie, as a browser is."""


def settings(url: str, **more: Any) -> ApiSettings:
    """Those of an API on `url` in the hour of the ward."""
    return ApiSettings(**{"database_url": url, "secret_key": "k" * 40, "clock": lambda: NOW,
                          "login_attempts": 50, **more})


def is_problem(answer: Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    schemas.ProblemOut.model_validate(body)
    assert body["type"] == f"urn:vitalcast:problem:{slug}"
    assert body["detail"].strip()
    return body


def held_to(schema: type[BaseModel], answer: Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    schema.model_validate_json(answer.content)
    body: dict[str, Any] = answer.json()
    assert set(body) == set(schema.model_fields)
    return body
