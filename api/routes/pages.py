"""The doctor's pages: sign in, work list, report, and the report as one file to keep."""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.entries import EntryIn, record
from api.errors import EntryInFutureError, TooManyLoginsError, WrongLoginError
from api.pages import render
from api.pages.entries import EntryForm, entry_form, faults, given
from api.pages.report import report_view
from api.pages.worklist import work_list_view
from api.routes.session import address_of
from api.security import (
    COOKIE,
    Logins,
    PageDoctor,
    PageReader,
    PageUser,
    Principal,
    Readings,
    Role,
    Tokens,
    own_form,
    page_doctor,
)
from api.sessions import SignIns
from api.settings import ApiSettings
from registry.people import EntryExists, People
from registry.reading import Reading

PAGE_SIZE = 100

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_form(next: str = "/") -> HTMLResponse:
    """The form to sign in."""
    return render.page("login.html", next=_local(next), fault=None, name="")


@router.post("/login", dependencies=[Depends(own_form)])
def login(
    request: Request, username: Annotated[str, Form()], password: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in: on success a cookie that no script can read, and on to the page asked for."""
    logins: Logins = request.app.state.logins
    try:
        principal = logins.sign_in(username, password, address_of(request))
    except (WrongLoginError, TooManyLoginsError) as error:
        status = 429 if isinstance(error, TooManyLoginsError) else 401
        return render.page("login.html", status=status, next=_local(next), name=username,
                           fault=str(error) or "The name or the password is wrong.")
    tokens: Tokens = request.app.state.tokens
    answer = RedirectResponse(_home(principal, _local(next)), status_code=303)
    answer.set_cookie(COOKIE, tokens.issue(principal), max_age=tokens.seconds, httponly=True,
                      samesite="lax", secure=_over_tls(request))
    return answer


@router.post("/logout", dependencies=[Depends(own_form)])
def logout(request: Request) -> Response:
    """End the session and forget the cookie."""
    sign_ins: SignIns = request.app.state.sign_ins
    sign_ins.end(request.cookies.get(COOKIE))
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_over_tls(request))
    return answer


@router.get("/")
def work_list(
    request: Request, user: PageUser, readings: Readings,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The doctor's patients, worst first; operators are led to the cycles."""
    if user.role is Role.OPERATOR:
        return RedirectResponse(_home(user, "/"), status_code=303)
    found = readings.patients(user.access, limit=PAGE_SIZE, offset=offset)
    view = work_list_view(found, offset, PAGE_SIZE, _now(request))
    return render.page("worklist.html", view=view, username=user.username)


@router.get("/patients/{patient_id}")
def report(
    request: Request, patient_id: str, reader: PageReader, readings: Readings, stored: str = "",
) -> HTMLResponse:
    """One patient's report; `stored` after an entry was."""
    form = entry_form(stored=bool(stored)) if reader.role is Role.DOCTOR else None
    return _report(request, patient_id, reader, readings, form)


async def sent_form(request: Request) -> dict[str, str]:
    """The text fields of a form, unchecked: what is wrong with them is told at the form."""
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


# Who asks comes before where from: a visitor whose login has ended is led to sign in.
@router.post("/patients/{patient_id}", dependencies=[Depends(page_doctor), Depends(own_form)])
def add_entry(
    request: Request, patient_id: str, doctor: PageDoctor, readings: Readings,
    sent: Annotated[dict[str, str], Depends(sent_form)],
) -> Response:
    """Store an entry and show the report again; what is refused is told at the form."""
    people: People = request.app.state.people
    try:
        entry = EntryIn.model_validate(given(sent))
        record(people, doctor, patient_id, entry, _now(request))
    except (ValidationError, EntryInFutureError, EntryExists) as error:
        status = 409 if isinstance(error, EntryExists) else 422
        return _report(request, patient_id, doctor, readings,
                       entry_form(sent=sent, faults=faults(error)), status)
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}?stored=yes", status_code=303)


@router.get("/patients/{patient_id}/report.html")
def report_file(
    request: Request, patient_id: str, reader: PageReader, readings: Readings
) -> HTMLResponse:
    """The same report as one file that opens without a network."""
    view = report_view(readings, reader.access, patient_id, _now(request))
    answer = HTMLResponse(render.html("report.html", standalone=True, view=view, username=None))
    answer.headers["Content-Security-Policy"] = (
        render.standalone_policy() + "; frame-ancestors 'none'")
    return answer


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API, to read and to try."""
    return render.page("docs.html")


def _report(
    request: Request, patient_id: str, reader: Principal, readings: Reading,
    form: EntryForm | None, status: int = 200,
) -> HTMLResponse:
    view = report_view(readings, reader.access, patient_id, _now(request))
    return render.page("report.html", status=status, view=view, username=reader.username,
                       form=form)


def _home(principal: Principal, page: str) -> str:
    """Operators have no work list: they begin with the cycles."""
    return "/runs" if page == "/" and principal.role is Role.OPERATOR else page


def _local(address: str) -> str:
    """Only a path of this site is gone back to, never another site's address."""
    safe = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if safe and address.isprintable() else "/"


def _over_tls(request: Request) -> bool:
    """A cookie that was set over TLS must not travel without."""
    return request.url.scheme == "https"


def _now(request: Request) -> datetime:
    settings: ApiSettings = request.app.state.settings
    return settings.clock()
