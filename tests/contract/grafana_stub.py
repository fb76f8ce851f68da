"""A Grafana on loopback, as far as provisioning goes: it keeps what it is sent and numbers it.

Written from Grafana's HTTP API; like the real one it adds keys of its own to what it stores.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Grafana:
    """What it holds, and every request with a body that it has taken."""

    version: str = "12.1.0"
    token: str = "good"
    role: str = "Admin"
    url: str = ""
    folders: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    boards: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)
    taken: list[tuple[str, str, Json]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Json, token: str) -> tuple[int, Any]:
        """Status and body of an answer."""
        if token != f"Bearer {self.token}":
            return 401, {"message": "Invalid API key"}
        if path == "/frontend/settings":
            return 200, {"buildInfo": {"version": self.version, "commit": "x"}}
        if self.role != "Admin" and method != "GET":
            return 403, {"message": "You'll need additional permissions"}
        if method != "GET":
            self.taken.append((method, path, body))
        for pattern, answer in _ROUTES:
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return answer(self, body, *found.groups())  # type: ignore[no-any-return]
        return 404, {"message": "Not found"}

    def edit_board(self, uid: str, **changed: Any) -> None:
        """What somebody does in the browser."""
        self.boards[uid] |= changed
        self.boards[uid]["version"] += 1
        self.messages[uid].append("")


def _found(thing: Json | None) -> tuple[int, Any]:
    return (200, thing) if thing else (404, {"message": "not found"})


def _new_folder(grafana: Grafana, body: Json) -> tuple[int, Any]:
    grafana.folders[body["uid"]] = {**body, "id": 1, "version": 1}
    return 200, grafana.folders[body["uid"]]


def _new_source(grafana: Grafana, body: Json, uid: str = "") -> tuple[int, Any]:
    kept = {key: value for key, value in body.items() if key != "secureJsonData"}
    grafana.sources[uid or body["uid"]] = {
        "isDefault": False, **kept, "id": 1, "readOnly": False,
        "secureJsonFields": dict.fromkeys(body["secureJsonData"], True)}
    return 200, {"datasource": kept}


def _board(grafana: Grafana, body: Json, uid: str) -> tuple[int, Any]:
    board = grafana.boards.get(uid)
    return _found(board and {"dashboard": board, "meta": {"folderUid": "vitalcast"}})


def _save_board(grafana: Grafana, body: Json) -> tuple[int, Any]:
    model = body["dashboard"]
    stored = grafana.boards.get(model["uid"])
    if stored and not body["overwrite"] and model.get("version") != stored["version"]:
        return 412, {"message": "The dashboard has been changed by someone else",
                     "status": "version-mismatch"}
    if body["folderUid"] not in grafana.folders:
        return 400, {"message": "folder not found"}
    version = stored["version"] + 1 if stored else 1
    grafana.boards[model["uid"]] = {**model, "id": 7, "version": version, "fiscalYearStartMonth": 0}
    grafana.messages.setdefault(model["uid"], []).append(body["message"])
    return 200, {"status": "success", "uid": model["uid"], "version": version}


def _versions(grafana: Grafana, body: Json, uid: str) -> tuple[int, Any]:
    return 200, {"versions": [
        {"version": number, "message": message}
        for number, message in reversed(list(enumerate(grafana.messages[uid], 1)))]}


def _save_rule(grafana: Grafana, body: Json, uid: str = "") -> tuple[int, Any]:
    if not isinstance(body["for"], str):                    # as the real one: a duration is a text
        return 400, {"message": "bad request data"}
    minutes = int(body["for"].removesuffix("m")) if body["for"].endswith("m") else None
    if minutes is not None and (not minutes or minutes % 60 == 0):
        body["for"] = f"{minutes // 60}h" if minutes else "0s"      # as Prometheus writes it
    data = [{**one, "model": {**one["model"], "intervalMs": 1000, "maxDataPoints": 43200}}
            for one in body["data"]]
    grafana.rules[uid or body["uid"]] = {**body, "data": data, "id": 3, "provenance": "api",
                                         "updated": "2026-11-21T00:00:00Z"}
    return 201, grafana.rules[uid or body["uid"]]


_ROUTES: list[tuple[str, Any]] = [
    (r"GET /folders/([\w-]+)", lambda own, _, uid: _found(own.folders.get(uid))),
    (r"POST /folders", _new_folder),
    (r"GET /datasources/uid/([\w-]+)", lambda own, _, uid: _found(own.sources.get(uid))),
    (r"POST /datasources", _new_source),
    (r"PUT /datasources/uid/([\w-]+)", _new_source),
    (r"GET /dashboards/uid/([\w-]+)", _board),
    (r"POST /dashboards/db", _save_board),
    (r"GET /dashboards/uid/([\w-]+)/versions", _versions),
    (r"GET /v1/provisioning/alert-rules/([\w-]+)",
     lambda own, _, uid: _found(own.rules.get(uid))),
    (r"POST /v1/provisioning/alert-rules", _save_rule),
    (r"PUT /v1/provisioning/alert-rules/([\w-]+)", _save_rule),
]


@contextmanager
def serving(grafana: Grafana) -> Iterator[Grafana]:
    """The stub, listening on loopback."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1                # an answer in one packet, not head and body apart

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path = self.path.partition("?")[0].removeprefix("/api")
            status, answer = grafana.answer(
                self.command, path, body, self.headers.get("Authorization", ""))
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 -- http.server's names

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
