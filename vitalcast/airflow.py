"""A local Airflow: its environment, its processes, and a small client of its REST API.

Everything binds to loopback. The triggerer is left out: no DAG here defers. With a broker, tasks
run in Celery workers instead of beside the scheduler.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import requests

from vitalcast.errors import UserError
from vitalcast.keys import Keys
from vitalcast.processes import Command, script

USER = "admin"
POOLS = {"ingest": 8, "training": 2}
PARALLELISM = 4
"""Tasks at once, however many workers share them."""
_TIMEOUT_S = 60
_PATIENCE_S = 180
_AGAIN_S = 1.0
"""On a machine busy with other work, Airflow's first answers have taken more than 30 s: one that
does not come is asked for again, so long. A process that ended is told by its supervisor."""


class AirflowError(UserError):
    """Airflow refused a request, or a run failed; the message says where to look."""


class AirflowConflict(AirflowError):
    """What was to be created is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowPlace:
    """Where this Airflow lives: its folder, port, metadata database and the DAG folder.

    `workers` are the Celery workers that share the tasks over `broker_url`; empty = none.
    """

    home: Path
    port: int
    database_url: str
    dags: Path
    keys: Keys = field(repr=False)
    broker_url: str = field(default="", repr=False)
    workers: int = 2

    @property
    def url(self) -> str:
        """Root of the web interface and the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def lineage(self) -> Path:
        """File that OpenLineage's events go to, a line of JSON each."""
        return self.home / "lineage.jsonl"

    def environment(self) -> dict[str, str]:
        """Every setting set explicitly, so that no file and no default decides."""
        passwords = self.home / "passwords.json"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.dags / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor" if self.broker_url else "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__CORE__FERNET_KEY": self.keys.airflow_fernet_key,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database_url,
            "AIRFLOW__API_AUTH__JWT_SECRET": self.keys.airflow_jwt_secret,
            "AIRFLOW__API__SECRET_KEY": self.keys.airflow_api_secret,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "vitalcast",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({
                "type": "file", "append": True, "log_file_path": str(self.lineage)}),
            **(self._celery() if self.broker_url else {}),
        }

    def _celery(self) -> dict[str, str]:
        """A task is acknowledged when it has ended: one whose worker dies is run by another."""
        return {
            "AIRFLOW__CELERY__BROKER_URL": self.broker_url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.database_url}",
            "AIRFLOW__CELERY__TASK_ACKS_LATE": "true",
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(max(1, PARALLELISM // self.workers)),
        }

    def prepare(self) -> None:
        """Write what Airflow reads before it starts: the login."""
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.keys.airflow_password}))

    def migrate(self) -> Command:
        """Bring the metadata database up to date."""
        return Command(name="airflow-migrate", argv=[script("airflow"), "db", "migrate"],
                       env=self.environment())

    def processes(self) -> list[Command]:
        """The processes in the order to start them; only the API server is waited for."""
        env = self.environment()
        airflow = script("airflow")
        return [
            Command(name="airflow-scheduler", env=env,
                    argv=[airflow, "scheduler", "--skip-serve-logs"]),
            Command(name="airflow-dag-processor", env=env, argv=[airflow, "dag-processor"]),
            Command(name="airflow-api-server", env=env,
                    argv=[airflow, "api-server", "--host", "127.0.0.1", "--port", str(self.port)],
                    ready=self._answers),
            *(self._worker(number) for number in range(self.workers if self.broker_url else 0)),
        ]

    def _worker(self, number: int) -> Command:
        name = f"airflow-worker-{number + 1}"
        return Command(name=name, env=self.environment(), argv=[
            script("airflow"), "celery", "worker", "--skip-serve-logs", "--without-gossip",
            "--without-mingle", "--celery-hostname", f"{name}@%h"])

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v2/version", timeout=2).ok
        except requests.RequestException:
            return False


class AirflowClient:
    """The few calls of Airflow's REST API that the demo needs.

    What is not answered is asked again for `patience_s` seconds, then AirflowError; what is
    created has a name of its own, so that asking again creates nothing twice.
    """

    def __init__(self, place: AirflowPlace, patience_s: float = _PATIENCE_S) -> None:
        self._root, self._patience_s = place.url, patience_s
        self._session = requests.Session()
        answer = self._answer("POST", "/auth/token", {
            "username": USER, "password": place.keys.airflow_password})
        if not answer.ok:
            raise AirflowError(f"Airflow refused the login (HTTP {answer.status_code}); "
                               f"read {place.home / 'logs'}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._answer(method, f"/api/v2{path}", body)
        if answer.status_code == requests.codes.conflict:
            raise AirflowConflict
        if not answer.ok:
            raise AirflowError(f"Airflow answered {answer.status_code} to {method} {path}: "
                               f"{answer.text[:300]}")
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return self._session.request(method, f"{self._root}{path}", json=body,
                                             timeout=_TIMEOUT_S)
            except requests.RequestException as error:
                if time.monotonic() >= deadline:
                    raise AirflowError(
                        f"Airflow does not answer ({type(error).__name__}): read "
                        "airflow-api-server.log in logs of VITALCAST_HOME") from error
            time.sleep(_AGAIN_S)

    def ensure_pools(self) -> None:
        """Pools must exist before a DAG runs, or its tasks wait for ever."""
        for name, slots in POOLS.items():
            self._create("/pools", {"name": name, "slots": slots, "description": "vitalcast"})

    def ensure_variable(self, name: str, value: str, description: str) -> None:
        """A Variable that operators find and edit; one that is there stays as it is."""
        self._create("/variables", {"key": name, "value": value, "description": description})

    def _create(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._call("POST", path, body)
        except AirflowConflict:
            return

    def await_dags(self, names: set[str], timeout_s: float = 90) -> None:
        """Wait until every DAG is known to Airflow."""
        deadline = time.monotonic() + timeout_s
        while missing := names - {dag["dag_id"] for dag in self._call("GET", "/dags")["dags"]}:
            if time.monotonic() > deadline:
                faults = self._call("GET", "/importErrors")["import_errors"]
                told = "; ".join(fault["stack_trace"][-300:] for fault in faults)
                raise AirflowError(f"DAGs not found: {sorted(missing)}. {told}")
            time.sleep(0.5)

    def trigger(self, dag: str, key: str) -> str:
        """Start one run with this partition key; returns its id."""
        run_id = f"manual__{key}__{token_hex(4)}"
        self._create(f"/dags/{dag}/dagRuns", {
            "dag_run_id": run_id, "logical_date": None, "partition_key": key})
        return run_id

    def runs(self, dag: str, key: str) -> list[dict[str, Any]]:
        """The runs of a DAG with this partition key, oldest first.

        Among the DAG's newest 100: Airflow hands out no more at once, and it keeps every run.
        """
        found = self._call("GET", f"/dags/{dag}/dagRuns?order_by=-id&limit=100")["dag_runs"]
        return [run for run in reversed(found) if run.get("partition_key") == key]

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of one run."""
        found = self._call("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances?limit=200")
        return list(found["task_instances"])
