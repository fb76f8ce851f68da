"""One patient: readings, forecast, coverage, severity. For those who may see patients."""

from dashboards.boards.common import STATES
from dashboards.model import (
    GREEN,
    ONE,
    ORANGE,
    RED,
    Board,
    Kind,
    Note,
    Panel,
    Type,
    Variable,
    steps,
)

_PATIENT = "patient_id = ${patient:sqlstring}"
_SERIES = _PATIENT + " AND vital = ${vital:sqlstring}"
_NEWEST = f"(SELECT max(cutoff) FROM bi_patient_severities WHERE {_PATIENT})"
_CODES = ", ".join(f"'{name}'" for name, _ in STATES.values())

PATIENT = Variable(name="patient", label="Patient", several=False,
                   sql="SELECT patient_id FROM bi_patients ORDER BY 1")
OWN_VITAL = Variable(name="vital", label="Vital", several=False, sql="""
SELECT DISTINCT vital FROM bi_patient_coverage
WHERE patient_id = ${patient:sqlstring} AND state <> 'unsupported' ORDER BY 1""")

DRIFTED = Note(name="Drift", colour=ORANGE, sql=f"""
SELECT detected AS time, kind || ' of ' || vital || ': ' || words AS text
FROM bi_patient_drift WHERE {_PATIENT} AND $__timeFilter(detected) ORDER BY 1""")

_PANELS = (
    Panel(title="Severity now", kind=Kind.STAT, columns={"value": Type.TEXT}, width=6, height=4,
          about="At the newest cycle. The report explains it: /patients/ID.", sql=f"""
SELECT band AS value FROM bi_patient_severities WHERE {_PATIENT} AND cutoff = {_NEWEST}"""),
    Panel(title="Hours with a reading, all vitals", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Of the hours in which one could have come, in the time shown.",
          unit="percentunit", decimals=0, thresholds=steps(RED, (0.3, ORANGE), (0.5, GREEN)),
          sql=f"""
SELECT CAST(count(*) FILTER (WHERE state = 'ok') AS double precision) / nullif(count(*), 0) AS value
FROM bi_patient_coverage
WHERE {_PATIENT} AND $__timeFilter(hour) AND state NOT IN ('unsupported', 'not_expected')"""),
    Panel(title="Newest reading, hours ago", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Of any vital, at the end of the time shown.", unit="h", decimals=1,
          thresholds=steps(GREEN, (12, ORANGE), (48, RED)), sql=f"""
SELECT greatest(extract(epoch FROM least(now(), CAST($__timeTo() AS timestamptz)) - max(at)) / 3600,
                0) AS value
FROM bi_patient_readings WHERE {_PATIENT} AND $__timeFilter(at)"""),
    Panel(title="Standing flags", kind=Kind.STAT, columns=ONE, width=6, height=4,
          about="Quality flags of readings in the time shown.",
          thresholds=steps(GREEN, (1, ORANGE)), sql=f"""
SELECT count(*) AS value FROM bi_patient_flags WHERE {_PATIENT} AND $__timeFilter(at)"""),
    Panel(title="Readings and forecast: ${vital}", kind=Kind.TIMESERIES, width=24, height=11,
          about="Hourly means of the readings that forecasts are made from, a gap where there are "
                "none, and the newest forecast with its 80 % interval. In the vital's own unit.",
          decimals=1,
          colours={"observed": "blue", "forecast": "purple", "upper 80 %": "light-purple",
                   "lower 80 %": "light-purple"},
          dashed=("lower 80 %", "upper 80 %"), sql=f"""
SELECT $__timeGroupAlias(hour, '1h'), 'observed' AS metric, value
FROM generate_series(date_trunc('hour', CAST($__timeFrom() AS timestamptz)),
                     least(now(), CAST($__timeTo() AS timestamptz)), interval '1 hour') AS hour
LEFT JOIN (SELECT date_trunc('hour', at) AS hour, avg(value) AS value FROM bi_patient_readings
           WHERE {_SERIES} AND $__timeFilter(at) AND forecast_from GROUP BY 1) AS read USING (hour)
UNION ALL
SELECT $__timeGroup(at, '1h'), bound.metric, bound.value
FROM bi_patient_forecasts CROSS JOIN LATERAL (VALUES
    ('forecast', point), ('lower 80 %', lower_80), ('upper 80 %', upper_80)
) AS bound (metric, value)
WHERE {_SERIES} AND cutoff = {_NEWEST} AND $__timeFilter(at)
ORDER BY 1, 2"""),
    Panel(title="Coverage: why hours have a reading or none", kind=Kind.STATES, width=24, height=7,
          about="Every vital, hour by hour.", states=STATES, sql=f"""
SELECT $__timeGroupAlias(hour, '1h'), vital AS metric,
       CAST(max(array_position(ARRAY[{_CODES}], state)) AS double precision) AS value
FROM bi_patient_coverage WHERE {_PATIENT} AND $__timeFilter(hour)
GROUP BY 1, 2 ORDER BY 1, 2"""),
    Panel(title="Severity", kind=Kind.TIMESERIES, low=0,
          about="The order in the work list: the higher, the worse.", sql=f"""
SELECT $__timeGroupAlias(cutoff, $__interval), 'rank' AS metric, max(rank) AS value
FROM bi_patient_severities WHERE {_PATIENT} AND $__timeFilter(cutoff) GROUP BY 1, 2 ORDER BY 1"""),
    Panel(title="Flags of readings", kind=Kind.TABLE, about="Newest first.", columns={
        "measured": Type.TIME, "vital": Type.TEXT, "flag": Type.TEXT, "why": Type.TEXT}, sql=f"""
SELECT at AS measured, vital, flag, reason AS why
FROM bi_patient_flags WHERE {_PATIENT} AND $__timeFilter(at) ORDER BY at DESC LIMIT 50"""),
)

PATIENT_BOARD = Board(
    uid="vitalcast-patient", title="One patient",
    about="Readings, forecast, coverage and severity of one patient.", panels=_PANELS,
    variables=(PATIENT, OWN_VITAL), notes=(DRIFTED,), since="now-7d", until="now+24h",
    clinical=True)
