"""Operations: is the cycle on time, what does it cost, what failed and why."""

from dashboards.boards.common import NOTES, mean_of_hours
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

_BANDS = {"low": GREEN, "low-medium": "yellow", "medium": ORANGE, "high": RED,
          "not applicable": "#808080"}
_STAGES = {"ingest": "blue", "train": "purple", "forecast": "green", "evaluate": "yellow",
           "watch": ORANGE, "rollup": "#808080"}
_JOBS = tuple(_STAGES)
_FITS = "$__timeFilter(cycle) AND outcome <> 'switched_off'"

_HEADLINES = (
    Panel(title="Last forecasts after the full hour", kind=Kind.STAT, columns=ONE, width=5,
          height=4, unit="s", about="Of the newest cycle that has forecasts. An hour means that "
                                    "the next cycle waits.",
          thresholds=steps(GREEN, (1800, ORANGE), (3600, RED)), sql="""
SELECT delay_s AS value FROM bi_cycles WHERE $__timeFilter(cycle) AND forecast_at IS NOT NULL
ORDER BY cycle DESC LIMIT 1"""),
    Panel(title="Runs that failed", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="In the time shown; the newest are listed below.",
          thresholds=steps(GREEN, (1, RED)), sql="""
SELECT coalesce(sum(failed), 0) AS value FROM bi_cycles WHERE $__timeFilter(cycle)"""),
    Panel(title="Cycles without forecasts", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="Hours of the time shown, up to the newest cycle, for which nothing was forecast.",
          thresholds=steps(GREEN, (1, ORANGE), (3, RED)), sql="""
SELECT CAST(extract(epoch FROM max(cycle) - min(cycle)) AS integer) / 3600 + 1
       - count(*) FILTER (WHERE forecast_at IS NOT NULL) AS value
FROM bi_cycles WHERE $__timeFilter(cycle)"""),
    Panel(title="CPU seconds a patient and cycle", kind=Kind.STAT, columns=ONE, width=5, height=4,
          about="Mean of the time shown, all jobs.", decimals=3, thresholds=steps(GREEN), sql="""
SELECT sum(cpu_seconds) / nullif(sum(patients), 0) AS value
FROM bi_cycles WHERE $__timeFilter(cycle) AND patients > 0"""),
    Panel(title="Patients scored", kind=Kind.STAT, columns=ONE, width=4, height=4,
          about="At the newest cycle.", thresholds=steps(GREEN), sql="""
SELECT patients AS value FROM bi_cycles WHERE $__timeFilter(cycle) AND patients IS NOT NULL
ORDER BY cycle DESC LIMIT 1"""),
)

_CYCLE = (
    Panel(title="Cycle time by stage", kind=Kind.TIMESERIES, bars=True, stacked=True, unit="s",
          about="Busy time of the slowest shard of each job. A stage that grows alone is the one "
                "to look at.", low=0, colours=_STAGES, sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), job AS metric, avg(seconds) AS value
FROM (SELECT cycle, job, max(seconds) AS seconds
      FROM (SELECT cycle, job, shard, sum(seconds) AS seconds FROM bi_runs
            WHERE $__timeFilter(cycle) AND job IN {_JOBS} AND seconds IS NOT NULL
            GROUP BY cycle, job, shard) AS by_shard
      GROUP BY cycle, job) AS by_job
GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Forecasts after the full hour", kind=Kind.TIMESERIES, unit="s", low=0,
          about="From the cycle's hour to its last forecast.",
          thresholds=steps(GREEN, (3600, RED)), sql="""
SELECT $__timeGroupAlias(cycle, $__interval), 'delay' AS metric, max(delay_s) AS value
FROM bi_cycles WHERE $__timeFilter(cycle) AND delay_s IS NOT NULL GROUP BY 1, 2 ORDER BY 1"""),
    Panel(title="CPU seconds a patient, by stage", kind=Kind.TIMESERIES, low=0, stacked=True,
          bars=True, about="What a patient costs a cycle.", decimals=3, colours=_STAGES, sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), job AS metric, avg(cpu_seconds / patients) AS value
FROM (SELECT cycle, job, sum(cpu_seconds) AS cpu_seconds FROM bi_runs
      WHERE $__timeFilter(cycle) AND job IN {_JOBS} GROUP BY cycle, job) AS cost
JOIN (SELECT cycle, sum(patients) AS patients FROM bi_severities
      WHERE $__timeFilter(cycle) GROUP BY cycle) AS scored USING (cycle)
GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Patients by severity", kind=Kind.TIMESERIES, stacked=True, bars=True, low=0,
          colours=_BANDS, about="A sudden change of many is rather the data than the patients.",
          sql=mean_of_hours("cycle", "band", "patients",
                            "bi_severities WHERE $__timeFilter(cycle)")),
)

