"""Whether stored models still fit: their errors one hour ahead since they were fitted."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from forecasting import stacks
from forecasting.documents import Document
from forecasting.panel import Panel
from forecasting.policy import DRIFT_MIN_OBSERVED, Policy, has_drifted


def drifted(panel: Panel, member: str, documents: Mapping[int, Document],
            policy: Policy) -> set[int]:
    """The series whose document has drifted, by what it would have said of each hour since.

    `documents` by series of the panel; those that end outside the panel, or less than six hours
    before its end, tell nothing.
    """
    ends = {s: stacks.hour_of(panel.start, one.grid.cutoff) for s, one in documents.items()}
    telling = {s: documents[s] for s, end in ends.items()
               if 0 <= end <= panel.hours - DRIFT_MIN_OBSERVED}
    if not telling:
        return set()
    origins = np.arange(min(ends[s] for s in telling), panel.hours)
    said = np.full((panel.series, origins.size, 1), np.nan)
    an_hour = Panel(start=panel.start, y=panel.y, vital=panel.vital,
                    config=replace(panel.config, horizon=1))
    stacks.rolled(stacks.of_states(member, telling, panel.start), an_hour, origins, said)
    errors = panel.y[:, origins] - said[:, :, 0]
    return {s for s, one in telling.items() if has_drifted(errors[s], one.sigma2, policy)}
