"""The slow, obvious client of the sandbox: consents, asks, walks every page. For tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from providers.catalogue import oauth_config, sandbox_endpoints
from providers.oauth import TokenSet, authorisation_url, exchange_code, refresh
from providers.observation import Provider
from providers.sandbox.cohort import cohort
from providers.sandbox.server import create_app, serving
from providers.sandbox.world import SandboxSettings, Source, World

NOW = int(datetime(2026, 11, 21, 6, tzinfo=UTC).timestamp())
REDIRECT = "http://127.0.0.1:1/callback"
TOKEN_PATH = {Provider.WITHINGS: "/withings/v2/oauth2", Provider.OURA: "/oura/oauth/token",
              Provider.GOOGLE_HEALTH: "/google_health/token"}


class SandboxUser:
    """Talks to one sandbox; `token` holds the answer of the last token request."""

    def __init__(self, root: str, session: requests.Session) -> None:
        self.root, self.session = root, session
        self.settings = SandboxSettings()
        self.token: dict[str, Any] = {}

    def get(self, path: str, **params: object) -> Any:
        return self.asked(path, **params).json()

    def asked(self, path: str, **params: object) -> requests.Response:
        text = {name: str(value) for name, value in params.items()}
        return self.session.get(self.root + path, params=text, timeout=60)

    def post(self, path: str, document: object) -> Any:
        return self.session.post(self.root + path, json=document, timeout=60).json()

    def code(self, provider: Provider, subject_id: str, **extra: str) -> str:
        asked = {"response_type": "code", "client_id": self.settings.client_id, "state": "s1",
                 "redirect_uri": REDIRECT, "login_hint": subject_id, "access_type": "offline"}
        answer = self.session.get(f"{self.root}/{provider}/authorize", params=asked | extra,
                                  allow_redirects=False, timeout=60)
        assert answer.status_code == 302, answer.text
        found = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert found["state"] == ["s1"]
        return found["code"][0]

    def request_token(self, provider: Provider, **fields: str) -> requests.Response:
        form = {"client_id": self.settings.client_id, "redirect_uri": REDIRECT,
                "client_secret": self.settings.client_secret, "action": "requesttoken"}
        return self.session.post(self.root + TOKEN_PATH[provider], data=form | fields, timeout=60)

    def exchanged(self, provider: Provider, code: str, **fields: str) -> requests.Response:
        return self.request_token(provider, grant_type="authorization_code", code=code, **fields)

    def refreshed(self, provider: Provider, refresh_token: str) -> requests.Response:
        return self.request_token(provider, grant_type="refresh_token",
                                  refresh_token=refresh_token)

    def connect(self, provider: Provider, subject_id: str) -> "SandboxUser":
        """Consent for a subject and use its token from now on."""
        document = self.exchanged(provider, self.code(provider, subject_id)).json()
        self.token = document.get("body", document)
        self.use(self.token["access_token"])
        return self

    def use(self, access_token: str) -> None:
        self.session.headers["Authorization"] = f"Bearer {access_token}"

    def withings(self, path: str, action: str, **fields: object) -> Any:
        return self.session.post(f"{self.root}/withings{path}", timeout=60,
                                 data={"action": action, **fields}).json()

    def groups(self, **fields: object) -> list[dict[str, Any]]:
        """Every measure group, page by page."""
        found, offset = [], 0
        while True:
            body = self.withings("/measure", "getmeas", offset=offset, **fields)["body"]
            found += body["measuregrps"]
            if not body.get("more"):
                return found
            offset = body["offset"]

    def points(self, kebab: str, **params: object) -> list[dict[str, Any]]:
        """Every Google data point, page by page."""
        found, token = [], ""
        while True:
            page = self.get(f"/google_health/v4/users/me/dataTypes/{kebab}/dataPoints",
                            pageToken=token, **params)
            found += page.get("dataPoints", [])
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def documents(self, collection: str, **params: object) -> list[dict[str, Any]]:
        """Every Oura document, page by page."""
        found: list[dict[str, Any]] = []
        token = None
        while True:
            page = self.get(f"/oura/v2/usercollection/{collection}", **params,
                            **({"next_token": token} if token else {}))
            found += page["data"]
            token = page["next_token"]
            if token is None:
                return found


class Tokens:
    """Consents as the patient would, and refreshes in memory."""

    def __init__(self, user: SandboxUser, provider: Provider, subject_id: str) -> None:
        self._config = oauth_config(
            provider, sandbox_endpoints(provider, user.root),
            user.settings.client_id, user.settings.client_secret, REDIRECT)
        asked = authorisation_url(self._config, "s1", login_hint=subject_id)
        sent = user.session.get(asked.url, allow_redirects=False, timeout=60).headers["Location"]
        (code,) = parse_qs(urlsplit(sent).query)["code"]
        self.held: TokenSet = exchange_code(self._config, code, asked.code_verifier)

    def access_token(self) -> str:
        return self.held.access_token

    def refresh(self, stale: str) -> str:  # noqa: ARG002 - a TokenSource's shape
        self.held = refresh(self._config, self.held.refresh_token)
        return self.held.access_token


@contextmanager
def sandbox_user(source: Source | None = None, **world: Any) -> Iterator[SandboxUser]:
    """A running sandbox (the cohort of seed 7 at `NOW` unless told otherwise) and its user."""
    served = World(source or cohort(7), **{"now": NOW, **world})
    with serving(create_app(served)) as root, requests.Session() as session:
        yield SandboxUser(root, session)
