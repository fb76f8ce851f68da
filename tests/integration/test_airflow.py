"""The cycle through a real scheduler, dag-processor and API server, as `vitalcast demo` runs it."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text

from clinical.vitals import Vital
from registry.database import open_engine, transaction
from tests.reference.cycles import await_that
from vitalcast.airflow import AirflowClient
from vitalcast.cycle import last_full_hour, partition_key
from vitalcast.dataset import Dataset
from vitalcast.follow import CHAIN, CycleFailed, follow, start_cycle
from vitalcast.model_config import parse_config
from vitalcast.model_form import REST, switch_of, to_form
from vitalcast.processes import script
from vitalcast.settings import Settings
from vitalcast.stack import CONFIG_VARIABLE, RunningStack, running_stack

CYCLE = datetime(2026, 11, 21, 6, tzinfo=UTC)
KEY = partition_key(CYCLE)
QUICK = {"members": {"arima": False, "tbats": False}, "window_hours": 168}
TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Place:
    """A running system and a login at its Airflow."""

    stack: RunningStack
    client: AirflowClient

    def configure(self, config: dict[str, Any]) -> None:
        self.client._call("PATCH", f"/variables/{CONFIG_VARIABLE}", {
            "key": CONFIG_VARIABLE, "value": json.dumps(config)})

    def config(self) -> Any:
        return json.loads(self.client._call("GET", f"/variables/{CONFIG_VARIABLE}")["value"])

    def rows(self, query: str) -> list[Any]:
        engine = open_engine(self.stack.settings.database_url)
        try:
            with transaction(engine) as conn:
                return list(conn.execute(text(query)).all())
        finally:
            engine.dispose()

    def trigger_without_key(self, dag: str) -> dict[str, Any]:
        run: dict[str, Any] = self.client._call(
            "POST", f"/dags/{dag}/dagRuns", {"logical_date": None})
        return run

    def end_of(self, dag: str, run_id: str) -> str:
        """The state that a run ends in."""
        def state() -> str:
            return str(self.client._call("GET", f"/dags/{dag}/dagRuns/{run_id}")["state"])

        await_that(f"the end of {dag}", lambda: state() in ("success", "failed"), TIMEOUT_S)
        return state()

    def run_of(self, dag: str, key: str) -> str:
        """The first run with that key, once there is one."""
        await_that(f"a run of {dag}", lambda: bool(self.client.runs(dag, key)), TIMEOUT_S)
        return str(self.client.runs(dag, key)[0]["dag_run_id"])

    def run_cycle(self) -> None:
        cycle = start_cycle(self.client, KEY)
        follow(cycle, self.stack.supervisor, lambda _: None, timeout_s=TIMEOUT_S)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """The stack with the cohort of eight, in a short directory its database user can enter."""
    home = Path(tempfile.mkdtemp(prefix="vc-af-"))
    home.chmod(0o755)
    settings = Settings(home=home, database_url="", airflow_database_url="")
    with (running_stack(settings, Dataset(data=None), CYCLE, schedule="manual",
                        step=lambda _: None) as stack,
          closing(AirflowClient(stack.airflow)) as client):
        one = Place(stack=stack, client=client)
        one.configure(QUICK)
        one.run_cycle()
        yield one
    shutil.rmtree(home)


def test_one_triggered_ingest_carries_its_key_through_the_chain(place: Place) -> None:
    for dag in CHAIN:
        runs = place.client.runs(dag, KEY)
        assert runs, f"{dag} did not run"
        assert {run["state"] for run in runs} == {"success"}


def test_every_patient_is_forecast_and_scored_at_the_key(place: Place) -> None:
    forecast = place.rows("SELECT DISTINCT patient_id FROM forecasts "
                          f"WHERE reason IS NULL AND cutoff = '{KEY}+00'")
    assert len(forecast) == 8
    assert len(place.rows(f"SELECT 1 FROM severities WHERE cutoff = '{KEY}+00'")) == 8
    (stored,) = place.rows("SELECT count(*) FROM forecasts "
                           "WHERE reason IS NULL AND cardinality(point) <> 24")
    assert stored[0] == 0


def test_the_variable_switches_members_off(place: Place) -> None:
    outcomes = place.rows("SELECT DISTINCT member, outcome FROM fits "
                          "WHERE member IN ('arima', 'tbats')")
    assert sorted(map(tuple, outcomes)) == [("arima", "switched_off"), ("tbats", "switched_off")]


def test_lineage_names_what_each_dag_read_and_wrote(place: Place) -> None:
    """From the vendors' links to severity: what a DAG writes, the next one reads."""
    read: dict[str, set[str]] = {}
    wrote: dict[str, set[str]] = {}
    for line in place.stack.airflow.lineage.read_text().splitlines():
        event = json.loads(line)
        dag = event["job"]["name"].split(".")[0]
        for found, side in ((read, "inputs"), (wrote, "outputs")):
            found.setdefault(dag, set()).update(
                dataset["name"].rsplit(".", 1)[-1] for dataset in event.get(side, ())
                if dataset["namespace"] == "postgres://registry:5432")
    assert "connections" in read["ingest_vitals"]
    assert "observations" in wrote["ingest_vitals"] & read["train_models"]
    assert "model_documents" in wrote["train_models"] & read["forecast_vitals"]
    assert "forecasts" in wrote["forecast_vitals"] & read["evaluate_models"]
    assert {"severities", "coverage"} <= wrote["forecast_vitals"]


