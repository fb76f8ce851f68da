"""docs/bi-views.md, from what the database says of its own views."""

from collections.abc import Sequence
from itertools import groupby

from registry.readers import CLINICAL, READONLY, ViewColumn

_HEAD = f"""# Views for reporting tools

Any tool that speaks PostgreSQL (Tableau, Metabase, Excel, a notebook) may read these views; the
Grafana boards read nothing else. Names and meanings of their columns stay; later releases add
columns and views. Times are UTC.

```
vitalcast dashboards role tableau --password-stdin < password   # a login that only reads them
vitalcast dashboards views                                      # this page, from the database
```

Most count whole cycles, so that they answer at once however many patients there are: the job
`rollup` fills them at the end of each cycle (`vitalcast rollup --again-days 60` counts again). The
role `{READONLY}` reads the first part, which names no patient. The second part names
patients; it takes the role `{CLINICAL}` too (`vitalcast dashboards role … --patients`).
"""


def views_page(columns: Sequence[ViewColumn]) -> str:
    """The page, of all columns in order."""
    parts = [_HEAD]
    for clinical, title in ((False, "Without patients"), (True, "Of patients")):
        parts.append(f"## {title}\n")
        own = [one for one in columns if one.clinical == clinical]
        parts += [_view(list(group)) for _, group in groupby(own, key=lambda one: one.view)]
    return "\n".join(parts)


def _view(columns: Sequence[ViewColumn]) -> str:
    rows = "\n".join(f"| `{one.column}` | {one.type} | {one.comment} |" for one in columns)
    return (f"### {columns[0].view}\n\n{columns[0].about}.\n\n"
            f"| column | type | what it says |\n|---|---|---|\n{rows}\n")
