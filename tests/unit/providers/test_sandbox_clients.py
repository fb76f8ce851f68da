"""The clients against the sandbox: every reading arrives once, nothing is refused."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clinical.vitals import SPECS, Vital
from providers.catalogue import CATALOGUE, make_client, make_limiter, sandbox_endpoints
from providers.fetching import FetchRequest, FetchResult, Outcome
from providers.limits import RateLimit
from providers.observation import Granularity
from providers.sandbox.cohort import PROFILES, Profile, cohort
from providers.sandbox.readings import VITAL_OF, Subject
from providers.sandbox.replay import replay
from tests.reference.sandbox_user import NOW, SandboxUser, Tokens, sandbox_user

END = datetime.fromtimestamp(NOW, UTC)
FREE = RateLimit(calls=10_000, period_s=1)


def fetched(user: SandboxUser, subject: Subject, days: int) -> list[FetchResult]:
    client = make_client(
        subject.provider, endpoints=sandbox_endpoints(subject.provider, user.root),
        tokens=Tokens(user, subject.provider, subject.subject_id),
        limiter=make_limiter(subject.provider, FREE), account=subject.subject_id)
    try:
        return [client.fetch(FetchRequest(resource=resource, end=END,
                                          start=END - timedelta(days=days)))
                for resource in CATALOGUE[subject.provider].resources]
    finally:
        client.close()


def received(results: list[FetchResult], subject: Subject) -> dict[str, int]:
    """Different readings by vital, without what the clients derive from the same night."""
    keys = {one.key(subject.subject_id, subject.provider): one.vital.value
            for result in results for page in result.pages for one in page.parsed.observations
            if (one.granularity, one.vital) != (Granularity.NIGHT, Vital.HEART_RATE)}
    return dict(Counter(keys.values()))


def expected(subject: Subject, days: int) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for channel in subject.channels & VITAL_OF.keys():
        readings = subject.readings(channel, NOW).visible(NOW).between(NOW - days * 86400, NOW)
        vital = VITAL_OF[channel]
        counts[vital.value] += sum(map(SPECS[vital].plausible, readings.value.tolist()))
    return dict(counts)


@pytest.fixture(scope="module")
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.subject_id)
def test_the_clients_receive_what_the_patient_has(user: SandboxUser, profile: Profile) -> None:
    (subject,) = [s for s in cohort(7)(NOW) if s.subject_id == profile.subject_id]
    results = fetched(user, subject, 40)
    for result in results:
        assert (result.outcome, result.refused) == (Outcome.COMPLETE, 0), result.reason
    assert received(results, subject) == expected(subject, 40)
    assert results[0].last_sync is not None


@pytest.mark.parametrize("name", ["stay-1059936e", "stay-2705166e", "wearable-2022484408"])
def test_the_clients_receive_the_recordings(shared: Path, name: str) -> None:
    source = replay(shared / "data" / "replay")
    (subject,) = [s for s in source(NOW) if s.subject_id == name]
    with sandbox_user(source) as user:
        results = fetched(user, subject, 60)
    assert all(result.outcome is Outcome.COMPLETE for result in results)
    assert received(results, subject) == expected(subject, 60)
