"""Rules and configuration by promtool, and a real Prometheus that scrapes the API."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from api.app import create_app
from tests.answers import settings
from tests.serving import served
from vitalcast.processes import free_port

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards" / "prometheus"
TOKEN = "scraped with this"
WAIT_S = 60


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not shutil.which("promtool") and not os.environ.get("CI"):
        pytest.skip("Prometheus is missing: make test-deps installs it")


def promtool(*arguments: str, folder: Path = FOLDER) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=folder, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_rules_are_well_formed_and_do_what_their_tests_say() -> None:
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")


def test_every_alert_is_tested_and_has_its_page_in_the_runbook() -> None:
    tested = (FOLDER / "rules_test.yml").read_text()
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in rules():
        if name := rule.get("alert"):
            assert f"alertname: {name}" in tested, name
            document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
            assert document == "{{ $externalLabels.runbook }}" and anchor in anchors, rule


def test_the_configuration_names_what_there_is(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "metrics_token").write_text(TOKEN)
    promtool("check", "config", "prometheus.yml", folder=tmp_path)


def test_a_real_prometheus_scrapes_the_api_and_evaluates_the_rules(
        database_url: str, tmp_path: Path) -> None:
    app = create_app(settings(database_url, metrics_token=TOKEN))
    with served(app) as root, prometheus(tmp_path, root) as address:
        for _ in range(3):
            requests.get(f"{root}/healthz", timeout=10)
        up = asked(address, 'up{job="vitalcast"} == 1 and on() vitalcast_registry_up == 1')
        assert up[0]["metric"]["instance"] == root.removeprefix("http://")
        counted = 'vitalcast_http_requests_total{route="/healthz"} >= 3'
        assert asked(address, counted)[0]["metric"]["status"] == "200"
        told = requests.get(f"{address}/api/v1/rules", timeout=10).json()["data"]["groups"]
        assert sum(len(group["rules"]) for group in told) == len(rules())
        asked(address, 'vitalcast_http_requests_total{route="/metrics"}')


@contextmanager
def prometheus(folder: Path, root: str) -> Iterator[str]:
    """A Prometheus on loopback that scrapes `root` every half second; the value is its address."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["scrape_configs"] = config["scrape_configs"][:1]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [root.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "metrics_token").write_text(TOKEN)
    shutil.copy(FOLDER / "rules.yml", folder)
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def asked(address: str, expression: str) -> list[dict[str, Any]]:
    """What the expression gives, as soon as it gives something."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            answer = requests.get(f"{address}/api/v1/query", {"query": expression}, timeout=10)
            if answer.ok and (found := answer.json()["data"]["result"]):
                result: list[dict[str, Any]] = found
                return result
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{expression} gave nothing within {WAIT_S} s")
