"""Drift: do series still look like what their models were fitted to."""

from dashboards.boards.common import NOTES, VITAL
from dashboards.model import (
    GREEN,
    NAMED,
    ONE,
    ORANGE,
    RED,
    YELLOW,
    Board,
    Kind,
    Panel,
    Type,
    steps,
)

_OF_DAY = "$__timeFilter(day) AND vital IN (${vital:sqlstring})"
_DETECTED = "$__timeFilter(detected) AND vital IN (${vital:sqlstring})"


def _median(title: str, figure: str, about: str, *limits: tuple[float, str],
            unit: str = "short") -> Panel:
    """One figure of drift by day and vital: medians of cohorts, weighed by their series."""
    return Panel(title=title, kind=Kind.TIMESERIES, about=about, unit=unit, decimals=2,
                 thresholds=steps(GREEN, *limits), sql=f"""
SELECT $__timeGroupAlias(day, '1d'), vital AS metric,
       sum({figure} * series) / nullif(sum(series) FILTER (WHERE {figure} IS NOT NULL), 0) AS value
FROM bi_drift WHERE {_OF_DAY} GROUP BY 1, 2 HAVING sum({figure}) IS NOT NULL ORDER BY 1, 2""")


_HEADLINES = (
    Panel(title="Series that drift", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="With an open event on the newest day. Their structures are searched anew.",
          unit="percentunit", decimals=1, thresholds=steps(GREEN, (0.05, ORANGE), (0.15, RED)),
          sql=f"""
SELECT CAST(sum(drifting) AS double precision) / nullif(sum(series), 0) AS value
FROM bi_drift WHERE vital IN (${{vital:sqlstring}})
  AND day = (SELECT max(day) FROM bi_drift WHERE {_OF_DAY})"""),
    Panel(title="Events found", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="In the time shown.", thresholds=steps(GREEN), sql=f"""
SELECT count(*) AS value FROM bi_drift_events WHERE {_DETECTED}"""),
    Panel(title="Events still open", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Of those found in the time shown.", thresholds=steps(GREEN, (1, ORANGE)), sql=f"""
SELECT count(*) AS value FROM bi_drift_events WHERE {_DETECTED} AND closed_at IS NULL"""),
    Panel(title="Hours from change to detection", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Median, from where the change seems to begin.", unit="h", decimals=1,
          thresholds=steps(GREEN, (48, ORANGE)), sql=f"""
SELECT percentile_cont(0.5) WITHIN GROUP (
           ORDER BY CAST(extract(epoch FROM detected - began) AS double precision) / 3600) AS value
FROM bi_drift_events WHERE {_DETECTED}"""),
)

_FIGURES = (
    Panel(title="Events by kind", kind=Kind.TIMESERIES, bars=True, stacked=True, low=0,
          about="Many of one kind at once point to a vendor, not to patients.", sql=f"""
SELECT $__timeGroupAlias(detected, $__interval), kind AS metric, count(*) AS value
FROM bi_drift_events WHERE {_DETECTED} GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Series that drift, by vital", kind=Kind.TIMESERIES, unit="percentunit", low=0,
          about="Share of the series with an open event.", decimals=1,
          thresholds=steps(GREEN, (0.15, RED)), sql=f"""
SELECT $__timeGroupAlias(day, '1d'), vital AS metric,
       CAST(sum(drifting) AS double precision) / nullif(sum(series), 0) AS value
FROM bi_drift WHERE {_OF_DAY} GROUP BY 1, 2 ORDER BY 1, 2"""),
    _median("Distribution: population stability index", "psi",
            "Last week against the training window. Below 0.1 nothing, from 0.25 on another "
            "distribution.", (0.1, ORANGE), (0.25, RED)),
    _median("Level of the last day", "level",
            "Mean less the usual, in standard deviations of the series: 0 is as ever."),
    _median("Errors an hour ahead over what was promised", "error_ratio",
            "1 is as fitted; from 2 on a training searches the structure anew.", (2, RED)),
    _median("Served less trained on", "skew",
            "Mean of the readings forecast from less those fitted to, in deviations: skew between "
            "the two paths of the data."),
    _median("Share of hours missing", "missing", "Of the last days; compare with the training "
            "windows in the table.", unit="percentunit"),
    _median("Hours inside the 80 % interval", "coverage_80",
            "An hour ahead, last day. 0.8 is right; lower means intervals are too narrow.",
            unit="percentunit"),
)

_TABLES = (
    Panel(title="Cohorts", kind=Kind.TABLE, width=24, height=8,
          about="The newest day: provider, vital and age, most drifting first.", columns={
              "provider": Type.TEXT, "vital": Type.TEXT, "age": Type.TEXT, "series": Type.NUMBER,
              "drifting, %": Type.NUMBER, "PSI": Type.NUMBER, "level": Type.NUMBER,
              "error ratio": Type.NUMBER, "inside the 80 % interval, %": Type.NUMBER,
              "missing, %": Type.NUMBER, "missing in training, %": Type.NUMBER},
          decimals=2, sql=f"""
SELECT provider, vital, age_band AS age, series,
       100.0 * drifting / nullif(series, 0) AS "drifting, %", psi AS "PSI", level,
       error_ratio AS "error ratio", 100 * coverage_80 AS "inside the 80 % interval, %",
       100 * missing AS "missing, %", 100 * missing_usual AS "missing in training, %"
FROM bi_drift WHERE vital IN (${{vital:sqlstring}})
  AND day = (SELECT max(day) FROM bi_drift WHERE {_OF_DAY})
ORDER BY 5 DESC, series DESC, provider, vital, age LIMIT 100"""),
    Panel(title="Newest events", kind=Kind.TABLE, width=14, height=8, decimals=2,
          about="Each has a structure search of its series. The patient's board names the series.",
          columns={"detected": Type.TIME, "began": Type.TIME, "vital": Type.TEXT,
                   "kind": Type.TEXT, "score": Type.NUMBER, "threshold": Type.NUMBER,
                   "gone": Type.TIME}, sql=f"""
SELECT detected, began, vital, kind, score, threshold, closed_at AS gone
FROM bi_drift_events WHERE {_DETECTED}
ORDER BY detected DESC, vital, kind, score DESC LIMIT 100"""),
    Panel(title="Events by kind and vital", kind=Kind.BARS, columns=NAMED, width=10, low=0,
          about="In the time shown.", thresholds=steps(YELLOW), sql=f"""
SELECT kind || ', ' || vital AS metric, CAST(count(*) AS double precision) AS value
FROM bi_drift_events WHERE {_DETECTED} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 12"""),
)

DRIFT = Board(
    uid="vitalcast-drift", title="Drift",
    about="Do series still look like what their models were fitted to.",
    panels=(*_HEADLINES, *_FIGURES, *_TABLES), variables=(VITAL,), notes=NOTES, since="now-30d")
