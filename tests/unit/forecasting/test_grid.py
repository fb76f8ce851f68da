from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from forecasting.grid import data_hash, require_utc_hour
from forecasting.types import GridError


@pytest.mark.parametrize("start", [datetime(2026, 1, 1),  # noqa: DTZ001 - naive on purpose
                                   datetime(2026, 1, 1, 0, 30, tzinfo=UTC),
                                   datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))])
def test_a_start_that_is_no_utc_hour_is_refused(start: datetime) -> None:
    with pytest.raises(GridError, match=r"UTC|full hour"):
        require_utc_hour(start)


def test_a_full_hour_in_utc_is_taken() -> None:
    require_utc_hour(datetime(2026, 1, 31, 22, tzinfo=UTC))


def test_data_hash_knows_gaps_from_numbers_but_not_one_nan_from_another() -> None:
    odd = np.array([1.0, -np.nan])
    assert data_hash(odd) == data_hash(np.array([1.0, np.nan]))
    assert data_hash(odd) != data_hash(np.array([1.0, 0.0]))
