"""When refused records are no longer odd ones, but a format that has changed."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from clinical.vitals import Vital
from providers.errors import SchemaError

if TYPE_CHECKING:
    from providers.fetching import Page

CHANGED_FROM = 5
"""Refused records of one vital from which on they may be its changed unit or type."""


def discrepancy(pages: "Sequence[Page]") -> SchemaError | None:
    """Why pages are of a changed format (a unit, a type), None for at most some odd records.

    More is refused than understood: of all, or of one vital among several that come together. A few
    odd ones of a vital that is seldom measured are no proof: the cursor would stand for a
    thermometer that lay in the sun.
    """
    if problem := next((page.problem for page in pages if page.problem), None):
        return problem
    refused = [refusal for page in pages for refusal in page.parsed.refused]
    understood = sum(len(page.parsed.observations) + len(page.withheld) for page in pages)
    if len(refused) > understood:
        return SchemaError(f"{len(refused)} records refused, {understood} understood; "
                           f"the first: {refused[0].record}, {refused[0].reason}", http_status=200)
    for vital, count in Counter(one.vital for one in refused if one.vital).items():
        if count >= CHANGED_FROM and count > _count(pages, vital):
            return SchemaError(f"{count} records of {vital} refused, fewer understood: a changed "
                               "unit or type", http_status=200)
    return None


def _count(pages: "Sequence[Page]", vital: Vital) -> int:
    return sum(one.vital is vital for page in pages
               for one in chain(page.parsed.observations, page.withheld))
