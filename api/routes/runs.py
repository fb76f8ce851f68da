"""Pages of the cycles, for operators: how each went, and why one was late or wrong."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from api.pages import render
from api.pages.runs import cycle_row, cycle_view
from api.security import PageOperator, Readings
from api.settings import ApiSettings
from registry.cycles import CycleNotFound, Cycles
from vitalcast.cycle import parse_cycle
from vitalcast.errors import UserError
from vitalcast.explain import explain

MOST = 500

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(
    request: Request, operator: PageOperator, readings: Readings,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 48,
) -> HTMLResponse:
    """The newest cycles, newest first."""
    now, lines = now_of(request), readings.cycles.lines(limit)
    return render.page("runs.html", username=operator.username,
                       rows=[cycle_row(line, now) for line in lines],
                       more=MOST if len(lines) == limit < MOST else None)


@router.get("/runs/{hour}")
def run(
    request: Request, hour: str, operator: PageOperator, readings: Readings,
) -> HTMLResponse:
    """One cycle, by its hour or `latest`, beside the last good one."""
    cycles = readings.cycles
    view = cycle_view(explain(cycles.compared(cycle_named(cycles, hour)), now_of(request)))
    return render.page("run.html", username=operator.username, view=view)


def cycle_named(cycles: Cycles, name: str) -> datetime:
    """The cycle of an hour, or `latest`. CycleNotFound."""
    if name == "latest":
        return cycles.newest()
    try:
        return parse_cycle(name)
    except UserError as error:
        raise CycleNotFound(f"{error}, or latest") from None


def now_of(request: Request) -> datetime:
    """The clock that the application goes by."""
    settings: ApiSettings = request.app.state.settings
    return settings.clock()
