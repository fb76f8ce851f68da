"""The client on a loopback server that lists runs as Airflow does: in pages of at most 100."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from vitalcast.airflow import AirflowClient, AirflowError, AirflowPlace
from vitalcast.keys import load_keys

RUNS = [{"id": number, "dag_run_id": f"run-{number}", "partition_key": f"hour-{number // 2}"}
        for number in range(300)]

SILENT, LATE = "a_dag_that_hangs", "a_dag_that_answers_late"


class _Airflow(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []
    """Of requests for LATE, the paths, or the ids of runs that were created."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if LATE not in self.path:
            self._say({"access_token": "token"})
            return
        self.asked.append(body["dag_run_id"])
        if self.asked.count(body["dag_run_id"]) > 1:          # created, though nobody was told
            self._say({"detail": "unique constraint"}, status=409)

    def do_GET(self) -> None:
        if SILENT in self.path:
            return
        if LATE in self.path:
            self.asked.append(self.path)
            if len(self.asked) == 1:
                return
        asked = parse_qs(urlsplit(self.path).query)
        newest_first = asked["order_by"] == ["-id"]
        found = sorted(RUNS, key=lambda run: int(str(run["id"])), reverse=newest_first)
        self._say({"dag_runs": found[:min(int(asked["limit"][0]), 100)]})

    def _say(self, body: object, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output stays clean."""


@pytest.fixture
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[AirflowClient]:
    _Airflow.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Airflow) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with closing(AirflowClient(AirflowPlace(
            home=tmp_path, port=server.server_port, database_url="", dags=tmp_path,
            keys=load_keys(tmp_path)), getattr(request, "param", 30))) as client:
            yield client
        server.shutdown()


def test_new_runs_are_found_behind_hundreds_of_old_ones(client: AirflowClient) -> None:
    found = [run["dag_run_id"] for run in client.runs("ingest_vitals", "hour-149")]
    assert found == ["run-298", "run-299"]


def test_what_is_not_answered_is_asked_again(client: AirflowClient) -> None:
    found = [run["dag_run_id"] for run in client.runs(LATE, "hour-149")]
    assert found == ["run-298", "run-299"]
    assert len(_Airflow.asked) == 2


def test_a_run_whose_creation_was_not_answered_is_created_once(client: AirflowClient) -> None:
    run_id = client.trigger(LATE, "2026-11-21T06:00:00")
    assert _Airflow.asked == [run_id, run_id]


@pytest.mark.parametrize("client", [0.0], indirect=True)
def test_an_airflow_that_does_not_answer_is_told_with_its_log(client: AirflowClient) -> None:
    with pytest.raises(AirflowError, match=r"does not answer.*airflow-api-server\.log"):
        client.runs(SILENT, "hour-149")
