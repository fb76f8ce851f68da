"""Pages of the cycles, for operators: how each went, and why one was late or wrong."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from api.pages import render
from api.pages.runs import cycle_row, cycle_view
from api.security import PageOperator, Readings
from api.settings import ApiSettings
from registry.cycles import CycleNotFound
from vitalcast.cycle import parse_cycle
from vitalcast.errors import UserError
from vitalcast.explain import explain

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(
    request: Request, operator: PageOperator, readings: Readings,
    limit: Annotated[int, Query(ge=1, le=500)] = 48,
) -> HTMLResponse:
    """The newest cycles, newest first."""
    now = _now(request)
    return render.page("runs.html", username=operator.username,
                       rows=[cycle_row(line, now) for line in readings.cycles.lines(limit)])


@router.get("/runs/{hour}")
def run(
    request: Request, hour: str, operator: PageOperator, readings: Readings,
) -> HTMLResponse:
    """One cycle, by its hour or `latest`, beside the last good one."""
    cycles = readings.cycles
    cycle = cycles.newest() if hour == "latest" else _hour(hour)
    view = cycle_view(explain(cycles.compared(cycle), _now(request)))
    return render.page("run.html", username=operator.username, view=view)


def _hour(text: str) -> datetime:
    try:
        return parse_cycle(text)
    except UserError as error:
        raise CycleNotFound(f"{error}, or latest") from None


def _now(request: Request) -> datetime:
    settings: ApiSettings = request.app.state.settings
    return settings.clock()
