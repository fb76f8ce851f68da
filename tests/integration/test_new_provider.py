"""The provider of docs/new-provider.md, taken from the document and run through the real ingest."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from registry.database import transaction

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "new-provider.md").read_text()

PULSES = [{"id": f"p{hour}", "at": f"2026-11-20T{hour:02}:15:00+01:00", "value": 60 + hour,
           "watch": "w1"} for hour in range(1, 7)]
TEMPERATURES = [{"id": "t1", "at": "2026-11-20T08:00:00+01:00", "value": 371, "watch": "w1"},
                {"id": "t2", "at": "2026-11-20T09:00:00+01:00", "value": 3710, "watch": "w1"}]

RUN = """
import sys
from datetime import UTC, datetime, timedelta
from providers.oauth import TokenSet
from registry.connections import save_connection
from registry.database import transaction
from registry.patients import Patient, save_patients
from vitalcast.jobs.ingest import ingest
from vitalcast.wiring import open_system

system = open_system()
with transaction(system.engine) as conn:
    save_patients(conn, [Patient(patient_id="p1")])
    save_connection(conn, system.cipher, patient_id="p1", provider="pulsely", tokens=TokenSet(
        access_token="stale", refresh_token="r1", expires_at=datetime.now(UTC)))
for hour in (9, 10):
    cycle = datetime(2026, 11, 20, hour, tzinfo=UTC)
    print(ingest(system, cycle=cycle, shard="1/1"), file=sys.stderr)
"""


class Pulsely(BaseHTTPRequestHandler):
    """The invented vendor: two readings a page, a token that has to be renewed first."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        given = {name: value[0] for name, value in parse_qs(asked.query).items()}
        if self.headers["Authorization"] != "Bearer fresh":
            self.answer({"error": "expired"}, 401)
        elif asked.path == "/pulsely/v1/watch":
            self.answer({"synced_at": "2026-11-20T09:30:00+01:00"})
        else:
            self.answer(self.page(given))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert self.path == "/pulsely/token" and form["refresh_token"] == ["r1"]
        self.answer({"access_token": "fresh", "refresh_token": "r2", "expires_in": 3600,
                     "token_type": "Bearer"})

    def page(self, given: dict[str, str]) -> dict[str, Any]:
        held = PULSES if given["kind"] == "pulse" else TEMPERATURES
        since, until = (datetime.fromisoformat(given[name]) for name in ("since", "until"))
        found = [one for one in held if since <= datetime.fromisoformat(str(one["at"])) < until]
        start = int(given.get("page", 0))
        more = start + 2 < len(found)
        return {"readings": found[start:start + 2], "next": str(start + 2) if more else None}

    def answer(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def pulsely() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pulsely)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def follow_the_document(folder: Path) -> list[str]:
    """Do to a copy of the room what the document says; the files that it names."""
    shutil.copytree(ROOT / "providers", folder / "providers",
                    ignore=shutil.ignore_patterns("__pycache__"))
    named = []
    for language, body in re.findall(r"```(python|diff)\n(.*?)```", DOCUMENT, re.DOTALL):
        head, _, rest = body.partition("\n")
        path = head.removeprefix("# ")
        named.append(path)
        if language == "python":
            (folder / path).write_text(rest)
        else:
            insert(folder / path, rest.splitlines())
    return named


def insert(file: Path, lines: list[str]) -> None:
    """A diff of one line that is there and lines that come after it."""
    there, *more = lines
    added = "".join(line.removeprefix("+") + "\n" for line in more)
    before = file.read_text()
    line = there.removeprefix(" ") + "\n"
    assert before.count(line) == 1, f"{file.name} has no such line: {there}"
    file.write_text(before.replace(line, line + added))


def test_the_documents_provider_is_read_through_the_real_ingest(
        engine: Engine, database_url: str, tmp_path: Path) -> None:
    assert follow_the_document(tmp_path) == [
        "providers/observation.py", "providers/measures.py", "providers/pulsely.py"]
    with pulsely() as root:
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False,
            timeout=120, env={
                "PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin",
                "VITALCAST_DATABASE_URL": database_url, "VITALCAST_SANDBOX_URL": root,
                "VITALCAST_TOKEN_KEYS": Fernet.generate_key().decode(),
                "VITALCAST_HOME": str(tmp_path), "VITALCAST_HISTORY_DAYS": "2"})
    assert done.returncode == 0, done.stderr[-3000:]
    with transaction(engine) as conn:
        stored = [tuple(row) for row in conn.execute(text(
            "SELECT vital, CAST(value AS text), CAST(effective_start AS text), utc_offset_s,"
            " source_record_id FROM observations ORDER BY source_record_id"))]
        ledger = {tuple(row) for row in conn.execute(text(
            "SELECT resource, outcome, CAST(last_sync AS text) FROM fetches"
            " WHERE cycle = '2026-11-20 10:00+00'"))}
        refused = [tuple(row) for row in conn.execute(text("SELECT record, reason FROM refusals"))]
        tokens = conn.execute(text("SELECT token_version FROM connections")).scalar_one()
    assert stored == [
        *[("heart_rate", str(60 + hour), f"2026-11-20 {hour - 1:02}:15:00+00", 3600, f"p{hour}")
          for hour in range(1, 7)],
        ("body_temperature", "37.1", "2026-11-20 07:00:00+00", 3600, "t1")]
    assert ledger == {("pulse", "complete", "2026-11-20 08:30:00+00"),
                      ("temperature", "complete", "2026-11-20 08:30:00+00")}
    assert refused == [("readings[1]", "out of plausible range")]
    assert tokens == 2


def test_the_documents_module_is_written_as_the_house_is(tmp_path: Path) -> None:
    follow_the_document(tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    checked = subprocess.run([sys.executable, "-m", "ruff", "check", "--extend-ignore=I001",
                              "providers/pulsely.py"],
                             cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
