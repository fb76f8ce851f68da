"""What Prometheus reads of an installation that is in use: every figure, by the conventions."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from registry.metrics import FIGURES
from tests.answers import settings
from tests.reference.cycles import Installation
from tests.serving import Client, served

TOKEN = "a token that only Prometheus has"


@pytest.fixture(scope="module")
def prometheus(watched: Installation) -> Iterator[Client]:
    url = watched.system.engine.url.render_as_string(hide_password=False)
    app = create_app(settings(url, metrics_token=TOKEN, log_store=True))
    with served(app) as root, Client(root, TOKEN) as client:
        yield client


def test_every_figure_has_a_sample(prometheus: Client) -> None:
    told = prometheus.get("/metrics").text
    found = {family.name for family in text_string_to_metric_families(told) if family.samples}
    assert {figure.name for figure in FIGURES} <= found


def test_it_is_well_formed_by_the_conventions(prometheus: Client) -> None:
    told = prometheus.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    open_metrics = prometheus.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert open_metrics.text.endswith("# EOF\n")
    if not shutil.which("promtool") and not os.environ.get("CI"):
        pytest.skip("promtool is missing: make test-deps installs it")
    checked = subprocess.run(["promtool", "check", "metrics"], input=told.text, text=True,
                             capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
