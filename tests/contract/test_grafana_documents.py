"""Boards and rules beside Grafana's own schemas, and beside what those leave open."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dashboards.alerts import RULES
from dashboards.boards import BOARDS
from dashboards.documents import board_json, rule_json
from dashboards.model import Kind, Rule

ROOT = Path(__file__).resolve().parents[2]
PANELS = [(board.uid, panel) for board in BOARDS for panel in board_json(board)["panels"]]
TARGET = {"refId", "datasource", "format", "rawQuery", "editorMode", "rawSql"}
REDUCED = {"lastNotNull"}
COLOURS = re.compile(
    r"((light|semi-dark|dark)-)?(green|yellow|orange|red|blue|purple)|#[0-9a-f]{6}")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def schema(shared: Path) -> Callable[[str], Json]:
    @cache
    def load(name: str) -> Json:
        path = shared / "contracts/grafana/jsonschema" / f"{name}.jsonschema.json"
        found: Json = json.loads(path.read_text())
        return found
    return load


def check(document: Any, schema: Json, definition: str) -> None:
    jsonschema.Draft7Validator({**schema, "$ref": f"#/definitions/{definition}"}).validate(document)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_is_a_dashboard(schema: Callable[[str], Json], board: Any) -> None:
    check(board_json(board), schema("dashboard"), "Dashboard")


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=lambda one: str(
    one if isinstance(one, str) else one["title"]))
def test_a_panel_is_one_of_its_type(schema: Callable[[str], Json], board: str,
                                    panel: Json) -> None:
    own = schema(panel["type"].replace("-", ""))
    check(panel["options"], own, "Options")
    custom = panel["fieldConfig"]["defaults"]["custom"]
    if "FieldConfig" in own["definitions"]:
        check(custom, own, "FieldConfig")
    else:
        assert custom == {}
    for name, value in custom_overrides(panel):
        check({name: value}, own, "FieldConfig")


def custom_overrides(panel: Json) -> Iterator[tuple[str, Any]]:
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"].startswith("custom."):
                yield one["id"].removeprefix("custom."), one["value"]


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=lambda one: str(
    one if isinstance(one, str) else one["title"]))
def test_what_the_schemas_leave_open(schema: Callable[[str], Json], board: str,
                                     panel: Json) -> None:
    assert panel["type"] in set(Kind)
    for target in panel["targets"]:
        assert set(target) == TARGET
        assert target["format"] in {"time_series", "table"}
    units = {one.get("const") for one in schema("units")["definitions"].values()}
    assert panel["fieldConfig"]["defaults"]["unit"] in units
    for colour in colours_of(panel):
        assert COLOURS.fullmatch(colour), colour
    assert set(panel["options"].get("reduceOptions", {}).get("calcs", [])) <= REDUCED
    assert panel["description"]
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byNames"
        assert set(override["matcher"]["options"]) == {"mode", "names"}
        for one in override["properties"]:
            assert one["id"] in {"color", "custom.lineStyle"}


def colours_of(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key in ("fixedColor", "color", "iconColor") and isinstance(value, str):
                yield value
            else:
                yield from colours_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from colours_of(value)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_lie_side_by_side(board: Any) -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in board_json(board)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert cells.setdefault((x, y), panel["title"]) == panel["title"]
    ids = [panel["id"] for panel in board_json(board)["panels"]]
    assert len(set(ids)) == len(ids)


def test_a_typo_is_found(schema: Callable[[str], Json]) -> None:
    model = board_json(BOARDS[0])
    panel = next(one for one in model["panels"] if one["type"] == "timeseries")
    for part, typo in ((panel["options"], {"legnd": {}}),
                       (panel["fieldConfig"]["defaults"]["custom"], {"lineWidht": 1})):
        own = schema("timeseries")
        definition = "Options" if part is panel["options"] else "FieldConfig"
        with pytest.raises(jsonschema.ValidationError):
            check({**part, **typo}, own, definition)
    with pytest.raises(jsonschema.ValidationError):
        check({**model, "panel": []}, schema("dashboard"), "Dashboard")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_only_the_board_of_patients_asks_the_source_of_patients(board: Any) -> None:
    sources = set(re.findall(r'"uid": "([^"]*)"', json.dumps(
        [panel["datasource"] for panel in board_json(board)["panels"]])))
    assert sources == {"vitalcast-patients" if board.clinical else "vitalcast"}
    views = set(re.findall(r"\bbi_\w+", " ".join(panel.sql for panel in board.panels)))
    assert any(one.startswith("bi_patient") for one in views) == board.clinical


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.uid)
def test_a_rule_leads_to_its_page(rule: Rule) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert rule.runbook in anchors
    document = rule_json(rule, "https://wiki/runbook.md")
    assert document["annotations"]["runbook_url"] == f"https://wiki/runbook.md#{rule.runbook}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.uid)
def test_a_rules_condition_is_an_expression(schema: Callable[[str], Json], rule: Rule) -> None:
    query, threshold = rule_json(rule, "docs/runbook.md")["data"]
    check(threshold["model"], schema("expr"), "TypeThreshold")
    assert threshold["model"]["expression"] == query["refId"]
    assert set(query["model"]) == TARGET
    assert (rule.above is None) != (rule.below is None)