def test_the_same_key_again_fits_nothing_and_keeps_the_forecasts(place: Place) -> None:
    before = place.rows("SELECT patient_id, vital, document_id, state_hash, point FROM forecasts "
                        "ORDER BY 1, 2")
    trained = place.rows("SELECT max(finished_at) FROM fits")
    place.run_cycle()
    assert place.rows("SELECT max(finished_at) FROM fits") == trained
    assert place.rows("SELECT patient_id, vital, document_id, state_hash, point FROM forecasts "
                      "ORDER BY 1, 2") == before


def test_the_models_page_is_for_who_may_change_variables(place: Place) -> None:
    page = f"{place.stack.airflow.url}/vitalcast/models/"
    for answer in (requests.get(page, timeout=30), requests.post(page, timeout=30)):
        assert answer.status_code == 401
    listed = place.client._call("GET", "/plugins")["plugins"]
    assert "Models of vitalcast" in {view["name"] for one in listed
                                     for view in one["external_views"]}


def test_members_are_switched_on_the_models_page(place: Place) -> None:
    page = f"{place.stack.airflow.url}/vitalcast/models/"
    with requests.Session() as browser:
        browser.headers.update(place.client._session.headers, Origin=place.stack.airflow.url)
        shown = browser.get(page, timeout=60)
        assert shown.ok and 'name="on:theta:spo2"' in shown.text
        sent = to_form(parse_config(json.dumps(QUICK)))
        del sent[switch_of("theta", Vital.SPO2)]
        try:
            assert browser.post(page, sent, timeout=30, headers={
                "Origin": "http://evil.example"}).status_code == 403
            refused = browser.post(page, sent | {REST: '{"windw_hours": 3}'}, timeout=30)
            assert refused.status_code == 422 and "windw_hours" in refused.text
            assert place.config() == QUICK
            saved = browser.post(page, sent, timeout=30)
            assert saved.ok and "Saved" in saved.text
            assert place.config() == {
                "members": {"arima": False, "tbats": False, "theta": {"spo2": False}},
                "window_hours": 168}
        finally:
            place.configure(QUICK)


def test_a_wrong_variable_fails_at_once_and_says_why(place: Place) -> None:
    place.configure({"windw_hours": 24})
    try:
        run_id = place.client.trigger("train_models", KEY)
        assert place.end_of("train_models", run_id) == "failed"
        (task,) = [one for one in place.client.tasks("train_models", run_id)
                   if one["task_id"] == "load_config"]
        assert (task["state"], task["try_number"]) == ("failed", 1)
        logs = (place.stack.settings.home / "airflow" / "logs").rglob("*.log")
        told = "".join(log.read_text() for log in logs if "task_id=load_config" in str(log))
        assert "windw_hours" in told
        assert "Settable are members" in told
    finally:
        place.configure(QUICK)


