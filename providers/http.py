"""One authorised HTTP conversation with a vendor.

A `Session` adds to requests what every vendor needs: a base address, timeouts, the bearer token
(refreshed once when the vendor refuses it), the rate limit, retries with backoff, a circuit
breaker, and a cap on the size of a body. Errors are those of `providers.errors`; the vendor's own
way of telling them (HTTP status, or a status inside HTTP 200) is a `Judge`. Nothing is logged
here, and no token, header or body stands in a message.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Protocol, Self

import orjson
import requests
import tenacity
from requests.auth import AuthBase

from providers.breaker import Breaker
from providers.errors import (
    ProviderError,
    RateLimited,
    RequestRejected,
    SchemaError,
    ScopeMissing,
    TokenRejected,
    TransportError,
    VendorUnavailable,
)
from providers.limits import Limiter

Judge = Callable[[int, Any], ProviderError | None]
"""(HTTP status, decoded JSON or None) -> the error that this answer tells of; None: it is good."""


class TokenSource(Protocol):
    """Where access tokens come from; refreshing stores the new pair before it returns."""

    def access_token(self) -> str:
        """A token that is believed to be valid."""

    def refresh(self, stale: str) -> str:
        """Another token than `stale`, which the vendor refused.

        Raises ReauthorisationRequired when the vendor no longer accepts the refresh token.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to connect, and seconds without a byte before an answer counts as lost."""

    connect_s: float = 5
    read_s: float = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a transient failure is tried, and how long to wait in between.

    Waits grow from `first_s` by doubling, with jitter, up to `longest_s`. A Retry-After up to
    `retry_after_s` is honoured exactly; a longer one ends the attempt, the next cycle tries again.
    """

    attempts: int = 4
    first_s: float = 1
    longest_s: float = 30
    retry_after_s: float = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A good answer: the bytes as they came, and the JSON they hold."""

    status: int
    body: bytes
    document: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    params: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None


class _Bearer(AuthBase):
    """As an auth object, so that a .netrc entry cannot take the header's place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Session:
    """Requests to one vendor on behalf of one account."""

    def __init__(self, *, base_url: str, tokens: TokenSource, limiter: Limiter, judge: Judge,
                 account: str = "", timeouts: Timeouts | None = None,
                 patience: Patience | None = None, breaker: Breaker | None = None,
                 body_cap: int = 64 * 2**20,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._limiter = limiter
        self._judge = judge
        self._account = account
        self._timeouts = timeouts or Timeouts()
        self._patience = patience or Patience()
        self._breaker = breaker or Breaker()
        self._body_cap = body_cap
        self._sleep = sleep
        self._http = _http_session(self._base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """GET `path` below the base address. Raises a ProviderError unless the answer is good."""
        return self._call(_Request(method="GET", path=path, params=params))

    def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """POST a form that may be sent twice (Withings asks in forms). Raises as `get`."""
        return self._call(_Request(method="POST", path=path, form=form))

    def _call(self, request: _Request) -> Answer:
        with self._breaker.watching(self._account):
            return self._authorised(request)

    def _authorised(self, request: _Request) -> Answer:
        token = self._tokens.access_token()
        try:
            return self._patiently(request, token)
        except TokenRejected:
            fresh = self._tokens.refresh(token)
        return self._patiently(request, fresh)

    def _patiently(self, request: _Request, token: str) -> Answer:
        patience = self._patience
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another_try),
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=self._wait(), sleep=self._sleep, reraise=True,
        )
        return retrying(self._once, request, token)

    def _worth_another_try(self, error: BaseException) -> bool:
        asked = getattr(error, "retry_after_s", None)
        return (isinstance(error, ProviderError) and error.transient
                and (asked is None or asked <= self._patience.retry_after_s))

    def _wait(self) -> Callable[[tenacity.RetryCallState], float]:
        first_s, longest_s = self._patience.first_s, self._patience.longest_s
        backoff = (tenacity.wait_exponential(multiplier=first_s, max=longest_s)
                   + tenacity.wait_random(0, first_s))

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = getattr(error, "retry_after_s", None)
            return backoff(state) if asked is None else asked

        return wait

    def _once(self, request: _Request, token: str) -> Answer:
        self._limiter.acquire(self._account)
        try:
            with self._http.request(
                request.method, f"{self._base_url}{request.path}", auth=_Bearer(token),
                params=request.params, data=request.form, stream=True, allow_redirects=False,
                headers={"Accept": "application/json"},
                timeout=(self._timeouts.connect_s, self._timeouts.read_s),
            ) as response:
                body = self._body(response, request.path)
        except requests.RequestException as error:
            # Its text and its request hold the address and the headers: neither goes further.
            raise TransportError(f"{request.path}: {type(error).__name__}") from None
        return self._judged(response, body, request.path)

    def _body(self, response: requests.Response, path: str) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(2**16):
            body += chunk
            if len(body) > self._body_cap:
                raise SchemaError(f"{path}: the body is longer than {self._body_cap} bytes",
                                  http_status=response.status_code)
        return bytes(body)

    def _judged(self, response: requests.Response, body: bytes, path: str) -> Answer:
        status = response.status_code
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            if status == requests.codes.ok:
                raise TransportError(f"{path}: the body is not whole JSON",
                                     http_status=status) from None
            document = None
        error = self._judge(status, document)
        if error is None:
            return Answer(status=status, body=body, document=document)
        error.args = (f"{path}: {error}",)
        error.http_status = status
        if isinstance(error, RateLimited):
            error.retry_after_s = retry_after_s(response.headers)
        raise error


def _http_session(base_url: str) -> requests.Session:
    """With the machine's proxies and certificates, looked up once instead of for each request."""
    http = requests.Session()
    found = http.merge_environment_settings(base_url, {}, None, None, None)
    http.proxies, http.verify, http.trust_env = found["proxies"], found["verify"], False
    # A vendor's session cookie must not carry one request's identity into the next.
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return http


def judge_status(status: int) -> ProviderError | None:
    """What an HTTP status alone tells, for vendors that use it as the standard means it."""
    if status == requests.codes.ok:
        return None
    if status == requests.codes.unauthorized:
        return TokenRejected(f"HTTP {status}, the access token is refused")
    if status == requests.codes.forbidden:
        return ScopeMissing(f"HTTP {status}, the account does not allow this")
    if status == requests.codes.too_many_requests:
        return RateLimited(f"HTTP {status}, too many requests")
    if status >= requests.codes.internal_server_error or status == requests.codes.request_timeout:
        return VendorUnavailable(f"HTTP {status}, the vendor has a failure")
    return RequestRejected(f"HTTP {status}, the vendor refuses the request")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, as a number or a date; None when absent or unreadable.

    A date counts from the vendor's own clock where it tells it, else from ours.
    """
    text = headers.get("Retry-After", "")
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    if (until := _http_date(text)) is None:
        return None
    sent = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - sent).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
