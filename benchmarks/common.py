"""What the benchmarks share: a real Postgres that is gone afterwards, and rounds side by side."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from registry.migrate import migrate
from vitalcast.embedded import EmbeddedPostgres

Rates = list[float]


@contextmanager
def scratch_database() -> Iterator[str]:
    """Address of an empty, migrated database on an embedded server in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="vitalcast-benchmark-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root the server runs as another user, who must get in
        with EmbeddedPostgres(home) as server:
            server.create_database("benchmark")
            url = server.url("benchmark")
            migrate(url)
            yield url


def side_by_side(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, Rates]:
    """The rate that each side measures in each round; every other round goes in reverse.

    A warming round before them is not counted.
    """
    rates: dict[str, Rates] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name in list(sides)[::-1 if number % 2 else 1]:
            rate = sides[name]()
            if number:
                rates[name].append(rate)
    return rates


def median_ratio(rates: Rates, beside: Rates) -> float:
    """Median over the rounds of one side's rate by the other's of the same round."""
    return median(one / other for one, other in zip(rates, beside, strict=True))
