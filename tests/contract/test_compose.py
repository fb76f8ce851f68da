"""The Compose file by the real Compose, the Dockerfile by hadolint, and both by what we promise."""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dashboards.sources import sources
from vitalcast.settings import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
EXAMPLE = (ROOT / "deploy.env.example").read_text()
SECRETS = re.findall(r"^([A-Z_]+)=$", EXAMPLE, re.MULTILINE)
PROFILES = ((), ("watch",), ("events",), ("watch", "events"))
OURS = "vitalcast:"
OF_THE_API = {"VITALCAST_SECRET_KEY", "VITALCAST_METRICS_TOKEN", "VITALCAST_REDIRECT_URI"}
NOT_ON_A_SERVER = {
    "VITALCAST_HOME", "VITALCAST_DATABASE", "VITALCAST_AIRFLOW_DATABASE_URL",
    "VITALCAST_BROKER_URL", "VITALCAST_CELERY_WORKERS", "VITALCAST_SANDBOX_URL"}
"""What only `vitalcast up` and `demo` read, and where the image keeps its home."""


def compose(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    """The real Compose, in an environment that holds what is given and no file's secrets."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **given}
    return subprocess.run([str(BIN / "docker-compose"), "--env-file", os.devnull, *arguments],
                          cwd=ROOT, env=env, text=True, capture_output=True, check=False)


def filled() -> dict[str, str]:
    return {name: f"a-{name.lower()}-of-the-test" for name in SECRETS}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    done = compose("--profile", "watch", "--profile", "events", "config", **filled())
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize("profiles", PROFILES, ids="-".join)
def test_every_profile_is_well_formed_and_silent(profiles: tuple[str, ...]) -> None:
    flags = [word for name in profiles for word in ("--profile", name)]
    done = compose(*flags, "config", "-q", **filled())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("missing", SECRETS)
def test_a_missing_secret_is_named_with_what_to_do(missing: str) -> None:
    for given in ({}, {missing: ""}):
        others = {name: value for name, value in filled().items() if name != missing}
        done = compose("config", "-q", **others, **given)
        assert done.returncode != 0
        assert f"required variable {missing} is missing a value: " in done.stderr


def test_nothing_runs_as_root_and_only_loopback_is_published(
        services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert str(service.get("user", "root")).split(":")[0] not in ("root", "0"), name
        assert {port["host_ip"] for port in service.get("ports", ())} <= {"127.0.0.1"}, name


def test_the_api_believes_the_gateway_of_its_own_network_alone() -> None:
    for given in ({}, {"NETWORK_SUBNET": "10.9.0.0/24", "NETWORK_GATEWAY": "10.9.0.1"}):
        told = yaml.safe_load(compose("config", **filled(), **given).stdout)
        [network] = told["networks"]["default"]["ipam"]["config"]
        believed = told["services"]["api"]["environment"]["FORWARDED_ALLOW_IPS"]
        assert believed == network["gateway"]
        assert ip_address(believed) in ip_network(network["subnet"])


def test_no_secret_is_an_argument_of_a_process(
        services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        told = f"{service.get('command')} {service.get('healthcheck', {}).get('test')}"
        assert not [secret for secret in filled().values() if secret in told], name


def test_what_goes_on_running_has_a_health_check_and_waits_for_what_it_needs(
        services: dict[str, dict[str, Any]]) -> None:
    assert {"postgres", "redis", "api", "airflow-api-server", "airflow-scheduler",
            "airflow-dag-processor", "airflow-triggerer", "airflow-worker", "grafana",
            "prometheus", "elasticsearch"} <= set(services)
    for name, service in services.items():
        assert service.get("restart") == "no" or "healthcheck" in service, name
        if service["image"].startswith(OURS):
            assert service["depends_on"] and service["read_only"], name
        assert service["logging"]["options"]["max-size"], name
    assert services["airflow-worker"]["deploy"]["replicas"] == 2


def test_airflow_finds_the_exporter_of_its_metrics_whatever_profile_runs() -> None:
    services = yaml.safe_load(compose("config", **filled()).stdout)["services"]
    for name, service in services.items():
        if name.startswith("airflow-"):
            assert service["environment"]["AIRFLOW__METRICS__STATSD_HOST"] == "statsd-exporter"
            assert service["depends_on"]["statsd-exporter"]["condition"] == "service_healthy"


def test_postgres_is_not_healthy_before_it_listens_to_others(
        services: dict[str, dict[str, Any]]) -> None:
    assert "-h 127.0.0.1" in " ".join(services["postgres"]["healthcheck"]["test"])


def test_alerts_of_prometheus_and_of_grafana_reach_the_alertmanager() -> None:
    told = yaml.safe_load(compose("--profile", "watch", "config", **filled()).stdout)
    files = {name: yaml.safe_load(one["content"] if "content" in one else
                                  Path(one["file"]).read_text())
             for name, one in told["configs"].items() if name != "databases"}
    [[target]] = [one["targets"] for one in
                  files["prometheus"]["alerting"]["alertmanagers"][0]["static_configs"]]
    assert target.split(":")[0] in told["services"]
    [contact] = files["contacts"]["contactPoints"]
    assert contact["receivers"][0]["settings"]["url"] == f"http://{target}"
    assert files["contacts"]["policies"][0]["receiver"] == contact["name"]
    sent_to = files["alertmanager"]["route"]
    receivers = {one["name"] for one in files["alertmanager"]["receivers"]}
    assert {sent_to["receiver"], *(one["receiver"] for one in sent_to["routes"])} <= receivers


def test_the_addresses_of_the_example_reach_what_compose_runs(
        services: dict[str, dict[str, Any]]) -> None:
    told = dict(re.findall(r"^#(VITALCAST_(?:GRAFANA|ELASTICSEARCH)\w*URL)=(.+)$", EXAMPLE,
                           re.MULTILINE))
    assert {urlsplit(url).hostname for url in told.values()} == {
        "grafana", "postgres", "elasticsearch"} <= set(services)
    [source] = sources(Settings.model_construct(
        grafana_database_url=told["VITALCAST_GRAFANA_DATABASE_URL"],
        grafana_patients_database_url=""))
    assert source.document["jsonData"]["sslmode"] == "disable"      # as Compose's PostgreSQL has it


@pytest.mark.parametrize(("name", "port", "answer", "healthy"), [
    ("elasticsearch", 9200, (200, "{}"), True), ("elasticsearch", 9200, (408, "{}"), False),
    ("airflow-api-server", 8080, (200, '{"metadatabase": {"status": "healthy"}}'), True),
    ("airflow-api-server", 8080, (200, '{"metadatabase": {"status": "unhealthy"}}'), False),
])
def test_a_health_check_tells_what_is_behind_the_port(
        services: dict[str, dict[str, Any]], name: str, port: int, answer: tuple[int, str],
        healthy: bool) -> None:
    with answering(*answer) as (stub, asked):
        _, *words = services[name]["healthcheck"]["test"]
        words = [word.replace(f":{port}", f":{stub}").replace("$$", "$") for word in words]
        done = subprocess.run(words, check=False, capture_output=True, env={
            "PATH": f"{BIN}:{os.environ['PATH']}", "ELASTIC_PASSWORD": "se same"})
    assert (done.returncode == 0) is healthy, done.stderr
    if name == "elasticsearch":
        assert asked == [f"Basic {b64encode(b'elastic:se same').decode()}"]


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[int, list[str | None]]]:
    """A server on loopback with one answer: its port, and the logins that it was asked with."""
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["authorization"])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def test_every_setting_reaches_our_services_from_the_env_file(
        services: dict[str, dict[str, Any]]) -> None:
    known = {f"VITALCAST_{name.upper()}" for name in Settings.model_fields} - NOT_ON_A_SERVER
    for service in services.values():
        if service["image"].startswith(OURS):
            given = {name for name in service["environment"] if name.startswith("VITALCAST_")}
            assert known - OF_THE_API <= given <= known
    assert known <= set(services["api"]["environment"])


def test_a_setting_of_the_env_file_is_handed_on_and_another_keeps_its_default() -> None:
    done = compose("config", **filled(), VITALCAST_RETAIN_DAYS="7")
    given = yaml.safe_load(done.stdout)["services"]["airflow-worker"]["environment"]
    assert (given["VITALCAST_RETAIN_DAYS"], given["VITALCAST_EVENT_DAYS"]) == ("7", None)


def test_dags_run_from_the_start(services: dict[str, dict[str, Any]]) -> None:
    for name in ("migrate", "airflow-dag-processor"):
        assert services[name]["environment"]["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == \
            "false"


def test_the_dockerfile_is_clean_multi_stage_and_not_root() -> None:
    done = subprocess.run([str(BIN / "hadolint"), "Dockerfile"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("\nFROM ") == 2 and re.search(r"^USER 10001", text, re.MULTILINE)


def test_the_image_holds_every_package_and_the_lock_of_run_time() -> None:
    copied = set(re.findall(r"^COPY (\w+) /", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    packages = re.search(r"^packages = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(),
                         re.MULTILINE | re.DOTALL)
    assert packages is not None
    rooms = {name.split(".")[0] for name in re.findall(r'"([\w.]+)"', packages[1])}
    assert rooms <= copied and "dags" in copied
    names = [set(re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / file).read_text(), re.MULTILINE))
             for file in ("requirements.run.lock", "requirements.lock")]
    assert names[0] < names[1]
    assert not {"pytest", "ruff", "ansible-core"} & {name for name, _ in names[0]}
