"""The whole system on one machine: database, sandbox vendors, API and Airflow, as processes.

Everything listens on loopback, on free ports; leaving the block stops all that it started.
StackBusy  another `vitalcast up` or `demo` uses the same home folder.
"""

import fcntl
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe

from providers.catalogue import CATALOGUE
from providers.observation import Provider
from registry.database import create_database
from vitalcast.airflow import AirflowClient, AirflowPlace
from vitalcast.dataset import Dataset
from vitalcast.errors import UserError
from vitalcast.home import make_home
from vitalcast.jobs.enrol import enrol_sandbox
from vitalcast.keys import Keys, load_keys
from vitalcast.local_database import database_server
from vitalcast.model_config import ModelConfig
from vitalcast.past import Hour, live_past
from vitalcast.processes import Command, Supervisor, free_port, listening, run_to_end
from vitalcast.sandbox_admin import google_keyset, send_webhooks_to
from vitalcast.settings import Settings, child_environment
from vitalcast.wiring import client_of, open_system

DAGS = {"ingest_vitals", "train_models", "forecast_vitals", "evaluate_models", "retain_models"}
CONFIG_VARIABLE = "vitalcast_model_config"
CONFIG_HELP = "Model configuration; `vitalcast config --schema` prints what it takes"
_NO_LIMIT = "1000000/60"

Step = Callable[[str], None]


class StackBusy(UserError):
    """Another `vitalcast up` or `vitalcast demo` uses this home folder: stop it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A started system: settings that lead to it, its addresses and its supervisor."""

    settings: Settings
    database: str
    keys: Keys
    sandbox_url: str
    api_url: str
    airflow: AirflowPlace
    supervisor: Supervisor
    patients: int


@contextmanager
def running_stack(
    settings: Settings, dataset: Dataset, cycle: datetime, *, schedule: str, step: Step,
    past: Sequence[Hour] = (),
) -> Iterator[RunningStack]:
    """Start everything for `dataset` with the sandbox's clock at `cycle`, stop it at the end.

    `schedule` is "manual" or "hourly" (see the DAGs); `step` is told what happens next. The
    hours of `past` are lived through before Airflow starts.
    """
    dataset.check()
    with ExitStack() as stack:
        stack.enter_context(only_one(settings.home))
        keys = load_keys(settings.home)
        step("database")
        database_url = stack.enter_context(database_server(settings, dataset.name))
        supervisor = stack.enter_context(Supervisor(settings.home / "logs"))
        step("sandbox vendors")
        sandbox_url = _start_sandbox(supervisor, settings.home, dataset, cycle)
        local = _with_webhooks(_local_settings(settings, keys, database_url, sandbox_url))
        step("API and doctor's page")
        api_url = _start_api(supervisor, local)
        local = local.model_copy(update={"webhook_url": api_url})
        send_webhooks_to(sandbox_url, local)
        step("patients give their consent at the sandbox vendors")
        patients = _enrol(local, keys, cycle, past, step)
        step("Airflow: metadata")
        airflow = _airflow_place(local, keys)
        run_to_end(_with_environment(airflow.migrate(), local, schedule), settings.home / "logs")
        step("Airflow: scheduler, dag-processor, API server")
        _start_airflow(supervisor, airflow, local, schedule)
        yield RunningStack(
            settings=local, database=f"vitalcast_{dataset.name}", keys=keys, api_url=api_url,
            sandbox_url=sandbox_url, airflow=airflow, supervisor=supervisor, patients=patients)


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """StackBusy while another stack of this home runs."""
    make_home(home)
    with (home / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackBusy(f"another `vitalcast up` or `vitalcast demo` runs in {home}: stop it "
                            "first, or set VITALCAST_HOME to another folder") from error
        yield


def _local_settings(
    settings: Settings, keys: Keys, database_url: str, sandbox_url: str,
) -> Settings:
    unlimited = dict.fromkeys(CATALOGUE, _NO_LIMIT)
    return settings.model_copy(update={
        "database_url": database_url,
        "airflow_database_url": (settings.airflow_database_url
                                 or create_database(database_url, suffix="_airflow")),
        "sandbox_url": sandbox_url,
        "secret_key": settings.secret_key or keys.secret_key,
        "token_keys": settings.token_keys or keys.token_key,
        "rate_limits": settings.rate_limits or unlimited,
    })


def _with_webhooks(settings: Settings) -> Settings:
    """Webhooks of the sandbox's vendors: secrets and keyset are new with each start."""
    keyset = settings.home / "sandbox-keyset.json"
    keyset.write_bytes(google_keyset(settings.sandbox_url))
    return settings.model_copy(update={
        "webhook_withings": token_urlsafe(24), "webhook_oura_token": token_urlsafe(24),
        "webhook_oura": client_of(settings, Provider.OURA)[1],
        "webhook_google_health": token_urlsafe(24), "webhook_google_health_keyset": str(keyset)})


def _enrol(settings: Settings, keys: Keys, cycle: datetime, past: Sequence[Hour],
           step: Step) -> int:
    """Link everybody that the sandbox serves, and live through their past; how many there are."""
    system = open_system(settings)
    try:
        patients = enrol_sandbox(system, settings.sandbox_url, keys)
        live_past(system, cycle, step, hours=past)
    finally:
        system.engine.dispose()
    return patients


def _with_environment(command: Command, settings: Settings, schedule: str) -> Command:
    env = {**child_environment(settings), "VITALCAST_SCHEDULE": schedule, **command.env}
    return Command(name=command.name, argv=command.argv, env=env, ready=command.ready,
                   timeout_s=command.timeout_s)


def _start_sandbox(
    supervisor: Supervisor, home: Path, dataset: Dataset, cycle: datetime,
) -> str:
    port = free_port()
    data = ["--data", str(dataset.data)] if dataset.data else []
    supervisor.start(Command(
        name="sandbox", ready=lambda: listening(port),
        argv=[sys.executable, "-m", "providers.sandbox", "--port", str(port),
              "--now", cycle.isoformat(), "--state", str(home / f"{dataset.name}.sandbox.json"),
              *data],
    ))
    return f"http://127.0.0.1:{port}"


def _start_api(supervisor: Supervisor, settings: Settings) -> str:
    port = free_port()
    back = f"http://127.0.0.1:{port}/v1/connections/{{provider}}/callback"
    settings = settings.model_copy(update={"redirect_uri": back})
    supervisor.start(Command(
        name="api", env=child_environment(settings), ready=lambda: listening(port),
        argv=[sys.executable, "-m", "uvicorn", "api.app:from_environment", "--factory",
              "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"],
    ))
    return f"http://127.0.0.1:{port}"


def _airflow_place(settings: Settings, keys: Keys) -> AirflowPlace:
    root = Path(__file__).resolve().parent.parent
    return AirflowPlace(home=settings.home / "airflow", port=free_port(), keys=keys,
                        database_url=settings.airflow_database_url, dags=root / "dags",
                        broker_url=settings.broker_url, workers=settings.celery_workers)


def _start_airflow(
    supervisor: Supervisor, place: AirflowPlace, settings: Settings, schedule: str,
) -> None:
    place.prepare()
    for command in place.processes():
        supervisor.start(_with_environment(command, settings, schedule))
    with closing(AirflowClient(place)) as client:
        client.ensure_pools()
        client.ensure_variable(CONFIG_VARIABLE, ModelConfig().text(), CONFIG_HELP)
        client.await_dags(DAGS)
