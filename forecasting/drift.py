"""Whether stored models still fit: their errors one hour ahead over the last day."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np

from forecasting import stacks
from forecasting.documents import Document
from forecasting.panel import Panel
from forecasting.policy import Policy, has_drifted, searched_at

DAY = 24


def drifted(panel: Panel, member: str, documents: Mapping[int, Document],
            policy: Policy) -> set[int]:
    """The series whose document has drifted, by what it would have said of each hour of a day.

    The last day of the panel, of which only hours count that the document's parameters have not
    seen: those since it was made, and those held back from it before. So a training every hour
    sees drift too. Documents (by series of the panel) tell nothing whose structure was searched
    less than a day ago, which has had its answer; nor those that end outside the panel.
    """
    from_states: dict[int, Document] = {}
    from_fits: dict[int, Document] = {}
    for s, one in documents.items():
        end = stacks.hour_of(panel.start, one.grid.cutoff)
        if panel.end - searched_at(one) < timedelta(hours=DAY) or not 0 <= end <= panel.hours:
            continue
        (from_states if end <= panel.hours - DAY else from_fits)[s] = one
    if not from_states and not from_fits:
        return set()
    origins = np.arange(max(panel.hours - DAY, 0), panel.hours)
    said = np.full((panel.series, origins.size, 1), np.nan)
    an_hour = Panel(start=panel.start, y=panel.y, vital=panel.vital,
                    config=replace(panel.config, horizon=1))
    stacks.rolled(stacks.of_states(member, from_states, panel.start), an_hour, origins, said)
    stacks.rolled(stacks.of_fitted_states(member, from_fits, panel.start), an_hour, origins, said)
    errors = panel.y[:, origins] - said[:, :, 0]
    return {s for s, one in {**from_states, **from_fits}.items()
            if has_drifted(errors[s], one.sigma2, policy)}
