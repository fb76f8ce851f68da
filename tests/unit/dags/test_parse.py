"""DAG files parse quickly and quietly: nothing heavy, nothing that touches the database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"numba", "statsforecast", "scipy", "pandas", "pyarrow", "sklearn", "registry"}

PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
sys.path.insert(0, sys.argv[1])      # as the dag-processor does
before = set(sys.modules)
bag = DagBag(sys.argv[1])
print("RESULT" + json.dumps({
    "errors": bag.import_errors,
    "dags": {name: {"tasks": sorted(dag.task_ids), "timetable": type(dag.timetable).__name__}
             for name, dag in bag.dags.items()},
    "imported": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
    told = subprocess.run(
        [sys.executable, "-c", PARSE, str(ROOT / "dags")], env=env, check=True,
        capture_output=True, text=True, cwd=home).stdout
    line = next(line for line in told.splitlines() if line.startswith("RESULT"))
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return result


def test_every_dag_parses(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == {
        "ingest_vitals", "train_models", "forecast_vitals", "evaluate_models", "retain_models",
        "watch_webhooks", "process_webhooks", "deliver_events",
        "check_quality", "subscribe_webhooks"}


def test_webhooks_are_processed_on_an_asset(parsed: dict[str, Any]) -> None:
    assert "Asset" in parsed["dags"]["process_webhooks"]["timetable"]


def test_parsing_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    assert HEAVY.isdisjoint(parsed["imported"])


def test_the_configuration_is_read_in_a_task(parsed: dict[str, Any]) -> None:
    for name in ("train_models", "forecast_vitals", "evaluate_models"):
        assert "load_config" in parsed["dags"][name]["tasks"]


def test_a_task_body_is_at_most_ten_lines() -> None:
    import ast

    for file in (ROOT / "dags").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            nested = isinstance(node, ast.FunctionDef) and any(
                "task" in ast.unparse(mark) for mark in node.decorator_list)
            if nested and isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                assert node.end_lineno - node.body[0].lineno < 10, f"{file.name}: {node.name}"
