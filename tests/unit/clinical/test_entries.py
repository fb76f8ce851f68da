"""Inputs as people write them."""

import pytest

from clinical.entries import parse_inputs
from clinical.errors import InputError
from clinical.news2 import Consciousness, Inputs


def test_nothing_written_is_missing_and_scale_1() -> None:
    assert parse_inputs({}) == Inputs()
    assert parse_inputs({"spo2": "", "spo2_scale": " "}) == Inputs()


def test_every_column_is_read() -> None:
    assert parse_inputs({
        "respiratory_rate": "16", "spo2": " 97.5 ", "spo2_scale": "2",
        "supplemental_oxygen": "True", "systolic_bp": "1.2e2", "heart_rate": ".5",
        "body_temperature": "36.", "consciousness": "Voice",
    }) == Inputs(respiratory_rate=16, spo2=97.5, spo2_scale=2, supplemental_oxygen=True,
                 systolic_bp=120, heart_rate=0.5, body_temperature=36,
                 consciousness=Consciousness.VOICE)


@pytest.mark.parametrize(("column", "text"), [
    ("heart_rate", "fast"), ("heart_rate", "7 2"), ("heart_rate", "1_0"), ("heart_rate", "nan"),
    ("heart_rate", "inf"), ("heart_rate", "1e999"), ("heart_rate", "-1"), ("heart_rate", "0x10"),
    ("body_temperature", "36,8"), ("heart_rate", "٧٢"), ("spo2", "97%"),
    ("spo2_scale", "3"), ("spo2_scale", "0"), ("spo2_scale", "one"),
    ("supplemental_oxygen", "maybe"), ("supplemental_oxygen", "2"), ("consciousness", "asleep"),
])
def test_what_cannot_be_read_names_its_column(column: str, text: str) -> None:
    with pytest.raises(InputError, match=column):
        parse_inputs({column: text})


def test_a_message_holds_no_more_than_a_glimpse_of_what_was_written() -> None:
    with pytest.raises(InputError) as caught:
        parse_inputs({"heart_rate": "x" * 100_000})
    assert len(str(caught.value)) < 200
