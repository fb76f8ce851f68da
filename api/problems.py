"""The one map from errors to answers: RFC 9457 problems on the API, a plain page in the browser."""

from dataclasses import dataclass
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api import errors
from api.pages.render import page
from providers import errors as vendors
from registry import (
    connections,
    consents,
    cycles,
    database,
    people,
    quality_reading,
    reading,
)
from vitalcast import linking

MEDIA_TYPE = "application/problem+json"
LINKS = "/v1/connections/"     # where a browser comes back from a vendor, too
TYPE_PREFIX = "urn:vitalcast:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: HTTP status, the type's last part, and the title."""

    status: int
    slug: str
    title: str


KINDS: dict[type[Exception], Kind] = {
    reading.PatientNotFound: Kind(404, "patient-not-found", "Patient not found"),
    reading.DocumentNotFound: Kind(404, "model-not-found", "Model document not found"),
    quality_reading.ReportNotFound: Kind(404, "report-not-found", "No report of that day"),
    cycles.CycleNotFound: Kind(404, "cycle-not-found", "No such cycle"),
    database.DatabaseUnreachable: Kind(503, "database-unreachable", "Database unreachable"),
    database.NotMigrated: Kind(503, "not-migrated", "Database not migrated"),
    people.EntryExists: Kind(409, "entry-exists", "Entry exists"),
    consents.ConsentOver: Kind(400, "consent-over", "Consent over"),
    consents.ConnectionNotFound: Kind(404, "connection-not-found", "Connection not found"),
    connections.AccountTaken: Kind(409, "account-taken", "Account of another patient"),
    linking.ConsentRefused: Kind(403, "consent-refused", "No consent"),
    linking.NotSetUp: Kind(503, "linking-not-set-up", "Accounts cannot be linked here yet"),
    vendors.ReauthorisationRequired: Kind(400, "code-refused", "The vendor's code is no good"),
    vendors.NotLinked: Kind(409, "account-without-wearable", "Account without a wearable"),
    vendors.ProviderError: Kind(502, "vendor-failed", "The vendor did not answer well"),
    errors.NotSignedInError: Kind(401, "not-signed-in", "Not signed in"),
    errors.WrongLoginError: Kind(401, "wrong-login", "Wrong name or password"),
    errors.TooManyLoginsError: Kind(429, "too-many-logins", "Too many failed logins"),
    errors.NotAllowedError: Kind(403, "not-allowed", "Not allowed"),
    errors.ForeignOriginError: Kind(403, "foreign-origin", "Form from another site"),
    errors.NoForecastError: Kind(404, "nothing-yet", "Nothing computed yet"),
    errors.EntryInFutureError: Kind(422, "entry-in-future", "Entry in the future"),
    errors.WindowInvalidError: Kind(422, "window-invalid", "Window invalid"),
    errors.HorizonTooLongError: Kind(422, "horizon-too-long", "Horizon too long"),
    errors.WebhookUnknownError: Kind(404, "webhook-unknown", "No such webhook"),
    errors.WebhookRefusedError: Kind(401, "webhook-refused", "Webhook not verified"),
    errors.WebhookTooLargeError: Kind(413, "webhook-too-large", "Webhook too large"),
    errors.WebhookSlowError: Kind(408, "webhook-slow", "Webhook too slow"),
}

PAGE_DETAILS = {
    "patient-not-found": "There is no such patient in your care. The work list has all who are.",
    "http-404": "There is no page at this address.",
}
"""What a person is told at a page, where the API tells addresses."""

HOST_TELLING = (database.DatabaseUnreachable, database.NotMigrated)

INVALID = Kind(422, "invalid-request", "Invalid request")
INTERNAL = Kind(500, "internal-error", "Internal error")
INTERNAL_DETAIL = "The server failed and has logged why; try again, then tell the operator."


class Problem(Response):
    """A problem body; `extra` are members beside the five standard ones."""

    media_type = MEDIA_TYPE

    def __init__(
        self, kind: Kind, detail: str, headers: dict[str, str] | None = None, **extra: object
    ) -> None:
        body = {
            "type": TYPE_PREFIX + kind.slug, "title": kind.title, "status": kind.status,
            "detail": detail, **extra,
        }
        super().__init__(orjson.dumps(body), status_code=kind.status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error of the map, of validation and of routing on `app`."""
    for error in KINDS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _known(request: Request, error: Exception) -> Response:
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    if isinstance(error, errors.NotSignedInError) and _wants_page(request):
        back = f"?next={quote(_address(request))}" if request.method == "GET" else ""
        return RedirectResponse(f"/login{back}", status_code=303)
    return _answer(request, kind, _detail(error), _headers(error))


def _address(request: Request) -> str:
    """What was asked for; links to a vendor's page carry the patient in their query."""
    linked = request.url.path.startswith(LINKS) and request.url.query
    return f"{request.url.path}?{request.url.query}" if linked else request.url.path


def _detail(error: Exception) -> str:
    """The message; of the registry's own errors the general one, which names no host."""
    if isinstance(error, vendors.ReauthorisationRequired):
        return "the consent is spent or too old; begin again at the patient's page"
    general = type(error).__doc__ or ""
    return general if isinstance(error, HOST_TELLING) else str(error) or general


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.NotSignedInError | errors.WrongLoginError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.TooManyLoginsError):
        return {"Retry-After": str(error.retry_after_s)}
    return {}


def _invalid(request: Request, error: Exception) -> Response:
    """Names the fields and what they need, never what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]),
         "message": fault["msg"]}
        for fault in error.errors()
    ]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    if _wants_page(request):
        return _answer(request, INVALID, detail)
    return Problem(INVALID, detail, errors=faults)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = Kind(error.status_code, f"http-{error.status_code}", str(error.detail))
    detail = f"{error.detail}: the addresses of this API are listed at /docs"
    return _answer(request, kind, detail, dict(error.headers or {}))


def _unexpected(request: Request, _: Exception) -> Response:
    return _answer(request, INTERNAL, INTERNAL_DETAIL)


def _answer(
    request: Request, kind: Kind, detail: str, headers: dict[str, str] | None = None
) -> Response:
    if _wants_page(request):
        return page("error.html", status=kind.status, code=kind.status, title=kind.title,
                    detail=PAGE_DETAILS.get(kind.slug, detail),
                    username=getattr(request.state, "username", None))
    return Problem(kind, detail, headers)


def _wants_page(request: Request) -> bool:
    path = request.url.path
    browsing = "text/html" in request.headers.get("accept", "")
    return path == "/" or path.startswith("/patients/") or (
        browsing and (path.startswith(LINKS)
                      or not path.startswith(("/v1", "/healthz", "/readyz"))))
