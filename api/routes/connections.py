"""Patients' vendor accounts: linked by the patient's consent at the vendor, listed, ended.

A program gets the consent page's address and hands `state` and `code` back with the same token; a
browser with a login of the pages is led to the vendor and comes back to the patient's page.
"""

from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.answers import Answer
from api.link_schemas import AuthoriseOut, EndedOut, LinkedOut, LinksOut
from api.pages import render
from api.pages.connections import connections_view
from api.schemas import ProblemOut
from api.security import (
    LinkEnder,
    Linker,
    PageLinker,
    SignedIn,
    own_form,
    page_linker,
)
from providers.catalogue import CATALOGUE
from providers.observation import Provider
from registry.consents import Linked
from vitalcast.linking import Linking, missing_scopes


def _asked(provider: Provider) -> Provider:
    if provider not in CATALOGUE:
        raise ValueError(f"no accounts are linked at {provider}; choose from "
                         f"{', '.join(CATALOGUE)}")
    return provider


Vendor = Annotated[Provider, AfterValidator(_asked)]

router = APIRouter(
    tags=["connections"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


@router.get("/v1/connections", response_model=LinksOut)
def connections(request: Request, principal: SignedIn,
                patient_id: Annotated[str, Query()]) -> Answer:
    """A patient's links: status, what was granted, and what is missing for which vitals."""
    found = _linking(request).links(principal.access, patient_id)
    return Answer({"patient_id": patient_id, "connections": [_link(one) for one in found]})


@router.get("/v1/connections/{provider}/authorize", response_model=AuthoriseOut)
def authorize(request: Request, provider: Vendor, login: Linker,
              patient_id: Annotated[str, Query()]) -> Response:
    """The vendor's consent page for a patient. Valid for ten minutes, with this very login."""
    url = _linking(request).begin(login, provider, patient_id)
    if _by_program(request):
        return Answer({"url": url, "expires_in": 600})
    return RedirectResponse(url, status_code=303)


@router.get("/v1/connections/{provider}/callback", response_model=LinkedOut,
            responses={status: {"model": ProblemOut} for status in (400, 409, 502)})
def callback(
    request: Request, provider: Vendor, login: Linker, state: str = "",
    code: str | None = None, error: str | None = None,
) -> Response:
    """Where the vendor sends the patient back to: stores the consent, or says why there is none."""
    linking = _linking(request)
    patient_id = linking.finish(login, provider, state=state, code=code, error=error)
    answer: Response = RedirectResponse(
        f"{_page_of(patient_id)}?linked={provider}", status_code=303)
    if _by_program(request):
        answer = Answer({"patient_id": patient_id, "connection_id": f"{provider}:{patient_id}"})
    answer.background = BackgroundTask(linking.follow, provider, patient_id)
    return answer


@router.delete("/v1/connections/{connection_id}", response_model=EndedOut)
def end(request: Request, connection_id: str, principal: LinkEnder) -> Answer:
    """End a link: at the vendor where it lets us, and here; its tokens are gone."""
    told = _linking(request).end(principal.access, connection_id)
    return Answer({"connection_id": connection_id, "status": "revoked", "ended_at_vendor": told})


@router.get("/patients/{patient_id}/connections", include_in_schema=False)
def page(request: Request, patient_id: str, principal: PageLinker, linked: str = "",
         ended: str = "") -> HTMLResponse:
    """A patient's links, with what to press for another; `linked` and `ended` after either."""
    found = _linking(request).links(principal.access, patient_id)
    view = connections_view(patient_id, found, linked=linked, ended=ended,
                            is_doctor=principal.role.value == "doctor")
    return render.page("connections.html", view=view, username=principal.username)


@router.post("/patients/{patient_id}/connections/{connection_id}/end", include_in_schema=False,
             dependencies=[Depends(page_linker), Depends(own_form)])
def end_form(request: Request, patient_id: str, connection_id: str,
             principal: PageLinker) -> Response:
    """The page's form that ends a link."""
    told = _linking(request).end(principal.access, connection_id)
    return RedirectResponse(f"{_page_of(patient_id)}?ended={'vendor' if told else 'here'}",
                            status_code=303)


def _link(one: Linked) -> dict[str, Any]:
    missing = missing_scopes(one.provider, one.scopes_granted)
    return {**asdict(one), "scopes_missing": [asdict(scope) for scope in missing]}


def _by_program(request: Request) -> bool:
    return "authorization" in request.headers


def _page_of(patient_id: str) -> str:
    return f"/patients/{quote(patient_id, safe='')}/connections"


def _linking(request: Request) -> Linking:
    found: Linking = request.app.state.linking
    return found
