"""The canonical reading: made quickly, frozen, and keyed as it always was."""

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from inspect import signature
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from clinical.vitals import Vital
from providers.observation import NaiveTimeError, Observation, Provider, utc_text
from tests.reference import ingest_rows
from tests.reference.observations import observations

MOMENT = datetime(2026, 11, 21, 6, tzinfo=UTC)


def reading(**more: Any) -> Observation:
    return Observation(**{"vital": Vital.HEART_RATE, "value": Decimal(61),
                          "effective_start": MOMENT, "effective_end": MOMENT, **more})


def test_every_member_can_be_given_by_name_and_has_its_default() -> None:
    parameters = signature(Observation).parameters.values()
    assert [one.name for one in parameters] == [one.name for one in fields(Observation)]
    assert {one.kind for one in parameters} == {one.KEYWORD_ONLY for one in parameters}
    one = reading()
    for member in list(fields(Observation))[4:]:
        assert getattr(one, member.name) == member.default
    with pytest.raises(TypeError):
        Observation(vital=Vital.SPO2, value=Decimal(97))  # type: ignore[call-arg]


def test_a_reading_is_frozen_hashed_replaced_and_pickled() -> None:
    one = reading(device_id="d")
    with pytest.raises(AttributeError):
        one.value = Decimal(1)  # type: ignore[misc]
    assert replace(one, value=Decimal(62)) == reading(device_id="d", value=Decimal(62))
    assert len({one, reading(device_id="d"), reading()}) == 2
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert type(one) is Observation


@pytest.mark.parametrize("member", ["effective_start", "effective_end", "provider_modified_at"])
@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1)), ZoneInfo("Asia/Tokyo")])
def test_a_time_that_is_not_in_utc_is_refused(member: str, zone: Any) -> None:
    with pytest.raises(NaiveTimeError):
        reading(**{member: MOMENT.replace(tzinfo=zone)})
    assert getattr(reading(**{member: MOMENT.replace(tzinfo=timezone(timedelta(0)))}), member)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(0)),
                                               ZoneInfo("Africa/Abidjan")]),
                    min_value=datetime(1971, 1, 1)))  # noqa: DTZ001 -- hypothesis wants it so
def test_the_text_of_a_time_is_its_iso_format(moment: datetime) -> None:
    assert utc_text(moment) == moment.isoformat()


@given(one=observations(), patient=st.text(st.characters(exclude_categories=["Cs"])),
       provider=st.sampled_from(Provider))
def test_the_key_is_the_hash_of_what_names_the_reading(
        one: Observation, patient: str, provider: Provider) -> None:
    assert one.key(patient, provider) == ingest_rows.key(one, patient, provider)
