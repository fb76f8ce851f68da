"""Answers are remembered for a moment and no longer."""

from api.cache import BriefCache


def test_a_value_is_found_until_its_time_is_over() -> None:
    now = [10.0]
    cache = BriefCache[str](seconds=2, size=5, clock=lambda: now[0])
    assert cache.get("a") is None
    cache.put("a", "answer")
    now[0] = 11.9
    assert cache.get("a") == "answer"
    now[0] = 12.0
    assert cache.get("a") is None


def test_the_oldest_goes_when_there_are_too_many() -> None:
    cache = BriefCache[int](seconds=9, size=2, clock=lambda: 0.0)
    for number in range(3):
        cache.put(number, number)
    cache.put(1, 7)
    assert [cache.get(number) for number in range(3)] == [None, 7, 2]
