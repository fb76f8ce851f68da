"""Profiles are checked before they are stored; what is odd is told without a patient."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from registry.quality_days import Profile
from vitalcast.profile_frames import ProfileOdd, checked

GOOD = Profile(
    scope="patient", subject="anna-karenina", vital="heart_rate", day=date(2026, 11, 10), days=14,
    patients=1, readings=40, hours=36, missing_share=0.2, q05=58, q25=62, median=66.5, q75=70,
    q95=90, lateness_median_s=None, lateness_q95_s=None, lateness_max_s=None, late=0,
    devices=("watch",), flags={"jump": 2})


def test_profiles_that_can_be_pass() -> None:
    both = [GOOD, replace(GOOD, scope="provider", subject="withings", lateness_median_s=60.0,
                          lateness_q95_s=600.0, lateness_max_s=9e5, late=1)]
    assert checked(both) == both
    assert checked([]) == []


@pytest.mark.parametrize(("wrong", "rule"), [
    ({"q25": 50.0}, "q05 is not above q25"), ({"missing_share": 1.2}, "missing_share"),
    ({"hours": 41}, "hours is not above readings"), ({"late": 41}, "late is not above readings"),
    ({"flags": {"odd": 1}}, "known flags"), ({"vital": "mood"}, "vital"),
    ({"scope": "provider"}, "the provider is known"), ({"lateness_max_s": -1.0}, "lateness_max_s"),
])
def test_each_rule_is_held_and_named_without_the_patient(wrong: dict[str, Any], rule: str) -> None:
    with pytest.raises(ProfileOdd, match=rule) as told:
        checked([replace(GOOD, subject="other"), replace(GOOD, **wrong)])
    assert "karenina" not in str(told.value)


def test_a_subject_may_have_one_profile_a_vital() -> None:
    with pytest.raises(ProfileOdd, match="subject"):
        checked([GOOD, GOOD])
