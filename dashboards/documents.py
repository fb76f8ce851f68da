"""Boards, rules and data sources as the JSON that Grafana takes.

Panels after Grafana's own schemas (`dashboard`, one a panel type); requests after its HTTP API. Of
the latter's description one line is wrong: `for` is called an integer, and Grafana takes text such
as `15m` alone (grafana/grafana pull request 90841).
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from dashboards.model import Board, Kind, Note, Panel, Rule, Step, Type, Variable

Json = dict[str, Any]

SCHEMA_VERSION = 41
DATASOURCE_TYPE = "grafana-postgresql-datasource"
SOURCE, CLINICAL_SOURCE = "vitalcast", "vitalcast-patients"
FOLDER, CLINICAL_FOLDER = "vitalcast", "vitalcast-patients"
RULE_GROUP = "vitalcast"
TAG = "vitalcast"
ROW = 24


def board_json(board: Board) -> Json:
    """The dashboard model of a board."""
    source = source_of(board)
    return {
        "uid": board.uid, "title": board.title, "description": board.about, "tags": [TAG],
        "timezone": "utc", "editable": True, "graphTooltip": 1, "schemaVersion": SCHEMA_VERSION,
        "refresh": "5m", "time": {"from": board.since, "to": board.until},
        "templating": {"list": [_variable(one, source) for one in board.variables]},
        "annotations": {"list": [_note(one, source) for one in board.notes]},
        "links": [{
            "title": "vitalcast", "type": "dashboards", "icon": "external link", "tooltip": "",
            "tags": [TAG], "asDropdown": True, "targetBlank": False, "includeVars": False,
            "keepTime": True}],
        "panels": [_panel(number, panel, place, source)
                   for number, (panel, place) in enumerate(placed(board.panels), 1)],
    }


def source_of(board: Board) -> Json:
    """The data source that a board's queries go to."""
    return {"type": DATASOURCE_TYPE, "uid": CLINICAL_SOURCE if board.clinical else SOURCE}


def folder_of(board: Board) -> str:
    """The folder that a board is in."""
    return CLINICAL_FOLDER if board.clinical else FOLDER


def rule_json(rule: Rule, runbook: str) -> Json:
    """A rule as the provisioning API takes it; `runbook` is the address of docs/runbook.md."""
    kind, limit = ("gt", rule.above) if rule.above is not None else ("lt", rule.below)
    return {
        "uid": rule.uid, "title": rule.title, "orgID": 1, "folderUID": FOLDER,
        "ruleGroup": RULE_GROUP, "condition": "B", "noDataState": rule.quiet,
        "execErrState": "Error", "for": _duration(rule.for_minutes), "isPaused": False,
        "labels": {"severity": rule.severity, "service": "vitalcast"},
        "annotations": {"summary": rule.summary, "runbook_url": f"{runbook}#{rule.runbook}"},
        "data": [
            {"refId": "A", "queryType": "", "datasourceUid": SOURCE,
             "relativeTimeRange": {"from": rule.hours * 3600, "to": 0},
             "model": _target(rule.sql, "table", {"type": DATASOURCE_TYPE, "uid": SOURCE})},
            {"refId": "B", "queryType": "", "datasourceUid": "__expr__",
             "relativeTimeRange": {"from": 0, "to": 0},
             "model": {"refId": "B", "type": "threshold", "expression": "A",
                       "datasource": {"type": "__expr__", "uid": "__expr__"},
                       "conditions": [{"evaluator": {"type": kind, "params": [limit]}}]}},
        ],
    }


def _duration(minutes: int) -> str:
    """As Prometheus writes it, 1h30m, and so Grafana: other words would look like an edit."""
    hours, rest = divmod(minutes, 60)
    return f"{hours}h" * bool(hours) + f"{rest}m" * bool(rest) or "0s"


def fingerprint(document: Mapping[str, Any]) -> str:
    """Twelve digits that are the same for the same document."""
    return sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


def placed(panels: Sequence[Panel]) -> list[tuple[Panel, Json]]:
    """Panels from left to right; a row is as high as its highest panel."""
    placed: list[tuple[Panel, Json]] = []
    x = y = high = 0
    for panel in panels:
        if x + panel.width > ROW:
            x, y, high = 0, y + high, 0
        placed.append((panel, {"x": x, "y": y, "w": panel.width, "h": panel.height}))
        x, high = x + panel.width, max(high, panel.height)
    return placed


def _panel(number: int, panel: Panel, place: Json, source: Json) -> Json:
    shape = "time_series" if _is_series(panel) else "table"
    return {
        "id": number, "type": str(panel.kind), "title": panel.title, "description": panel.about,
        "gridPos": place, "datasource": source, "interval": "1h", "maxDataPoints": 1000,
        "targets": [_target(panel.sql, shape, source)],
        "options": _options(panel),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
    }


