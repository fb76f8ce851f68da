"""Forecasts: how right they were, and whether their intervals promised what they kept."""

from dashboards.boards.common import NOTES, ONE_VITAL, mean_of_hours
from dashboards.model import (
    GREEN,
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

BASELINES = "('seasonal_naive', 'hour_of_day', 'mean_of_last_day', 'last_value')"
"""The members that a person would try first (`forecasting.config.BASELINES`)."""

_OF_VITAL = "$__timeFilter(cycle) AND vital IN (${vital:sqlstring})"

# Beside each baseline over the hours that both forecast; the best of them counts.
BESIDE = "sum(ensemble_mae * hours) / nullif(sum(mae * hours), 0)"

_INSIDE = {level: f"sum(coverage_{level} * hours) / nullif(sum(hours), 0)"
           for level in (50, 80, 95)}

_HEADLINES = (
    Panel(title="Inside the 80 % interval", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Of all vitals and hours ahead. 80 % is right; more means needlessly wide.",
          unit="percentunit", decimals=1,
          thresholds=steps(RED, (0.7, ORANGE), (0.76, GREEN), (0.88, YELLOW)), sql=f"""
SELECT {_INSIDE[80]} AS value FROM bi_accuracy WHERE $__timeFilter(cycle)"""),
    Panel(title="Inside the 95 % interval", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Of all vitals and hours ahead.", unit="percentunit", decimals=1,
          thresholds=steps(RED, (0.88, ORANGE), (0.92, GREEN), (0.99, YELLOW)), sql=f"""
SELECT {_INSIDE[95]} AS value FROM bi_accuracy WHERE $__timeFilter(cycle)"""),
    Panel(title="Error beside the best baseline", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Mean of the vitals. Below 1 the ensemble earns its cost; 1 is the best method of "
                "one line.", decimals=3, thresholds=steps(GREEN, (0.97, ORANGE), (1, RED)),
          sql=f"""
SELECT avg(ratio) AS value FROM (
    SELECT max(ratio) AS ratio
    FROM (SELECT vital, {BESIDE} AS ratio FROM bi_members
          WHERE $__timeFilter(cycle) AND member IN {BASELINES} GROUP BY vital, member) AS m
    GROUP BY vital) AS by_vital"""),
    Panel(title="Series without a forecast", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="At the newest cycle; the reasons are below.", unit="percentunit", decimals=1,
          thresholds=steps(GREEN, (0.1, ORANGE), (0.3, RED)), sql="""
SELECT CAST(coalesce(sum(series) FILTER (WHERE reason IS NOT NULL), 0) AS double precision)
       / nullif(sum(series), 0) AS value
FROM bi_forecasts
WHERE cycle = (SELECT max(cycle) FROM bi_forecasts WHERE $__timeFilter(cycle))"""),
)

_OVER_TIME = (
    Panel(title="Inside the intervals, all vitals", kind=Kind.TIMESERIES, unit="percentunit",
          about="Each line should lie on its own level: 50, 80, 95 %.", low=0, high=1, decimals=0,
          colours={"50 %": "light-blue", "80 %": "blue", "95 %": "dark-blue"}, sql=f"""
SELECT time, metric, value FROM (
    SELECT $__timeGroupAlias(cycle, $__interval), {_INSIDE[50]} AS a, {_INSIDE[80]} AS b,
           {_INSIDE[95]} AS c
    FROM bi_accuracy WHERE $__timeFilter(cycle) GROUP BY 1) AS inside
CROSS JOIN LATERAL (VALUES ('50 %', a), ('80 %', b), ('95 %', c)) AS levels (metric, value)
WHERE value IS NOT NULL ORDER BY 1, 2"""),
    Panel(title="Error beside the best baseline, by vital", kind=Kind.TIMESERIES, decimals=2,
          about="Mean absolute errors, the ensemble's over that of the best baseline of the same "
                "hours. Above the line a baseline would have done better.",
          thresholds=steps(GREEN, (1, RED)), sql=f"""
SELECT time, vital AS metric, max(ratio) AS value
FROM (SELECT $__timeGroupAlias(cycle, $__interval), vital, {BESIDE} AS ratio FROM bi_members
      WHERE $__timeFilter(cycle) AND member IN {BASELINES} GROUP BY 1, 2, member) AS m
GROUP BY time, vital HAVING max(ratio) IS NOT NULL ORDER BY 1, 2"""),
    Panel(title="Error by hours ahead: ${vital}", kind=Kind.TIMESERIES, low=0, decimals=2,
          about="Mean absolute error in the vital's own unit, by when the forecast was made.",
          sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), bucket || ' h' AS metric,
       sum(mae * hours) / nullif(sum(hours), 0) AS value
FROM bi_accuracy WHERE {_OF_VITAL} GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Bias by hours ahead: ${vital}", kind=Kind.TIMESERIES, decimals=2,
          about="Observed less forecast, in the vital's own unit: above 0 forecasts were too low.",
          sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), bucket || ' h' AS metric,
       sum(bias * hours) / nullif(sum(hours), 0) AS value
FROM bi_accuracy WHERE {_OF_VITAL} GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Width of the 80 % interval: ${vital}", kind=Kind.TIMESERIES, low=0, decimals=1,
          about="Mean over the horizon, in the vital's own unit. Narrow is worth something only "
                "where the intervals hold.", sql=f"""
SELECT $__timeGroupAlias(cycle, $__interval), vital AS metric,
       sum(width_80 * series) / nullif(sum(series), 0) AS value
FROM bi_forecasts WHERE {_OF_VITAL} AND width_80 IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Series without a forecast, by reason", kind=Kind.TIMESERIES, bars=True,
          stacked=True, low=0, about="All vitals, at each cycle.", sql=mean_of_hours(
              "cycle", "reason", "series",
              "bi_forecasts WHERE $__timeFilter(cycle) AND reason IS NOT NULL")),
)

_NUMBER, _TEXT = Type.NUMBER, Type.TEXT

_TABLES = (
    Panel(title="Members: ${vital}", kind=Kind.TABLE, height=9, decimals=3,
          about="Mean absolute error over the whole horizon, and beside the ensemble's over the "
                "same hours: below 1 a member alone would have done better.",
          columns={"member": _TEXT, "hours": _NUMBER, "mean error": _NUMBER,
                   "beside the ensemble": _NUMBER}, sql=f"""
SELECT member, sum(hours) AS hours, sum(mae * hours) / nullif(sum(hours), 0) AS "mean error",
       sum(mae * hours) / nullif(sum(ensemble_mae * hours), 0) AS "beside the ensemble"
FROM bi_members WHERE {_OF_VITAL} GROUP BY member ORDER BY 4, 1"""),
    Panel(title="By vital and hours ahead", kind=Kind.TABLE, height=9, decimals=2,
          about="In each vital's own unit: beats or breaths per minute, mmHg, °C, %.",
          columns={"vital": _TEXT, "ahead": _TEXT, "hours": _NUMBER, "mean error": _NUMBER,
                   "bias": _NUMBER, "inside the 80 % interval, %": _NUMBER,
                   "inside the 95 %, %": _NUMBER}, sql=f"""
SELECT vital, bucket || ' h' AS ahead, sum(hours) AS hours,
       sum(mae * hours) / nullif(sum(hours), 0) AS "mean error",
       sum(bias * hours) / nullif(sum(hours), 0) AS bias,
       100 * {_INSIDE[80]} AS "inside the 80 % interval, %",
       100 * {_INSIDE[95]} AS "inside the 95 %, %"
FROM bi_accuracy WHERE $__timeFilter(cycle)
GROUP BY vital, bucket ORDER BY vital, min(CAST(split_part(bucket, '-', 1) AS integer))"""),
)

ACCURACY = Board(
    uid="vitalcast-accuracy", title="Forecast accuracy",
    about="How right forecasts were, and whether their intervals kept what they promised.",
    panels=(*_HEADLINES, *_OVER_TIME, *_TABLES), variables=(ONE_VITAL,), notes=NOTES)