_MODELS = (
    Panel(title="Fits by outcome", kind=Kind.TIMESERIES, bars=True, stacked=True, low=0,
          about="Of each cycle's trainings. A failed fit has its last good model stand in.",
          colours={"fitted": GREEN, "failed": RED, "timeout": ORANGE,
                   "too_little_data": "#808080"},
          sql=mean_of_hours("cycle", "outcome", "fits", f"bi_fits WHERE {_FITS}")),
    Panel(title="CPU seconds by member", kind=Kind.BARS, columns=NAMED, low=0,
          about="All fits of the time shown.", unit="s", decimals=1, thresholds=steps("blue"),
          sql=f"""
SELECT member AS metric, sum(cpu_seconds) AS value
FROM bi_fits WHERE {_FITS} GROUP BY member HAVING sum(cpu_seconds) > 0
ORDER BY value DESC LIMIT 12"""),
    Panel(title="Slowest members", kind=Kind.TABLE, width=10, decimals=4,
          about="CPU seconds; the mean is per fit.", columns={
              "member": Type.TEXT, "made by": Type.TEXT, "fits": Type.NUMBER,
              "mean, s": Type.NUMBER, "slowest, s": Type.NUMBER}, sql=f"""
SELECT member, made_by AS "made by", sum(fits) AS fits, sum(cpu_seconds) / sum(fits) AS "mean, s",
       max(slowest_s) AS "slowest, s"
FROM bi_fits WHERE {_FITS} AND outcome = 'fitted' GROUP BY member, made_by
ORDER BY 4 DESC, 1 LIMIT 50"""),
    Panel(title="Fits that came to nothing, by reason", kind=Kind.TABLE, width=14,
          about="Numbers are replaced by #.", columns={
              "member": Type.TEXT, "outcome": Type.TEXT, "reason": Type.TEXT,
              "fits": Type.NUMBER}, sql="""
SELECT member, outcome, reason, sum(fits) AS fits FROM bi_failures WHERE $__timeFilter(cycle)
GROUP BY member, outcome, reason ORDER BY fits DESC, member LIMIT 50"""),
)

_RUNS = (
    Panel(title="Failed runs", kind=Kind.TABLE, width=14,
          about="Newest first. vitalcast explain RUN tells why on one screen.", columns={
              "began": Type.TIME, "run": Type.NUMBER, "job": Type.TEXT, "shard": Type.TEXT,
              "cycle": Type.TIME, "what ended it": Type.TEXT}, sql="""
SELECT started_at AS began, run_id AS run, job, shard, cycle, exception AS "what ended it"
FROM bi_runs WHERE $__timeFilter(cycle) AND status = 'failed'
ORDER BY started_at DESC LIMIT 50"""),
    Panel(title="Shards", kind=Kind.TABLE, width=10,
          about="Mean run of each shard: one that is slower than the others has more patients.",
          columns={"job": Type.TEXT, "shard": Type.TEXT, "runs": Type.NUMBER,
                   "mean, s": Type.NUMBER, "slowest, s": Type.NUMBER}, decimals=2, sql="""
SELECT job, shard, count(*) AS runs, avg(seconds) AS "mean, s", max(seconds) AS "slowest, s"
FROM bi_runs WHERE $__timeFilter(cycle) AND seconds IS NOT NULL
GROUP BY job, shard ORDER BY 4 DESC LIMIT 50"""),
    Panel(title="Events", kind=Kind.TIMESERIES, bars=True, stacked=True, low=0,
          colours={"info": "blue", "warning": ORANGE, "error": RED},
          about="vitalcast events search finds them.", sql="""
SELECT $__timeGroupAlias(recorded_at, $__interval), severity AS metric, count(*) AS value
FROM bi_events WHERE $__timeFilter(recorded_at) GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Warnings and errors", kind=Kind.TABLE, about="Most frequent first.", columns={
        "severity": Type.TEXT, "message": Type.TEXT, "events": Type.NUMBER, "last": Type.TIME},
        sql="""
SELECT severity, message, count(*) AS events, max(recorded_at) AS last
FROM bi_events WHERE $__timeFilter(recorded_at) AND severity <> 'info'
GROUP BY severity, message ORDER BY events DESC, message LIMIT 50"""),
)

OPERATIONS = Board(
    uid="vitalcast-operations", title="Operations",
    about="Is the cycle on time, what does it cost, what failed and why.",
    panels=(*_HEADLINES, *_CYCLE, *_MODELS, *_RUNS), notes=NOTES)