def _is_series(panel: Panel) -> bool:
    return panel.kind in (Kind.TIMESERIES, Kind.STATES)


def _target(sql: str, shape: str, source: Json) -> Json:
    return {"refId": "A", "datasource": source, "format": shape, "rawQuery": True,
            "editorMode": "code", "rawSql": sql.strip()}


def _options(panel: Panel) -> Json:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    tooltip = {"mode": "multi", "sort": "desc"}
    reduce = {"values": panel.kind == Kind.BARS, "calcs": ["lastNotNull"],
              "fields": "/.*/" if Type.TEXT in panel.columns.values() else ""}
    match panel.kind:
        case Kind.TIMESERIES:
            return {"legend": legend, "tooltip": tooltip}
        case Kind.STATES:
            return {"legend": legend, "tooltip": tooltip, "showValue": "never", "rowHeight": 0.8,
                    "mergeValues": True}
        case Kind.STAT:
            return {"graphMode": "none", "colorMode": "value", "justifyMode": "auto",
                    "textMode": "auto", "wideLayout": True, "showPercentChange": False,
                    "percentChangeColorMode": "standard", "orientation": "auto",
                    "reduceOptions": reduce}
        case Kind.BARS:
            return {"displayMode": "basic", "valueMode": "color", "namePlacement": "left",
                    "showUnfilled": True, "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16,
                    "maxVizHeight": 300, "orientation": "horizontal",
                    "legend": {**legend, "showLegend": False},
                    "reduceOptions": {**reduce, "fields": ""}}
        case Kind.TABLE:
            return {"frameIndex": 0, "showHeader": True, "cellHeight": "sm"}


def _defaults(panel: Panel) -> Json:
    found: Json = {"unit": panel.unit, "custom": _custom(panel), "color": {
        "mode": "palette-classic" if _is_series(panel) else "thresholds"}}
    for name, value in (("min", panel.low), ("max", panel.high), ("decimals", panel.decimals)):
        if value is not None:
            found[name] = value
    if panel.thresholds:
        found["thresholds"] = {"mode": "absolute", "steps": [
            {"value": one.value, "color": one.colour} for one in panel.thresholds]}
    if panel.states:
        found["mappings"] = [{"type": "value", "options": {
            str(number): {"text": text, "color": colour, "index": number}
            for number, (text, colour) in panel.states.items()}}]
    return found


def _custom(panel: Panel) -> Json:
    match panel.kind:
        case Kind.TIMESERIES:
            return {
                "drawStyle": "bars" if panel.bars else "line", "lineWidth": 1, "showPoints": "auto",
                "fillOpacity": 80 if panel.bars else 20 if panel.stacked else 0, "pointSize": 5,
                "lineInterpolation": "linear", "spanNulls": False,
                "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if _limits(panel.thresholds) else "off"}}
        case Kind.STATES:
            return {"lineWidth": 0, "fillOpacity": 80, "spanNulls": False}
        case Kind.TABLE:
            return {"align": "auto", "inspect": False}
        case _:
            return {}


def _limits(thresholds: Sequence[Step]) -> bool:
    return any(one.value is not None for one in thresholds)


def _overrides(panel: Panel) -> list[Json]:
    """What single metrics have of their own.

    The schema wants objects for a matcher's options and a property's value: hence `byNames`.
    """
    found = [_override([name], "color", {"mode": "fixed", "fixedColor": colour})
             for name, colour in panel.colours.items()]
    if panel.dashed:
        found.append(_override(panel.dashed, "custom.lineStyle", {"fill": "dash", "dash": [6, 4]}))
    return found


def _override(names: Sequence[str], key: str, value: Json) -> Json:
    return {"matcher": {"id": "byNames", "options": {"mode": "include", "names": list(names)}},
            "properties": [{"id": key, "value": value}]}


def _variable(variable: Variable, source: Json) -> Json:
    return {"type": "query", "name": variable.name, "label": variable.label, "datasource": source,
            "query": variable.sql.strip(), "refresh": 2, "sort": 0, "multi": variable.several,
            "includeAll": variable.several, "hide": 0, "skipUrlSync": False, "options": [],
            "current": {"text": ["All"], "value": ["$__all"]} if variable.several else
            {"text": "", "value": ""}}


def _note(note: Note, source: Json) -> Json:
    return {"name": note.name, "datasource": source, "enable": True, "hide": False,
            "iconColor": note.colour, "target": _target(note.sql, "table", source)}
