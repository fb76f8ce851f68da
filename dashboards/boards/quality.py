"""Data quality: what came, how late, what is missing and why, what was not understood."""

from dashboards.boards.common import (
    EXPECTED,
    NOTES,
    PROVIDER,
    STATE_COLOURS,
    VITAL,
    mean_of_hours,
)
from dashboards.model import (
    GREEN,
    NAMED,
    ONE,
    ORANGE,
    RED,
    Board,
    Kind,
    Panel,
    Type,
    steps,
)

_PROVIDER = "provider IN (${provider:sqlstring})"
_CHOSEN = _PROVIDER + " AND vital IN (${vital:sqlstring})"
_COVERED = f"$__timeFilter(hour) AND {EXPECTED} AND {_CHOSEN}"
_MISSING_COLOURS = {name: colour for name, colour in STATE_COLOURS.items() if name != "ok"}

_HEADLINES = (
    Panel(title="Expected hours with a reading", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="Of the hours in which a reading could have come. Few make forecasts vague.",
          unit="percentunit", decimals=1, thresholds=steps(RED, (0.3, ORANGE), (0.5, GREEN)),
          sql=f"""
SELECT CAST(sum(series) FILTER (WHERE state = 'ok') AS double precision) / nullif(sum(series), 0)
       AS value
FROM bi_coverage WHERE {_COVERED}"""),
    Panel(title="Fetches that failed", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="Vendor errors, refused tokens, answers that were not understood.",
          unit="percentunit", decimals=1, thresholds=steps(GREEN, (0.02, ORANGE), (0.1, RED)),
          sql=f"""
SELECT CAST(coalesce(sum(fetches) FILTER (WHERE outcome <> 'complete'), 0) AS double precision)
       / nullif(sum(fetches), 0) AS value
FROM bi_fetches WHERE $__timeFilter(cycle) AND {_PROVIDER}"""),
    Panel(title="Lateness, the slower 5 %", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="From the end of a reading to its storage: what 95 % of a cycle's readings stay "
                "below, mean of the cycles, of the slowest vendor. Up to an hour is the cycle's "
                "own.", unit="s", thresholds=steps(GREEN, (21600, ORANGE), (86400, RED)),
          sql=f"""
SELECT max(late) AS value FROM (
    SELECT sum(lateness_p95_s * readings) / nullif(sum(readings), 0) AS late
    FROM bi_arrivals WHERE $__timeFilter(cycle) AND {_CHOSEN} GROUP BY provider) AS by_provider"""),
    Panel(title="Readings not of accepted quality", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="Stored and shown, but not forecast from.", unit="percentunit", decimals=1,
          thresholds=steps(GREEN, (0.05, ORANGE), (0.2, RED)), sql=f"""
SELECT CAST(sum(flagged) AS double precision)
       / nullif(sum(readings + history + revised), 0) AS value
FROM bi_arrivals WHERE $__timeFilter(cycle) AND {_CHOSEN}"""),
    Panel(title="Held in quarantine", kind=Kind.STAT, columns=ONE, width=4, height=4,
          about="Payloads that wait for a fix: vitalcast quarantine list.",
          thresholds=steps(GREEN, (1, ORANGE), (50, RED)), sql=f"""
SELECT coalesce(sum(held), 0) AS value FROM bi_quarantine
WHERE {_PROVIDER} AND cycle = (SELECT max(cycle) FROM bi_quarantine WHERE $__timeFilter(cycle))"""),
)

