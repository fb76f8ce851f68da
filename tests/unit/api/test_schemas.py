"""The wire's vocabulary is the clinical one."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from api import entries, schemas
from clinical import protocols
from clinical.entries import parse_consciousness, parse_oxygen, parse_scale
from clinical.vitals import FORECAST_VITALS

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_the_forecast_vitals_are_those_of_the_clinic() -> None:
    assert get_args(schemas.ForecastVital) == tuple(vital.value for vital in FORECAST_VITALS)


def test_the_questions_are_those_of_the_protocol() -> None:
    protocol = protocols.load(protocols.DEFAULT_PROTOCOL)
    asked = {item for one in protocol.inputs.values() if one.kind == "answers" for item in one.of}
    assert asked <= set(entries.EntryIn.model_fields)
    assert get_args(entries.Condition) == protocol.levels


def test_entries_are_stored_as_the_clinic_reads_them() -> None:
    entry = entries.EntryIn.model_validate(
        {"supplemental_oxygen": True, "consciousness": "voice", "spo2_scale": 2})
    items = entry.items()
    assert parse_oxygen(items["supplemental_oxygen"]) is True
    assert parse_consciousness(items["consciousness"]) == "voice"
    assert parse_scale(items["spo2_scale"]) == 2
    assert entry.at(NOW) == NOW


def test_an_entry_without_an_item_is_refused() -> None:
    with pytest.raises(ValidationError, match="no item is given"):
        entries.EntryIn.model_validate({"effective_at": NOW.isoformat()})


def examples() -> list[tuple[type[BaseModel], object]]:
    models = [one for room in (schemas, entries) for one in vars(room).values()
              if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel]
    return [(model, example) for model in models
            for example in model.model_json_schema().get("examples", [])]


def test_every_example_fits_its_schema() -> None:
    assert len(examples()) > 8
    for model, example in examples():
        model.model_validate(example)
