"""The StatsD mapping, held to the list of metrics that the installed Airflow itself keeps."""

import re
from pathlib import Path
from typing import Any

import airflow
import pytest
import yaml

ROOT = Path(__file__).parents[3]
MAPPINGS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "dashboards" / "prometheus" / "statsd.yml").read_text())["mappings"]
KEPT = [one for one in MAPPINGS if one.get("action") != "drop"]
AIRFLOWS: list[dict[str, Any]] = yaml.safe_load(
    (Path(airflow.__file__).parent / "_shared" / "observability" / "metrics"
     / "metrics_template.yaml").read_text())["metrics"]
SUFFIXES = {"counter": "_total", "timer": "_seconds"}


def statsd_name(metric: dict[str, Any]) -> str:
    """How StatsD says it, `*` for what varies."""
    legacy = metric["legacy_name"]
    name = metric["name"] if legacy == "-" else legacy
    return "airflow." + re.sub(r"\{\w+\}", "*", name)


KNOWN = {statsd_name(metric): metric for metric in AIRFLOWS}


@pytest.mark.parametrize("mapping", KEPT, ids=lambda one: str(one["match"]))
def test_airflow_tells_what_is_mapped_and_its_name_says_its_kind(mapping: dict[str, Any]) -> None:
    metric = KNOWN[mapping["match"]]
    assert mapping["name"].endswith(SUFFIXES.get(metric["type"], ""))
    assert mapping["name"].endswith("_total") == (metric["type"] == "counter")
    varies = mapping["match"].count("*")
    used = {int(value[1:]) for value in mapping.get("labels", {}).values()
            if re.fullmatch(r"\$\d", str(value))}
    assert used == set(range(1, varies + 1))


def test_what_is_not_mapped_is_dropped_last() -> None:
    assert [one.get("action") for one in MAPPINGS[-2:]] == ["drop", "drop"]
    assert len({one["match"] for one in MAPPINGS}) == len(MAPPINGS)