_MISSING = (
    Panel(title="Series without a reading, by reason", kind=Kind.TIMESERIES, bars=True,
          stacked=True, width=15, colours=_MISSING_COLOURS, low=0,
          about="In a mean hour of those with any. The newest hours are judged again when late "
                "readings come.",
          sql=mean_of_hours("hour", "state", "series",
                            f"bi_coverage WHERE {_COVERED} AND state <> 'ok'")),
    Panel(title="Missing hours by reason", kind=Kind.BARS, columns=NAMED, width=9, low=0,
          about="Share of the expected hours.", unit="percentunit", decimals=1,
          thresholds=steps(ORANGE), sql=f"""
SELECT state AS metric, CAST(n AS double precision) / nullif(expected, 0) AS value
FROM (SELECT state, sum(series) AS n, sum(sum(series)) OVER () AS expected
      FROM bi_coverage WHERE {_COVERED} GROUP BY state) AS counted
WHERE state <> 'ok' ORDER BY value DESC"""),
    Panel(title="Expected hours with a reading, by provider", kind=Kind.TIMESERIES,
          about="A vendor that falls away alone has a problem of its own.", unit="percentunit",
          low=0, high=1, thresholds=steps(RED, (0.3, ORANGE), (0.5, GREEN)), sql=f"""
SELECT $__timeGroupAlias(hour, $__interval), provider AS metric,
       CAST(coalesce(sum(series) FILTER (WHERE state = 'ok'), 0) AS double precision)
       / nullif(sum(series), 0) AS value
FROM bi_coverage WHERE {_COVERED} GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Expected hours with a reading, by vital", kind=Kind.BARS, columns=NAMED,
          about="Nightly and manual vitals are low by nature: compare with last week.",
          unit="percentunit", decimals=1, low=0, high=1,
          thresholds=steps(RED, (0.1, ORANGE), (0.3, GREEN)), sql=f"""
SELECT vital AS metric,
       CAST(coalesce(sum(series) FILTER (WHERE state = 'ok'), 0) AS double precision)
       / nullif(sum(series), 0) AS value
FROM bi_coverage WHERE {_COVERED} GROUP BY vital ORDER BY vital"""),
)

_ARRIVING = (
    Panel(title="Readings that arrived", kind=Kind.TIMESERIES, bars=True, stacked=True, low=0,
          about="Per cycle, without what a first fetch or a file brings. Nothing from a "
                "vendor: look at its fetches below.",
          sql=mean_of_hours("cycle", "provider", "readings",
                            f"bi_arrivals WHERE $__timeFilter(cycle) AND {_CHOSEN}")),
    Panel(title="Lateness: 95 % of readings came within", kind=Kind.TIMESERIES, unit="s", low=0,
          about="From the end of a reading to its storage. Phones that synchronise once a day make "
                "it long; it should not grow.", sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), provider AS metric,
       sum(lateness_p95_s * readings) / nullif(sum(readings), 0) AS value
FROM bi_arrivals WHERE $__timeFilter(cycle) AND {_CHOSEN} AND readings > 0
GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Readings with a quality flag", kind=Kind.TIMESERIES, bars=True, stacked=True,
          about="By the hour that they were measured in; a reading may have several.", low=0,
          sql=f"""
SELECT $__timeGroupAlias(hour, $__interval), flag AS metric,
       CAST(sum(readings) AS double precision) AS value
FROM bi_flags WHERE $__timeFilter(hour) AND {_CHOSEN} GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Entries held in quarantine", kind=Kind.TIMESERIES, low=0,
          about="At the end of each cycle. It falls when a fix reads them, or somebody dismisses "
                "them.", thresholds=steps(GREEN, (50, RED)), sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), provider || ' ' || kind AS metric,
       CAST(max(held) AS double precision) AS value
FROM bi_quarantine WHERE $__timeFilter(cycle) AND {_PROVIDER} GROUP BY 1, 2 ORDER BY 1, 2"""),
)

_NUMBER, _TEXT = Type.NUMBER, Type.TEXT

_TABLES = (
    Panel(title="Providers", kind=Kind.TABLE, about="What was asked of each vendor.", width=24,
          height=6, columns={
              "provider": _TEXT, "fetches": _NUMBER, "failed": _NUMBER, "not entitled": _NUMBER,
              "not understood": _NUMBER, "records": _NUMBER, "refused records": _NUMBER,
              "mean fetch, s": _NUMBER, "slowest fetch, s": _NUMBER}, decimals=2, sql=f"""
SELECT provider, sum(fetches) AS fetches,
       coalesce(sum(fetches) FILTER (WHERE outcome = 'fetch_failed'), 0) AS failed,
       coalesce(sum(fetches) FILTER (WHERE outcome = 'not_entitled'), 0) AS "not entitled",
       coalesce(sum(fetches) FILTER (WHERE outcome = 'format_discrepancy'), 0) AS "not understood",
       sum(received) AS records, sum(refused) AS "refused records",
       sum(seconds) / sum(fetches) AS "mean fetch, s", max(slowest_s) AS "slowest fetch, s"
FROM bi_fetches WHERE $__timeFilter(cycle) AND {_PROVIDER} GROUP BY provider ORDER BY provider"""),
    Panel(title="Flags by provider and vital", kind=Kind.TABLE, height=7,
          about="Standing flags of the readings of these days.", columns={
              "provider": _TEXT, "vital": _TEXT, "flag": _TEXT, "readings": _NUMBER,
              "kept out": _NUMBER}, sql=f"""
SELECT provider, vital, flag, sum(readings) AS readings, sum(kept_out) AS "kept out"
FROM bi_flags WHERE $__timeFilter(hour) AND {_CHOSEN}
GROUP BY provider, vital, flag ORDER BY readings DESC LIMIT 50"""),
    Panel(title="In quarantine", kind=Kind.TABLE, height=7,
          about="Newest first. vitalcast quarantine show ENTRY tells more.", columns={
              "last came": Type.TIME, "entry": _TEXT, "provider": _TEXT, "resource": _TEXT,
              "kind": _TEXT, "reason": _TEXT, "records": _NUMBER}, sql=f"""
SELECT last_cycle AS "last came", entry_id AS entry, provider, resource, kind, reason, records
FROM bi_quarantine_entries WHERE status = 'held' AND {_PROVIDER}
ORDER BY last_cycle DESC, entry_id LIMIT 100"""),
)

QUALITY = Board(
    uid="vitalcast-quality", title="Data quality",
    about="What came from the vendors, how late, what is missing and why.",
    panels=(*_HEADLINES, *_MISSING, *_ARRIVING, *_TABLES), variables=(PROVIDER, VITAL),
    notes=NOTES)
