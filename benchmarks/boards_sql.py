"""Rows of a ward of so many patients over so many days, made in PostgreSQL: for `boards.py`."""
# ruff: noqa: S608 -- statements are put together from constants of this file

_VITALS = """unnest(ARRAY['heart_rate', 'respiratory_rate', 'systolic_bp', 'diastolic_bp',
    'body_temperature', 'spo2']) AS vital"""
_PROVIDERS = "unnest(ARRAY['withings', 'google_health', 'oura']) AS provider"
_MEMBERS = """unnest(ARRAY['arima', 'ets', 'theta', 'tbats', 'profile', 'revert', 'seasonal_naive',
    'hour_of_day', 'mean_of_last_day', 'last_value']) AS member"""
_STATES = """unnest(ARRAY['ok', 'worn_no_reading', 'not_worn', 'not_measured', 'not_expected',
    'not_synced', 'fetch_failed', 'unsupported']) AS state"""
_CYCLES = """generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz),
    interval '1 hour') AS cycle"""
_DAYS = """generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz),
    interval '1 day') AS day"""
_LOOKED_AT = f"""(SELECT 'p00007' AS patient_id, cycle FROM {_CYCLES}
    UNION ALL SELECT patient_id, CAST(:until AS timestamptz) - ago * interval '1 hour'
    FROM patients, unnest(ARRAY[0, 1, 6, 12, 24, 96]) AS ago WHERE patient_id <> 'p00007')
    AS looked_at"""
_CONFIG = "repeat('c', 64)"