def test_every_dag_may_be_triggered_without_a_key(place: Place) -> None:
    """As by the button in Airflow's pages: ingest starts the chain for the hour of the click."""
    dags = {dag["dag_id"] for dag in place.client._call("GET", "/dags")["dags"]}
    assert set(CHAIN) < dags and len(dags) == 10
    runs = {dag: place.trigger_without_key(dag) for dag in dags}
    assert {dag: place.end_of(dag, run["dag_run_id"]) for dag, run in runs.items()} \
        == dict.fromkeys(dags, "success")
    hour = partition_key(last_full_hour(datetime.fromisoformat(
        runs["ingest_vitals"]["run_after"])))
    for dag in CHAIN[1:]:
        assert place.end_of(dag, place.run_of(dag, hour)) == "success"
    jobs = {row.job for row in place.rows(f"SELECT job FROM runs WHERE cycle = '{hour}+00'")}
    assert {"ingest", "train", "forecast", "evaluate", "rollup", "watch", "retain"} <= jobs


def test_following_a_failed_cycle_names_the_task(place: Place) -> None:
    place.configure({"horizon_hours": 0})
    try:
        with pytest.raises(CycleFailed, match="load_config"):
            place.run_cycle()
    finally:
        place.configure(QUICK)


def test_the_logs_of_the_tasks_name_nobody_and_hold_no_secret(place: Place) -> None:
    """After every job has run, and some have failed."""
    keys = place.stack.keys
    words = {row.patient_id for row in place.rows("SELECT patient_id FROM patients")}
    words |= {keys.secret_key, keys.token_key, keys.doctor_password, "Bearer ", "refresh_token"}
    logs = list((place.stack.settings.home / "airflow" / "logs").rglob("*.log"))
    assert len(logs) >= 4 and len(words) > 5
    found = [(word, log.name) for log in logs for word in words if word in log.read_text()]
    assert not found


def test_every_process_listens_on_loopback_alone(place: Place) -> None:
    ours = {place.stack.airflow.port, *(int(url.rsplit(":", 1)[1]) for url in (
        place.stack.api_url, place.stack.sandbox_url))}
    found = {port: address for address, port in _listening() if port in ours}
    assert found == dict.fromkeys(ours, "0100007F")


def _listening() -> Iterator[tuple[str, int]]:
    """Local address (hexadecimal, little-endian) and port of every listening IPv4 socket."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            yield address, int(port, 16)


def test_airflow_s_history_can_be_cleaned(place: Place) -> None:
    """As docs/deploy.md and the role of Ansible do; last here, for what is over goes."""
    before, now = {dag: len(place.client.runs(dag, KEY)) for dag in CHAIN}, datetime.now(UTC)
    await_that("DAGs that are parsed since, for others go too", lambda: all(
        datetime.fromisoformat(dag["last_parsed_time"]) > now
        for dag in place.client._call("GET", "/dags")["dags"]), TIMEOUT_S)
    subprocess.run([script("airflow"), "db", "clean", "--yes", "--skip-archive",
                    "--error-on-cleanup-failure", "--clean-before-timestamp",
                    now.isoformat()],
                   env={**os.environ, **place.stack.airflow.environment()}, check=True,
                   capture_output=True)
    # Airflow keeps the newest run of each DAG that nobody triggered by hand.
    left = {dag: len(place.client.runs(dag, KEY)) for dag in CHAIN}
    assert min(before.values()) > 0 and left["ingest_vitals"] == 0
    assert max(left.values()) <= 1 < max(before.values())
    again = place.trigger_without_key("retain_models")
    assert place.end_of("retain_models", again["dag_run_id"]) == "success"
