import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.documents import (
    Document,
    GridFacts,
    document_id,
    dump_state,
    dumps,
    loads,
    state_hash,
)
from forecasting.types import DocumentError


def a_document(**changes: Any) -> Document:
    parts: dict[str, Any] = {
        "member": "ets", "engine": "statsforecast", "structure": {"trend": "A", "m": 24},
        "parameters": {"alpha": 0.1, "names": ("a", "b")},
        "state": {"level": 70.1, "season": np.arange(24.0) / 7, "gap": np.array([np.nan, 1.0])},
        "fitted_state": None, "sigma2": 2.5,
        "grid": GridFacts(season=(24,), first=datetime(2026, 1, 1, tzinfo=UTC), n=100, missing=3,
                          holdback=0),
        "figures": {"iterations": None}, "provenance": {"seed": 0},
    }
    return Document(**{**parts, **changes})


def same(left: object, right: object) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.tobytes() == right.tobytes()
    return type(left) is type(right) and left == right


def test_round_trip_keeps_every_bit() -> None:
    document = a_document()
    text = dumps(document)
    again = loads(text)
    assert same(again.state, document.state) and same(again.parameters, document.parameters)
    assert again.grid == document.grid
    assert dumps(again) == text and document_id(dumps(again)) == document_id(text)


@given(st.lists(st.floats(), max_size=30))
def test_states_of_any_numbers_survive(numbers: list[float]) -> None:
    text = dumps(a_document(state={"a": np.array(numbers, dtype=np.float64)}))
    assert "NaN" not in text and "Infinity" not in text
    assert dumps(loads(text)) == text
    assert dump_state(loads(text).state) in text


def test_a_scalar_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DocumentError, match="not finite"):
        dumps(a_document(sigma2=float("nan")))


@pytest.mark.parametrize("change", [
    {"version": 2}, {"schema": "other"}, {"member": "prophet"}, {"sigma2": "1"}, {"state": []},
    {"grid": {"freq": "h"}}, {"extra": 1}, {"engine": 3},
])
def test_what_is_not_a_known_document_is_refused(change: dict[str, Any]) -> None:
    body = {**json.loads(dumps(a_document())), **change}
    with pytest.raises(DocumentError):
        loads(json.dumps(body))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema": NaN}'])
def test_text_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        loads(text)


def test_an_array_that_is_not_base64_is_refused() -> None:
    with pytest.raises(DocumentError, match="base64"):
        loads(dumps(a_document(state={"a": "!"})).replace('"a":"!"', '"a":{"f8":"!"}'))


def test_a_text_that_was_stored_with_numbers_written_otherwise_still_loads() -> None:
    """Texts were written by the standard library before: 1e-05, where 0.00001 is written now."""
    document = a_document(sigma2=1e-05, parameters={"alpha": 1e-07, "big": 1e22})
    text = json.dumps(json.loads(dumps(document)), sort_keys=True, separators=(",", ":"))
    assert "1e-05" in text and dumps(loads(text)) == dumps(document)
    assert loads(text).sigma2 == 1e-05 and loads(text).parameters["alpha"] == 1e-07


def test_states_have_a_hash_by_member() -> None:
    states = {"ets": b"12", "theta": b"3"}
    assert state_hash(states) == state_hash(dict(reversed(states.items())))
    assert len({state_hash(each) for each in (states, {"ets": b"1", "theta": b"23"}, {})}) == 3


def test_grid_facts_move_with_new_hours() -> None:
    grid = a_document().grid
    moved = grid.advanced(np.array([1.0, np.nan]))
    assert (moved.n, moved.missing) == (102, 4)
    assert moved.cutoff - grid.cutoff == timedelta(hours=2)
    assert moved.fitted_until == grid.fitted_until
