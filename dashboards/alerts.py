"""The alert rules. Each is a number beyond a limit for some time, and a page of the runbook.

No rule names a patient: what Grafana sends out by mail or chat must not.
"""

from dashboards.boards.accuracy import BASELINES, BESIDE
from dashboards.boards.common import EXPECTED
from dashboards.model import NAMED, ONE, Rule

CRITICAL, WARNING = "critical", "warning"

RULES = (
    Rule(uid="vitalcast-forecasts-late", title="No new forecasts", runbook="the-cycle-is-late",
         severity=CRITICAL, columns=ONE, above=7200, for_minutes=5, hours=48, quiet="Alerting",
         summary="The newest forecasts are older than two hours.", sql="""
SELECT extract(epoch FROM now() - max(cycle)) AS value FROM bi_cycles
WHERE $__timeFilter(cycle) AND forecast_at IS NOT NULL HAVING max(cycle) IS NOT NULL"""),
    Rule(uid="vitalcast-cycle-slow", title="A cycle takes an hour", runbook="a-cycle-takes-an-hour",
         severity=WARNING, columns=ONE, above=3000, for_minutes=60, hours=4,
         summary="Forecasts come more than 50 minutes after the full hour: soon cycles will wait "
                 "for each other.", sql="""
SELECT min(delay_s) AS value FROM bi_cycles
WHERE $__timeFilter(cycle) AND delay_s IS NOT NULL HAVING count(*) > 0"""),
    Rule(uid="vitalcast-run-failed", title="A job fails again and again", runbook="a-job-fails",
         severity=CRITICAL, columns=NAMED, above=2, for_minutes=0, hours=3,
         summary="More than two runs of this job failed within three hours.", sql="""
SELECT job AS metric, CAST(count(*) AS double precision) AS value FROM bi_runs
WHERE $__timeFilter(started_at) AND status = 'failed' GROUP BY job"""),
    Rule(uid="vitalcast-vendor-down", title="A vendor does not answer", runbook="a-provider-fails",
         severity=WARNING, columns=NAMED, above=0.5, for_minutes=30, hours=3,
         summary="More than half of the fetches from this vendor failed.", sql="""
SELECT provider AS metric,
       CAST(coalesce(sum(fetches) FILTER (WHERE outcome = 'fetch_failed'), 0) AS double precision)
       / sum(fetches) AS value
FROM bi_fetches WHERE $__timeFilter(cycle) GROUP BY provider"""),
    Rule(uid="vitalcast-format-changed", title="A vendor's answers are not understood",
         runbook="a-vendor-changed-its-format", severity=CRITICAL, columns=NAMED, above=0,
         for_minutes=0, hours=6, summary="Whole pages of this vendor are in quarantine.", sql="""
SELECT provider AS metric, CAST(sum(arrived) AS double precision) AS value FROM bi_quarantine
WHERE $__timeFilter(cycle) AND kind IN ('page', 'discrepancy') GROUP BY provider"""),
    Rule(uid="vitalcast-readings-missing", title="Few hours have a reading",
         runbook="few-hours-have-a-reading", severity=WARNING, columns=NAMED, below=0.2,
         for_minutes=60, summary="Of the hours of this vendor's patients in which a reading could "
                                 "have come, less than a fifth has one.", sql=f"""
SELECT provider AS metric,
       CAST(coalesce(sum(series) FILTER (WHERE state = 'ok'), 0) AS double precision)
       / nullif(sum(series), 0) AS value
FROM bi_coverage WHERE $__timeFilter(hour) AND {EXPECTED} GROUP BY provider"""),  # noqa: S608
    Rule(uid="vitalcast-readings-late", title="Readings come late", runbook="readings-come-late",
         severity=WARNING, columns=NAMED, above=86400, for_minutes=60,
         summary="A twentieth of this vendor's readings comes more than a day late.", sql="""
SELECT provider AS metric, sum(lateness_p95_s * readings) / sum(readings) AS value
FROM bi_arrivals WHERE $__timeFilter(cycle) AND readings > 0 GROUP BY provider"""),
    Rule(uid="vitalcast-fits-fail", title="Fits fail", runbook="fits-fail", severity=WARNING,
         columns=NAMED, above=0.1, for_minutes=30,
         summary="More than a tenth of this member's fits failed or ran out of time.", sql="""
SELECT member AS metric,
       CAST(coalesce(sum(fits) FILTER (WHERE outcome IN ('failed', 'timeout')), 0)
            AS double precision) / sum(fits) AS value
FROM bi_fits WHERE $__timeFilter(cycle) AND outcome <> 'switched_off' GROUP BY member"""),
    Rule(uid="vitalcast-intervals-wrong", title="Intervals do not hold",
         runbook="bounds-do-not-hold", severity=CRITICAL, columns=NAMED, below=0.7, for_minutes=60,
         hours=72, summary="Less than 70 % of this vital's hours lie inside the 80 % interval.",
         sql="""
SELECT vital AS metric, sum(coverage_80 * hours) / nullif(sum(hours), 0) AS value
FROM bi_accuracy WHERE $__timeFilter(cycle) GROUP BY vital HAVING sum(hours) >= 100"""),
    Rule(uid="vitalcast-worse-than-baseline", title="A baseline is better",
         runbook="a-baseline-is-better", severity=WARNING, columns=NAMED, above=1.05,
         for_minutes=60, hours=168,
         summary="For a week a method of one line has done better on this vital.", sql=f"""
SELECT vital AS metric, max(ratio) AS value
FROM (SELECT vital, {BESIDE} AS ratio FROM bi_members
      WHERE $__timeFilter(cycle) AND member IN {BASELINES}
      GROUP BY vital, member HAVING sum(hours) >= 1000) AS m
GROUP BY vital"""),  # noqa: S608 -- constants of this room
    Rule(uid="vitalcast-drift", title="Many series drift", runbook="many-series-drift",
         severity=WARNING, columns=NAMED, above=0.15, for_minutes=60, hours=48,
         summary="More than 15 % of this vital's series have left their training window.", sql="""
SELECT vital AS metric, CAST(sum(drifting) AS double precision) / nullif(sum(series), 0) AS value
FROM bi_drift WHERE $__timeFilter(day) AND day = (SELECT max(day) FROM bi_drift)
GROUP BY vital HAVING sum(series) >= 20"""),
    Rule(uid="vitalcast-boards-stale", title="Boards are stale", runbook="boards-are-stale",
         severity=WARNING, columns=ONE, above=10800, for_minutes=30, hours=48, quiet="Alerting",
         summary="No cycle was rolled up for three hours: boards and rules see nothing newer.",
         sql="""
SELECT extract(epoch FROM now() - max(cycle)) AS value FROM bi_cycles
WHERE $__timeFilter(cycle) AND patients IS NOT NULL HAVING max(cycle) IS NOT NULL"""),
)
