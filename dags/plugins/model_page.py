"""Operators switch members on and off, vital by vital; nothing invalid is stored.

Airflow's own page of Variables takes any text, and an error shows in the next cycle only. Who may
read or change Variables in Airflow may read or change this one. Airflow does not ask for that on
the pages of plugins: each route here does.
"""

from pathlib import Path
from urllib.parse import urlsplit

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_variable
from airflow.models import Variable
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clinical.vitals import FORECAST_VITALS
from forecasting.config import DEFAULT_MEMBERS, ENGINES, SELECTABLE
from vitalcast.errors import ConfigInvalid
from vitalcast.model_config import ModelConfig, parse_config
from vitalcast.model_form import REST, engine_of, from_form, switch_of, to_form

CONFIG_VARIABLE = "vitalcast_model_config"
_DESCRIPTION = "Model configuration of vitalcast (JSON)"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                               "frame-ancestors 'self'",
    "Cache-Control": "no-store",
}

app = FastAPI(title="Models of vitalcast", docs_url=None, redoc_url=None, openapi_url=None)

_pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                     undefined=StrictUndefined)
_page = _pages.get_template("model_page.html")


@app.get("/", dependencies=[Depends(requires_access_variable("GET"))])
def show(saved: str = "") -> HTMLResponse:
    """The configuration that the next cycle will use; a wrong one with its faults."""
    try:
        config, fault = parse_config(Variable.get(CONFIG_VARIABLE, default_var="{}")), ""
    except ConfigInvalid as error:
        config, fault = ModelConfig(), (
            f"The stored configuration is refused and cycles fail. Shown are the defaults. {error}")
    return _shown(to_form(config), fault, saved=bool(saved) and not fault)


async def own_form(request: Request) -> dict[str, str]:
    """What a form of this very site sent (cross-site request forgery)."""
    if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
        raise HTTPException(403, "this form belongs to another site: open the page in Airflow")
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


@app.post("/", dependencies=[Depends(requires_access_variable("PUT"))])
def save(request: Request, session: SessionDep,
         sent: dict[str, str] = Depends(own_form)) -> Response:  # noqa: B008 -- FastAPI's form
    """Store what is valid; what is not comes back with every fault."""
    try:
        text = from_form(sent)
    except ConfigInvalid as error:
        return _shown(sent, str(error), status=422)
    Variable.set(CONFIG_VARIABLE, text, description=_DESCRIPTION, session=session)
    return RedirectResponse(f"{request.url.path}?saved=yes", status_code=303)


def _shown(form: dict[str, str], fault: str, *, saved: bool = False,
           status: int = 200) -> HTMLResponse:
    settings = {name: field for name, field in ModelConfig.model_fields.items()
                if name not in ("members", "engines")}
    page = _page.render(
        form=form, fault=fault, saved=saved, members=(*DEFAULT_MEMBERS, *SELECTABLE),
        usual=DEFAULT_MEMBERS, engines=ENGINES, vitals=FORECAST_VITALS,
        switch_of=switch_of, engine_of=engine_of, rest=REST, settings=settings)
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
