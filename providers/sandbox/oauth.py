"""The authorise page, and the token grant that Google and Oura share.

With `login_hint` the page consents by itself, as the patient of that name: to everything, or to
the scopes in `granted`; `decision=deny` refuses. A browser without `login_hint` is shown the form
that asks.
"""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from providers.observation import Provider
from providers.sandbox.exchange import Answer, Endpoint, written
from providers.sandbox.grants import Consent, GrantError, Issued, scopes_of
from providers.sandbox.world import World


def authorise_endpoint(world: World, provider: Provider) -> Endpoint:
    """`GET /{vendor}/authorize`: 302 to `redirect_uri` with a code for the subject `login_hint`."""

    async def endpoint(request: Request) -> Response:
        asked = request.query_params
        if "login_hint" not in asked and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_form(world, provider, asked))
        problem = _problem(world, provider, asked)
        if problem:
            body = {"error": "invalid_request", "error_description": problem}
            return Response(orjson.dumps(body), 400, media_type="application/json")
        state = {"state": asked["state"]} if "state" in asked else {}
        scope = _granted(asked)
        if asked.get("decision") == "deny" or (asked.get("scope") and not scope):
            refused = {"error": "access_denied", **state}
            return RedirectResponse(_with_query(asked["redirect_uri"], refused), status_code=302)
        code = world.grants.consent(Consent(
            provider=provider, subject_id=asked["login_hint"], scope=scope,
            redirect_uri=asked["redirect_uri"],
            offline=provider is not Provider.GOOGLE_HEALTH or asked.get("access_type") == "offline",
            challenge=_challenge(provider, asked),
            challenge_method=asked.get("code_challenge_method", "plain")))
        return RedirectResponse(_with_query(asked["redirect_uri"], {"code": code, **state}),
                                status_code=302)

    return endpoint


def revoke_endpoint(world: World, provider: Provider, field: str) -> Endpoint:
    """Ends the consent behind the token in `field`, of the form or the query."""

    async def endpoint(request: Request) -> Response:
        async with request.form() as form:
            token = form.get(field) or request.query_params.get(field, "")
        world.requests[f"{request.method} {request.url.path}"] += 1
        if world.grants.revoke(provider, str(token)):
            return written(Answer(body={}))
        return written(Answer(status=400, body={"error": "invalid_token"}))

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


def _granted(asked: QueryParams) -> str:
    """Those of the scopes asked for that the patient ticked, in the list's own separator."""
    scope = asked.get("scope", "")
    if "granted" not in asked:
        return scope
    ticked = scopes_of(" ".join(asked.getlist("granted")))
    return ("," if "," in scope else " ").join(one for one in scopes_of(scope) if one in ticked)


def _form(world: World, provider: Provider, asked: QueryParams) -> str:
    """The page at which a person consents: who it is, and to what."""
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
                     for name, value in (*asked.items(), ("granted", "")))
    people = "".join(f"<option>{escape(name)}</option>" for name, one in world.subjects.items()
                     if one.provider is provider)
    scopes = "".join(
        f'<li><label><input type="checkbox" name="granted" value="{escape(one)}" checked> '
        f"{escape(one)}</label></li>" for one in scopes_of(asked.get("scope", "")))
    return (f'<!doctype html><html lang="en"><title>{provider} (sandbox)</title>'
            f"<h1>{provider} (sandbox)</h1><p>vitalcast asks to read:</p><form>{hidden}"
            f'<ul>{scopes}</ul><p><label>Account <select name="login_hint">{people}</select>'
            '</label></p><button name="decision" value="allow">Allow</button> '
            '<button name="decision" value="deny">Deny</button></form></html>')


def _challenge(provider: Provider, asked: Mapping[str, str]) -> str:
    """Only Google has PKCE; the others ignore it."""
    return asked.get("code_challenge", "") if provider is Provider.GOOGLE_HEALTH else ""


def _with_query(uri: str, fields: Mapping[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(fields)) if part)
    return urlunsplit(parts._replace(query=query))
