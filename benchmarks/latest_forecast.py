"""Requests per second of the latest forecast, beside an empty FastAPI route.

    python benchmarks/latest_forecast.py [--patients 300] [--requests 3000] [--rounds 7] [--json]

A doctor with all patients in care asks for their heart rates' latest forecasts, one patient after
the other, each with a day of hourly forecasts in a real Postgres. Three uvicorn processes of the
same kind take turns: `empty` returns {}; `asking` reads the database for each request; `latest` is
the API as it ships, which may give an answer again for two seconds. The client is this process:
eight keep-alive connections of plain sockets, so that it is not what is measured. Ratios are
medians over the rounds. Loopback only.
"""

import argparse
import hashlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
import requests
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app, from_environment
from api.settings import ApiSettings
from benchmarks.common import median_ratio, scratch_database, side_by_side
from registry.database import Connection, open_engine, transaction
from registry.forecasts import ForecastRow, save_forecasts
from registry.models import DocumentRow, save_documents
from registry.patients import Patient, save_patients
from registry.people import People
from vitalcast.processes import Command, Supervisor, free_port, listening

CONNECTIONS = 8
TIMEOUT_S = 20.0
LATEST = datetime(2026, 11, 20, 14, tzinfo=UTC)
HORIZON = 24
VITAL = "heart_rate"
DOCTOR = "doctor"
PASSWORD = "correct horse battery staple"
SECRET = "a secret of this benchmark alone, in no use elsewhere"
MEMBERS = ("arima", "ets", "theta", "tbats", "profile", "revert", "seasonal_naive")
WEIGHTS = dict.fromkeys(("1", "2-6", "7-12", "13-24"), 1 / len(MEMBERS))
SIDES = ("empty", "latest", "asking")
OK = b"HTTP/1.1 200 "


def empty() -> FastAPI:
    """The route to compare with."""
    app = FastAPI()

    @app.get("/empty")
    async def route() -> dict[str, str]:
        return {}

    return app


def latest() -> FastAPI:
    """The API as it ships."""
    return from_environment()


def asking() -> FastAPI:
    """The API without its memory of two seconds."""
    return create_app(ApiSettings(
        database_url=os.environ["VITALCAST_DATABASE_URL"], secret_key=SECRET, forecast_age_s=0))


def fill(url: str, patients: Sequence[str]) -> None:
    """A doctor, patients in care, and for each a day of hourly forecasts with seven members."""
    engine = open_engine(url)
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id=name) for name in patients])
        for name in patients:
            _forecasts(conn, name)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))
    engine.dispose()
    people = People(url)
    people.add_user(DOCTOR, PASSWORD, "doctor", None)
    people.close()


def _forecasts(conn: Connection, patient: str) -> None:
    document = json.dumps({"schema": "vitalcast.model/1", "series": patient})
    name = hashlib.sha256(document.encode()).hexdigest()
    save_documents(conn, [DocumentRow(
        document_id=name, patient_id=patient, vital=VITAL, member="ensemble", engine="native",
        cutoff=LATEST - timedelta(days=1), made_by="search", document=document)])
    save_forecasts(conn, [_forecast(patient, name, LATEST - timedelta(hours=ago))
                          for ago in range(24)])


def _forecast(patient: str, document_id: str, cutoff: datetime) -> ForecastRow:
    noise = np.random.default_rng(int(cutoff.timestamp()))

    def path(above: float) -> list[float]:
        return [float(one) for one in 72 + above + noise.normal(0, 3, HORIZON)]

    return ForecastRow(
        patient_id=patient, vital=VITAL, cutoff=cutoff, horizon=HORIZON, document_id=document_id,
        point=path(0), bounds={level: (path(-width), path(width))
                               for level, width in ((50, 4), (80, 8), (95, 12))},
        members={name: {"weights": WEIGHTS, "path": path(0)} for name in MEMBERS},
        absent={"hour_of_day": "switched off for this vital"})


def token(port: int) -> bytes:
    """The doctor's login token, of the API at `port`."""
    answer = requests.post(f"http://127.0.0.1:{port}/v1/token", timeout=TIMEOUT_S,
                           data={"username": DOCTOR, "password": PASSWORD})
    return str(answer.json()["access_token"]).encode()


def request_for(path: str, bearer: bytes) -> bytes:
    """A whole GET request."""
    return (b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n"
            % (path.encode(), bearer))


@contextmanager
def connected(port: int) -> Iterator[list[socket.socket]]:
    """Keep-alive connections to a local server."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
               for _ in range(CONNECTIONS)]


def request_rate(port: int, requests: Sequence[bytes], count: int) -> float:
    """Requests per second; each connection has one under way, all are answered with 200."""
    with connected(port) as connections:
        start = time.perf_counter()
        for number, request in enumerate(islice(cycle(requests), count)):
            connection = connections[number % CONNECTIONS]
            if number >= CONNECTIONS:
                receive(connection)
            connection.sendall(request)
        for connection in connections:
            receive(connection)
        return count / (time.perf_counter() - start)


def receive(connection: socket.socket) -> None:
    """Read one answer to its end. RuntimeError unless it is 200."""
    answer = connection.recv(65536)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += _more(connection)
    if not answer.startswith(OK):
        raise RuntimeError(f"the server answered {answer[:end].decode(errors='replace')}")
    head = answer[:end].lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    missing = end + 4 + length - len(answer)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise RuntimeError("the server closed the connection")
    return received


def serve(supervisor: Supervisor, side: str, url: str) -> int:
    """Start one side's uvicorn; its port."""
    port = free_port()
    supervisor.start(Command(
        name=side, ready=partial(listening, port), timeout_s=60,
        argv=[sys.executable, "-m", "uvicorn", f"benchmarks.latest_forecast:{side}", "--factory",
              "--host", "127.0.0.1", "--port", str(port), "--no-access-log",
              "--log-level", "critical"],
        env={"VITALCAST_DATABASE_URL": url, "VITALCAST_SECRET_KEY": SECRET}))
    return port


def figures(patients: int, requests: int, rounds: int) -> dict[str, float]:
    """Rates of the three sides, and the ratios to the empty route."""
    names = [f"p{number:04d}" for number in range(patients)]
    with (scratch_database() as url, tempfile.TemporaryDirectory() as logs,
          Supervisor(Path(logs)) as supervisor):
        fill(url, names)
        ports = {side: serve(supervisor, side, url) for side in SIDES}
        bearer = token(ports["latest"])
        forecasts = [request_for(f"/v1/patients/{name}/forecasts/{VITAL}", bearer)
                     for name in names]
        asked = {"empty": [request_for("/empty", bearer)],
                 "latest": forecasts, "asking": forecasts}
        rates = side_by_side(
            {side: partial(request_rate, ports[side], asked[side], requests) for side in asked},
            rounds)
    return {**{f"{side}_per_second": round(median(found)) for side, found in rates.items()},
            **{f"{side}_ratio": round(median_ratio(rates[side], rates["empty"]), 3)
               for side in ("latest", "asking")}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--requests", type=int, default=3000, help="by side and round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    found = figures(arguments.patients, arguments.requests, arguments.rounds)
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"empty route                         {found['empty_per_second']:6.0f} /s\n"
          f"latest forecast, as shipped         {found['latest_per_second']:6.0f} /s"
          f"  ratio {found['latest_ratio']:.2f}\n"
          f"latest forecast, database each time {found['asking_per_second']:6.0f} /s"
          f"  ratio {found['asking_ratio']:.2f}")


if __name__ == "__main__":
    main()
