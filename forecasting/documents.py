"""Fitted models as JSON: no pickle, no code, the same forecast bit for bit after a round trip.

A document holds what a fit found (structure, parameters), where its recursion stands at the end of
the window (state) and where it stood at the end of the hours that the parameters were fitted on
(`fitted_state`, None where the parameters saw the whole window). It holds no time of fitting and no
host, so that equal data, configuration and code give equal bytes.

Arrays of at most eight finite numbers are JSON lists; longer ones, or with gaps, are base64 of
little-endian float64 under the key "f8". NaN and Infinity tokens never occur.
"""

import binascii
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson

from forecasting.config import KNOWN_MEMBERS
from forecasting.types import DocumentError, FloatArray, Values

SCHEMA = "vitalcast.model"
VERSION = 1
ENSEMBLE = "ensemble"

_LIST_MAX = 8
_F8 = np.dtype("<f8")
_PLAIN = {str, int, bool, type(None)}
_NUMBERS = {int, float}
_NESTED = {dict, list}
_FIELDS = {
    "engine", "figures", "fitted_state", "grid", "member", "parameters", "provenance", "schema",
    "sigma2", "state", "structure", "version",
}
_MEMBERS = {*KNOWN_MEMBERS, ENSEMBLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFacts:
    """The hours a model has seen: `first` and `last` included, `n` in all, `missing` of them gaps.

    `holdback` counts the hours at the end that only the state has seen, not the parameters.
    """

    season: tuple[int, ...]
    first: datetime
    n: int
    missing: int
    holdback: int
    freq: str = "h"

    @property
    def last(self) -> datetime:
        """The last hour seen; one hour before `first` for an empty window."""
        return self.first + timedelta(hours=self.n - 1)

    @property
    def cutoff(self) -> datetime:
        """The first hour not seen: forecasts of the stored state begin here."""
        return self.first + timedelta(hours=self.n)

    @property
    def fitted_until(self) -> datetime:
        """The first hour that the parameters have not seen, nor the fitted state."""
        return self.first + timedelta(hours=self.n - self.holdback)

    def advanced(self, y_new: FloatArray) -> "GridFacts":
        """These facts after further hours."""
        missing = self.missing + int(np.isnan(y_new).sum())
        hours = int(y_new.size)
        return replace(self, n=self.n + hours, missing=missing, holdback=self.holdback + hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One fitted model. `sigma2` is the variance of the one-hour errors, in squared units."""

    member: str
    engine: str
    structure: Values
    parameters: Values
    state: Values
    fitted_state: Values | None
    sigma2: float
    grid: GridFacts
    figures: Values
    provenance: Values


def dumps(document: Document) -> str:
    """Canonical JSON (keys sorted, floats by repr); DocumentError if a number is not finite."""
    values = {
        "structure": document.structure,
        "parameters": document.parameters,
        "state": document.state,
        "fitted_state": document.fitted_state,
        "sigma2": document.sigma2,
        "figures": document.figures,
        "provenance": document.provenance,
    }
    return _canonical({
        "schema": SCHEMA,
        "version": VERSION,
        "member": document.member,
        "engine": document.engine,
        "grid": _grid_json(document.grid),
        **{name: _encode(value) for name, value in values.items()},
    })


def loads(text: str) -> Document:
    """Read a document; DocumentError unless it is one of this schema and version, complete."""
    body = _parse(text)
    if body.get("schema") != SCHEMA or body.get("version") != VERSION:
        raise DocumentError(
            f"schema {body.get('schema')!r} version {body.get('version')!r} is not"
            f" {SCHEMA!r} version {VERSION}: refit the model with this release"
        )
    if body.keys() != _FIELDS:
        odd = sorted(body.keys() ^ _FIELDS)
        raise DocumentError(f"missing or unknown fields: {', '.join(odd)}")
    if body["member"] not in _MEMBERS:
        raise DocumentError(f"unknown member {body['member']!r}")
    return Document(
        member=body["member"],
        engine=_typed(body, "engine", str),
        structure=_values(body, "structure"),
        parameters=_values(body, "parameters"),
        state=_values(body, "state"),
        fitted_state=None if body["fitted_state"] is None else _values(body, "fitted_state"),
        sigma2=float(_typed(body, "sigma2", (int, float))),
        grid=_grid(_typed(body, "grid", dict)),
        figures=_values(body, "figures"),
        provenance=_values(body, "provenance"),
    )


def readable(text: str) -> tuple[Document | None, str]:
    """What `loads` reads and "", or None and why it cannot be read."""
    try:
        return loads(text), ""
    except DocumentError as error:
        return None, f"its document cannot be read: {error}"


def document_id(text: str) -> str:
    """SHA-256 (hex) of a document's canonical JSON."""
    return hashlib.sha256(text.encode()).hexdigest()


def dump_state(state: Values) -> str:
    """Canonical JSON of a state alone."""
    return _canonical(_encode(state))


def state_hash(states: Mapping[str, bytes]) -> str:
    """SHA-256 (hex) over the members' states by name: what a forecast was made from."""
    return hashlib.sha256(b"".join(
        f"{name}:{len(states[name])}:".encode() + states[name] for name in sorted(states)
    )).hexdigest()


def _canonical(body: Values) -> str:
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError as error:
        raise DocumentError(f"the model cannot be stored as JSON: {error}") from error


def _encode(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return _finite(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {str(key): _encode(item) for key, item in value.items()}
    if kind is np.ndarray:
        return _encode_array(value)
    if isinstance(value, (list, tuple)):
        return {"items": [_encode(item) for item in value]}
    if isinstance(value, np.floating):
        return _finite(float(value))
    if isinstance(value, np.integer):
        return int(value)
    raise DocumentError(f"{kind.__name__} has no place in a model document")


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise DocumentError("a number of the model is not finite; it cannot be stored")
    return number


def _encode_array(array: FloatArray) -> Any:
    numbers = np.ascontiguousarray(array, dtype="<f8")
    if numbers.ndim != 1:
        raise DocumentError(f"arrays have one axis in a model document, not {numbers.ndim}")
    if numbers.size <= _LIST_MAX:
        listed = numbers.tolist()
        if all(map(math.isfinite, listed)):
            return listed
    return {"f8": binascii.b2a_base64(numbers.tobytes(), newline=False).decode("ascii")}


def _decode(value: Any) -> Any:
    """What JSON said, with arrays and tuples in place; dictionaries are changed where they are."""
    kind = type(value)
    if kind is dict:
        return _decode_named(value)
    return _decode_list(value) if kind is list else value


def _decode_named(values: dict[str, Any]) -> Any:
    if len(values) == 1:
        if "f8" in values:
            return _decode_base64(values["f8"])
        if "items" in values:
            return tuple(_decode(item) for item in values["items"])
    for key, item in values.items():
        if type(item) in _NESTED:
            values[key] = _decode(item)
    return values


def _decode_list(numbers: list[Any]) -> FloatArray:
    if not _NUMBERS.issuperset(map(type, numbers)):
        raise DocumentError("an array of the document holds something that is not a number")
    return np.array(numbers, dtype=np.float64)


def _decode_base64(text: Any) -> FloatArray:
    try:
        return np.frombuffer(binascii.a2b_base64(text, strict_mode=True), dtype=_F8).astype(
            np.float64)
    except (binascii.Error, TypeError, ValueError) as error:
        raise DocumentError("an array of the document is not base64 of float64") from error


def _parse(text: str) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DocumentError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise DocumentError("a model document is a JSON object")
    return body


def _typed(body: dict[str, Any], name: str, kind: Any) -> Any:
    if not isinstance(body[name], kind) or isinstance(body[name], bool):
        raise DocumentError(f"field {name!r} is of the wrong type: {type(body[name]).__name__}")
    return body[name]


def _values(body: dict[str, Any], name: str) -> Values:
    decoded = _decode(_typed(body, name, dict))
    if not isinstance(decoded, dict):
        raise DocumentError(f"field {name!r} must hold named values")
    return decoded


def _grid_json(grid: GridFacts) -> Values:
    return {
        "freq": grid.freq,
        "season": list(grid.season),
        "first": hour_text(grid.first),
        "last": hour_text(grid.last),
        "n": grid.n,
        "missing": grid.missing,
        "holdback": grid.holdback,
    }


def _grid(body: dict[str, Any]) -> GridFacts:
    try:
        grid = GridFacts(
            freq=body["freq"],
            season=tuple(int(hours) for hours in body["season"]),
            first=read_hour(body["first"]),
            n=int(body["n"]),
            missing=int(body["missing"]),
            holdback=int(body["holdback"]),
        )
        last = read_hour(body["last"])
    except (KeyError, TypeError, ValueError) as error:
        raise DocumentError(f"the document's grid cannot be read: {error}") from error
    if grid.freq != "h" or last != grid.last:
        raise DocumentError("the document's grid contradicts itself")
    return grid


def hour_text(hour: datetime) -> str:
    """An hour as documents write it."""
    return f"{hour.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def read_hour(text: str) -> datetime:
    """Inverse of `hour_text`."""
    if not (isinstance(text, str) and text.endswith("Z")):
        raise ValueError(f"{text!r} is not in UTC")
    return datetime.fromisoformat(text)
