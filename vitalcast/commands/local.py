"""`vitalcast demo` and `vitalcast up`: the whole system on this machine, on sandbox vendors."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import join, quote
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from registry.connections import list_connections
from registry.database import transaction
from registry.patients import patient_ids
from registry.progress import series_trained
from vitalcast.airflow import USER as AIRFLOW_USER
from vitalcast.airflow import AirflowClient
from vitalcast.cycle import last_full_hour, parse_cycle, partition_key
from vitalcast.dataset import open_dataset
from vitalcast.errors import UserError
from vitalcast.follow import follow, start_cycle
from vitalcast.jobs.enrol import DOCTOR, OPERATOR
from vitalcast.jobs.overview import show_patients
from vitalcast.jobs.subscribe import subscribe
from vitalcast.past import MOST_HOURS, hours_before
from vitalcast.past import Hour as Earlier
from vitalcast.processes import script
from vitalcast.report import save_report
from vitalcast.sandbox_admin import set_clock
from vitalcast.settings import load_settings
from vitalcast.stack import RunningStack, running_stack
from vitalcast.wiring import open_system

Data = Annotated[Path | None, typer.Option(
    "--data", help="folder of recordings to replay (readings.parquet, subjects.csv); "
                   "default: eight generated patients")]
Hour = Annotated[str | None, typer.Option(
    "--hour", help="UTC hour of the cycle, e.g. 2026-11-21T03:00; default: the last full hour")]
Past = Annotated[int | None, typer.Option(
    "--past", min=0, max=MOST_HOURS,
    help="hours before it that generated patients live through first, one by one; default: three "
         "of the last day, in which something goes wrong")]

_CYCLE_TIMEOUT_S = 45 * 60
_TICK_S = 20
_DETAIL_S = 10
_LOG_WIDTH = 156   # a file has no width of its own


class Progress:
    """Tells what happens, line by line, with the time since the start."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._start = time.monotonic()
        self._last = ""
        self._told = 0.0

    def step(self, text: str) -> None:
        """A new step begins."""
        self._console.print(f"[dim]{self._elapsed()}[/dim]  {escape(text)}", soft_wrap=True)

    def now(self, state: str, detail: str = "") -> None:
        """Where the present step stands: told when the state changes, the detail now and then."""
        due = time.monotonic() - self._told > _DETAIL_S
        if state != self._last or due:
            self.step(f"  {state}{detail}")
            self._last, self._told = state, time.monotonic()

    def _elapsed(self) -> str:
        seconds = int(time.monotonic() - self._start)
        return f"{seconds // 60:2d}:{seconds % 60:02d}"


def demo(data: Data = None, hour: Hour = None, past: Past = None) -> None:
    """Run one whole cycle through Airflow, show the patients, and stop.

    Generated patients have a short past first: whole cycles of earlier hours, so that every board
    has something to show.

    Example: vitalcast demo --data recordings/
    """
    progress = Progress()
    cycle = parse_cycle(hour) if hour else last_full_hour(datetime.now(UTC))
    settings = load_settings()
    dataset = open_dataset(data, cycle, settings.home)
    with _terminable(), running_stack(
        settings, dataset, cycle, schedule="manual", step=progress.step,
        past=_past(data, past),
    ) as stack:
        _one_cycle(stack, cycle, progress)
        _show(stack, progress)
        progress.step("done; stopping every process")


def up(data: Data = None, past: Past = None) -> None:
    """The demo that stays: doctor's page, API and Airflow, a cycle every hour, until Ctrl-C.

    Example: vitalcast up
    """
    progress = Progress()
    cycle = last_full_hour(datetime.now(UTC))
    settings = load_settings()
    dataset = open_dataset(data, cycle, settings.home)
    with suppress(KeyboardInterrupt), _terminable(), running_stack(
        settings, dataset, cycle, schedule="hourly", step=progress.step,
        past=_past(data, past),
    ) as stack:
        _one_cycle(stack, cycle, progress)
        _show(stack, progress)
        _addresses(stack, progress)
        _keep(stack)


def _past(data: Path | None, count: int | None) -> Sequence[Earlier]:
    if data is None:
        return hours_before(count)
    if count:
        raise UserError("recordings have no past to live through: leave out --past, or --data")
    return ()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, or a closed terminal, ends the block like Ctrl-C: every process is stopped."""
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP)
               if signal.getsignal(number) is not signal.SIG_IGN]   # as under nohup
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _one_cycle(stack: RunningStack, cycle: datetime, progress: Progress) -> None:
    system = open_system(stack.settings)
    subscribe(system)
    progress.step(f"cycle of {cycle:%Y-%m-%d %H:%M} UTC for {stack.patients} patients, by Airflow")

    def tell(state: str) -> None:
        done, total = series_trained(system.engine, cycle)
        fits = f"; {done} of {total} series trained" if "train running" in state else ""
        progress.now(state, fits)

    with closing(AirflowClient(stack.airflow)) as client:
        follow(start_cycle(client, partition_key(cycle)), stack.supervisor, tell,
               timeout_s=_CYCLE_TIMEOUT_S)


def _show(stack: RunningStack, progress: Progress) -> None:
    system = open_system(stack.settings)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)
    worst = show_patients(system, console)
    if worst is not None:
        report = save_report(stack.api_url, DOCTOR, stack.keys.doctor_password, worst,
                             stack.settings.home / "reports")
        progress.step(f"report of the most severe patient, {worst}: {report}")
        progress.step("another report, by the patient's id: "
                      + _command(stack, "report", worst, "--out", f"{worst}.html"))


def _command(stack: RunningStack, *words: str) -> str:
    """A command line that works as it is printed, in any shell and folder on this machine."""
    settings = f"VITALCAST_HOME={quote(str(stack.settings.home.resolve()))}"
    return f"{settings} VITALCAST_DATABASE={stack.database} " + join([script("vitalcast"), *words])


def _ping(stack: RunningStack) -> str:
    with transaction(open_system(stack.settings).engine) as conn:
        link = list_connections(conn, patient_ids(conn))[0]
    return join([script("vitalcast"), "sandbox", "ping", link.provider, link.patient_id,
                 "--at", stack.sandbox_url])


def _addresses(stack: RunningStack, progress: Progress) -> None:
    keys = stack.keys
    for line in (
        f"doctor's page   {stack.api_url}/          {DOCTOR} / {keys.doctor_password}",
        f"API             {stack.api_url}/docs      {OPERATOR} / {keys.operator_password}",
        f"Airflow         {stack.airflow.url}/      {AIRFLOW_USER} / {keys.airflow_password}",
        f"sandbox vendors {stack.sandbox_url}       send a webhook: {_ping(stack)}",
        "Ctrl-C stops everything.",
    ):
        progress.step(line)


def _keep(stack: RunningStack) -> None:
    """Move the sandbox's clock with the real one until Ctrl-C."""
    while True:
        time.sleep(_TICK_S)
        stack.supervisor.check()
        set_clock(stack.sandbox_url, datetime.now(UTC))
