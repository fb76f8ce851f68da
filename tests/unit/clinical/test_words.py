"""Chances in words: never more certain than what they were computed from."""

import pytest

from clinical.news2 import PARAMETERS
from clinical.words import ENOUGH_INPUTS, TOO_LITTLE, at_least, chance, percent


@pytest.mark.parametrize(("share", "told"), [
    (0, "0 %"), (0.004, "< 1 %"), (0.005, "< 1 %"), (0.254, "25 %"), (0.994, "99 %"),
    (0.9951, "> 99 %"), (1, "100 %")])
def test_ends_are_not_rounded_to_certainty(share: float, told: str) -> None:
    assert percent(share) == told


@pytest.mark.parametrize(("share", "told"), [
    (0, "≥ 0 %"), (0.009, "≥ 0 %"), (0.29, "≥ 29 %"), (0.299, "≥ 29 %"), (0.998, "> 99 %"),
    (1, "> 99 %")])
def test_a_least_is_rounded_down(share: float, told: str) -> None:
    assert at_least(share) == told


def test_a_low_chance_is_told_only_where_enough_is_known() -> None:
    enough = PARAMETERS[:len(PARAMETERS) - ENOUGH_INPUTS]
    few = PARAMETERS[:len(enough) + 1]
    assert chance(0.02, (), 0.3) == "2 %"
    assert chance(0.02, enough, 0.3) == "≥ 2 %"
    assert chance(0.02, few, 0.3) == TOO_LITTLE
    assert chance(0.4, few, 0.3) == "≥ 40 %"
