"""The authorise page that consents by itself, and the token grant that Google and Oura share."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from providers.observation import Provider
from providers.sandbox.exchange import Answer, Endpoint
from providers.sandbox.grants import Consent, GrantError, Issued
from providers.sandbox.world import World


def authorise_endpoint(world: World, provider: Provider) -> Endpoint:
    """`GET /{vendor}/authorize`: 302 to `redirect_uri` with a code for the subject `login_hint`."""

    async def endpoint(request: Request) -> Response:
        asked = request.query_params
        problem = _problem(world, provider, asked)
        if problem:
            body = {"error": "invalid_request", "error_description": problem}
            return Response(orjson.dumps(body), 400, media_type="application/json")
        code = world.grants.consent(Consent(
            provider=provider, subject_id=asked["login_hint"], scope=asked.get("scope", ""),
            redirect_uri=asked["redirect_uri"],
            offline=provider is not Provider.GOOGLE_HEALTH or asked.get("access_type") == "offline",
            challenge=_challenge(provider, asked),
            challenge_method=asked.get("code_challenge_method", "plain")))
        answer = {"code": code, **({"state": asked["state"]} if "state" in asked else {})}
        return RedirectResponse(_with_query(asked["redirect_uri"], answer), status_code=302)

    return endpoint


def issue(world: World, provider: Provider, params: Mapping[str, str]) -> Issued:
    """What a token request is granted. `GrantError`."""
    match params.get("grant_type"):
        case "authorization_code":
            return world.grants.exchange(
                provider, params.get("code", ""), redirect_uri=params.get("redirect_uri", ""),
                verifier=params.get("code_verifier", ""))
        case "refresh_token":
            return world.grants.refresh(provider, params.get("refresh_token", ""))
        case other:
            raise GrantError("unsupported_grant_type", f"grant_type {other} is not supported")


def token_answer(issued: Issued) -> Answer:
    """The token response of RFC 6749."""
    body = {"access_token": issued.access_token, "token_type": "Bearer",
            "expires_in": issued.expires_in, "scope": issued.scope}
    if issued.refresh_token:
        body["refresh_token"] = issued.refresh_token
    return Answer(body=body)


def grant_refused(error: GrantError) -> Answer:
    """The error response of RFC 6749."""
    status = 401 if error.code == "invalid_client" else 400
    return Answer(status=status, body={"error": error.code, "error_description": str(error)})


def _problem(world: World, provider: Provider, asked: Mapping[str, str]) -> str:
    subject = world.subjects.get(asked.get("login_hint", ""))
    if asked.get("response_type") != "code":
        return "response_type must be code"
    if asked.get("client_id") != world.settings.client_id:
        return "unknown client_id"
    if urlsplit(asked.get("redirect_uri", "")).scheme not in ("http", "https"):
        return "redirect_uri must be an absolute http address"
    if subject is None or subject.provider is not provider:
        return f"login_hint must name a subject of {provider}; see /sandbox/subjects"
    return ""


def _challenge(provider: Provider, asked: Mapping[str, str]) -> str:
    """Only Google has PKCE; the others ignore it."""
    return asked.get("code_challenge", "") if provider is Provider.GOOGLE_HEALTH else ""


def _with_query(uri: str, fields: Mapping[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(fields)) if part)
    return urlunsplit(parts._replace(query=query))