MAKE = (
    """INSERT INTO patients (patient_id)
SELECT 'p' || to_char(n, 'FM00000') FROM generate_series(1, :patients) AS n""",
    """INSERT INTO connections (connection_id, patient_id, provider)
SELECT 'withings:' || patient_id, patient_id, 'withings' FROM patients""",
    f"""INSERT INTO rollup_cycles (cycle, patients) SELECT cycle, :patients FROM {_CYCLES}""",
    f"""INSERT INTO runs (job, cycle, shard, status, started_at, ended_at, cpu_seconds, exception)
SELECT job, cycle, shard || '/8', CASE WHEN random() < 0.002 THEN 'failed' ELSE 'done' END,
       cycle + interval '5 min', cycle + interval '6 min', 30, 'TimeoutError at job.py:10 in run'
FROM {_CYCLES}, unnest(ARRAY['ingest', 'train', 'forecast', 'evaluate', 'rollup']) AS job,
     generate_series(1, 8) AS shard""",
    f"""INSERT INTO rollup_arrivals
SELECT cycle, provider, vital, :patients, 10, 5, 50, 1e6, 600, 3600, 9e4
FROM {_CYCLES}, {_PROVIDERS}, {_VITALS}""",
    f"""INSERT INTO rollup_flags SELECT cycle, provider, vital, flag, 40, 5
FROM {_CYCLES}, {_PROVIDERS}, {_VITALS},
     unnest(ARRAY['jump', 'flat_line', 'out_of_range', 'duplicate']) AS flag""",
    f"""INSERT INTO rollup_fetches
SELECT cycle, provider, resource, outcome, 3000, 60000, 10, 900, 4
FROM {_CYCLES}, {_PROVIDERS},
     unnest(ARRAY['heart', 'sleep', 'spo2', 'temperature', 'devices']) AS resource,
     unnest(ARRAY['complete', 'fetch_failed', 'format_discrepancy', 'not_entitled']) AS outcome""",
    f"""INSERT INTO rollup_coverage SELECT cycle, provider, vital, state, 400
FROM {_CYCLES}, {_PROVIDERS}, {_VITALS}, {_STATES}""",
    f"""INSERT INTO rollup_quarantine SELECT cycle, provider, kind, 1, 40, 90
FROM {_CYCLES}, {_PROVIDERS}, unnest(ARRAY['page', 'records']) AS kind""",
    f"""INSERT INTO rollup_fits SELECT cycle, vital, member, outcome, made_by, 70, 2, 0.3
FROM {_CYCLES}, {_VITALS}, {_MEMBERS}, (VALUES ('fitted', 'search'), ('fitted', 'refit'),
    ('failed', ''), ('too_little_data', '')) AS fit (outcome, made_by)""",
    f"""INSERT INTO rollup_failures SELECT cycle, member, 'failed', reason, 3
FROM {_CYCLES}, {_MEMBERS}, unnest(ARRAY['constant', '# of # hours', 'no structure']) AS reason""",
    f"""INSERT INTO rollup_forecasts SELECT cycle, vital, reason, 900, 4.2
FROM {_CYCLES}, {_VITALS}, unnest(ARRAY['', 'no model yet', 'no reading in the last # h']) AS reason
""",
    f"""INSERT INTO rollup_severities SELECT cycle, band, 2500
FROM {_CYCLES}, unnest(ARRAY['low', 'low-medium', 'medium', 'high']) AS band""",
    f"""INSERT INTO rollup_accuracy
SELECT cycle, vital, bucket, 20000, 100, 50000, 9500, 16000, 19000
FROM {_CYCLES}, {_VITALS}, unnest(ARRAY['1', '2-6', '7-12', '13-24']) AS bucket""",
    f"""INSERT INTO rollup_members SELECT cycle, vital, member, 9000, 200000, 6e5, 5.5e5
FROM {_CYCLES}, {_VITALS}, {_MEMBERS}
UNION ALL SELECT cycle, vital, 'ensemble', 9000, 200000, 5.5e5, 5.5e5 FROM {_CYCLES}, {_VITALS}""",
    f"""INSERT INTO drift_cohorts (provider, vital, age_band, day, series, drifting, missing, psi,
    level, error_ratio, skew, coverage_80)
SELECT provider, vital, age, CAST(day AS date), 800, 20, 0.4, 0.08, 0.1, 1.1, 0.02, 0.8
FROM {_DAYS}, {_PROVIDERS}, {_VITALS},
     unnest(ARRAY['under 40', '40-64', '65 and over', 'unknown']) AS age""",
    f"""INSERT INTO drift_events (patient_id, vital, kind, detected, began, score, threshold, words)
SELECT patient_id, vital, 'level', :until - random() * (CAST(:until AS timestamptz) - :since),
       :since, 9, 8, 'level' FROM patients, {_VITALS}""",
    f"""INSERT INTO events (event_id, recorded_at, kind, severity, cycle, message)
SELECT 'e' || n || cycle, cycle, 'job.done', CASE n % 20 WHEN 0 THEN 'warning' ELSE 'info' END,
       cycle, 'job ' || n % 7 FROM {_CYCLES}, generate_series(1, 200) AS n""",
    f"""INSERT INTO model_configs SELECT {_CONFIG}, '{{"train_every_hours": 24}}', :since""",
    """INSERT INTO raw_payloads SELECT 's' || n, 'withings', 'heart', '', now()
FROM generate_series(1, 5000) AS n""",
    """INSERT INTO quarantine (entry_id, raw_sha256, connection_id, resource, kind, reason, records,
    first_cycle, last_cycle, parser_version)
SELECT 'q' || n, 's' || n, 'withings:p' || to_char(n, 'FM00000'), 'heart', 'page', 'unknown shape',
       1, :since, :until, 1 FROM generate_series(1, least(5000, :patients)) AS n""",
    f"""INSERT INTO observations (key, patient_id, vital, provider, value, effective_start,
    effective_end, granularity, statistic, context, method, parser_version, quality,
    quality_reasons)
SELECT CAST(patient_id || vital || at AS bytea), patient_id, vital, 'withings', 70, at, at,
       'sample', 'instant', 'rest', 'device', 1, 'ok', '{{}}'
FROM (SELECT patient_id, generate_series(
          CASE patient_id WHEN 'p00007' THEN CAST(:since AS timestamptz)
                          ELSE :until - interval '3 hours' END,
          CAST(:until AS timestamptz), CASE patient_id WHEN 'p00007' THEN interval '15 min'
                                       ELSE interval '1 hour' END) AS at FROM patients) AS p,
     {_VITALS}""",
    f"""INSERT INTO coverage (patient_id, vital, day, states, reasons, version, computed_cycle)
SELECT patient_id, vital, CAST(day AS date), decode(repeat('01020304', 6), 'hex'), '[]', 1, :until
FROM patients, {_VITALS}, {_DAYS} WHERE patient_id < 'p01000'""",
    f"""INSERT INTO forecasts (patient_id, vital, cutoff, horizon, point, lower_50, upper_50,
    lower_80, upper_80, lower_95, upper_95, members, absent)
SELECT patient_id, vital, cycle, 24, a, a, a, a, a, a, a, '{{}}', '{{}}'
FROM {_LOOKED_AT}, {_VITALS}, (SELECT array_agg(70.0) AS a FROM generate_series(1, 24)) AS f""",
    """INSERT INTO evaluations (patient_id, vital, cutoff, observed, final, actual, errors, mae,
    covered)
SELECT patient_id, vital, cutoff, 24, true, point, '{}', (
    SELECT json_object_agg(member, 1.5) FROM unnest(ARRAY['ensemble', 'arima', 'ets', 'theta',
        'tbats', 'profile', 'revert', 'seasonal_naive', 'hour_of_day', 'mean_of_last_day',
        'last_value']) AS member), '{}'
FROM forecasts WHERE cutoff < :until""",
    f"""INSERT INTO severities (patient_id, cutoff, rank, band, current, outlook, protocol)
SELECT patient_id, cycle, 3, 'low', '{{}}', '{{}}', '{{}}' FROM {_LOOKED_AT}""",
    """INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start, value,
    keeps_out, reason)
SELECT key, 'jump', patient_id, vital, provider, effective_start, value, true, 'by 30 in an hour'
FROM observations WHERE random() < 0.05""",
    f"""INSERT INTO fits (patient_id, vital, member, cutoff, outcome, config_hash, cpu_seconds,
    made_by)
SELECT patient_id, vital, member, :until, 'fitted', {_CONFIG}, 0.01, 'refit'
FROM patients, {_VITALS}, {_MEMBERS} WHERE patient_id <= 'p02500'""",
)

WITHOUT = {
    "Readings that arrived": ("""
SELECT date_trunc('hour', effective_start), provider, count(*)
FROM observations WHERE patient_id <> 'p00007' GROUP BY 1, 2""", 0.125),
    "Fits by outcome": ("""
SELECT cutoff, outcome, count(*) FROM fits GROUP BY 1, 2""", 0.25),
}
"""Panels as they would be without rollups, and how many days of rows there are for them."""
