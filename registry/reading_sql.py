"""The read side's SQL, in one place. `:viewer` null is the local command line; see `Access`."""

from registry.readings import KEPT_OUT

# ruff: noqa: S608 -- put together from the constants of this file; values are always parameters

# A doctor's patients are those in `care`, a service reads all, an operator models alone. The role
# is read here and not from the login's token, so that a removed user sees nothing more at once.
_ALLOWED = """(CAST(:viewer AS text) IS NULL OR EXISTS (
    SELECT 1 FROM users u WHERE u.username = :viewer AND (u.role IN ({roles}) OR (
        u.role = 'doctor' AND EXISTS (
            SELECT 1 FROM care c
            WHERE c.username = u.username AND c.patient_id = p.patient_id)))))"""
_VISIBLE = _ALLOWED.format(roles="'service'")
_MODELS_VISIBLE = _ALLOWED.format(roles="'service', 'operator'")

# What is forecast from, as in `registry.panels`: no nightly averages, accepted quality, nothing
# that a flag keeps out.
_GRIDDED = f"""o.granularity IN ('sample', 'interval') AND o.quality = 'ok'
    AND o.statistic IN ('instant', 'mean') AND NOT {KEPT_OUT.format("o")}"""

_FORECAST_COLUMNS = """f.vital, f.cutoff, f.horizon, f.document_id, f.reason, f.point,
    f.lower_50, f.upper_50, f.lower_80, f.upper_80, f.lower_95, f.upper_95,
    CAST(f.members AS text) AS members, CAST(f.absent AS text) AS absent"""


def _held(level: int) -> str:
    """Share of the scored hours whose value lay in the interval of that level."""
    held = f"""jsonb_path_query_array(CAST(covered AS jsonb), '$."{level}"[*] ? (@ == true)')"""
    return f"CAST(sum(jsonb_array_length({held})) AS double precision) / sum(observed)"


USER = """
SELECT username, password_hash, role, session_version FROM users WHERE username = :username"""

_PATIENT = f"""
SELECT p.patient_id, p.spo2_scale, s.cutoff, s.band, s.rank,
       CAST(s.current AS text) AS current, CAST(s.outlook AS text) AS outlook,
       (SELECT max(newest.effective_start)
        FROM unnest(ARRAY['heart_rate', 'respiratory_rate', 'systolic_bp', 'diastolic_bp',
                          'body_temperature', 'spo2']) AS v(vital)
        CROSS JOIN LATERAL (
            SELECT o.effective_start FROM observations o
            WHERE o.patient_id = p.patient_id AND o.vital = v.vital AND {_GRIDDED}
            ORDER BY o.effective_start DESC LIMIT 1) newest) AS newest_reading,
       (SELECT CAST(json_agg(json_build_object(
            'vital', v.vital, 'day', c.day, 'states', encode(c.states, 'hex'),
            'reasons', c.reasons, 'version', c.version, 'computed_cycle', c.computed_cycle)
            ORDER BY v.position) AS text)
        FROM unnest(ARRAY['heart_rate', 'respiratory_rate', 'systolic_bp', 'diastolic_bp',
                          'body_temperature', 'spo2']) WITH ORDINALITY AS v (vital, position)
        CROSS JOIN LATERAL (
            SELECT x.* FROM coverage x WHERE x.patient_id = p.patient_id AND x.vital = v.vital
            ORDER BY x.day DESC LIMIT 1) c) AS coverage
FROM patients p
LEFT JOIN LATERAL (
    SELECT * FROM severities x WHERE x.patient_id = p.patient_id
    ORDER BY x.cutoff DESC LIMIT 1) s ON true
WHERE {_VISIBLE}"""

WORK_LIST = _PATIENT + """
ORDER BY s.rank DESC NULLS LAST, p.patient_id LIMIT :limit OFFSET :offset"""

COUNT_PATIENTS = f"SELECT count(*) AS total FROM patients p WHERE {_VISIBLE}"

PATIENT = _PATIENT + " AND p.patient_id = :patient"

MAY_SEE = f"SELECT 1 FROM patients p WHERE p.patient_id = :patient AND {_VISIBLE}"

MAY_SEE_MODELS = f"SELECT 1 FROM patients p WHERE p.patient_id = :patient AND {_MODELS_VISIBLE}"

ENTRIES = f"""
SELECT e.item, e.value, e.effective_at, e.entered_by
FROM patients p JOIN clinical_entries e USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE} AND e.effective_at >= :since
ORDER BY e.effective_at DESC, e.entered_by, e.item"""

SERIES = f"""
SELECT o.vital, date_trunc('hour', o.effective_start, 'UTC') AS hour,
       CAST(avg(o.value) AS double precision) AS mean, count(*) AS readings
FROM patients p JOIN observations o USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE} AND {_GRIDDED}
  AND o.vital = ANY(CAST(:vitals AS text[]))
  AND o.effective_start >= :start AND o.effective_start < :end
GROUP BY o.vital, hour"""

NIGHTS = f"""
SELECT o.vital, o.effective_start AS start, o.effective_end AS until, o.provider,
       CAST(o.value AS double precision) AS mean
FROM patients p JOIN observations o USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE} AND o.quality = 'ok' AND o.statistic = 'mean'
  AND o.granularity IN ('night', 'day') AND NOT {KEPT_OUT.format("o")}
  AND o.vital = ANY(CAST(:vitals AS text[]))
  AND o.effective_start >= :start AND o.effective_start < :end
ORDER BY o.vital, o.effective_start, o.provider"""

FRESHNESS = f"""
SELECT v.vital, n.effective_start AS newest, n.provider, n.utc_offset_s,
       CAST(n.value AS double precision) AS newest_value,
       (SELECT count(*) FROM observations o
        WHERE o.patient_id = p.patient_id AND o.vital = v.vital AND {_GRIDDED}
          AND o.effective_start >= CAST(:as_of AS timestamptz) - interval '24 hours'
          AND o.effective_start < :as_of) AS last_day
FROM patients p
CROSS JOIN unnest(CAST(:vitals AS text[])) WITH ORDINALITY AS v(vital, position)
LEFT JOIN LATERAL (
    SELECT o.effective_start, o.value, o.provider, o.utc_offset_s FROM observations o
    WHERE o.patient_id = p.patient_id AND o.vital = v.vital AND {_GRIDDED}
    ORDER BY o.effective_start DESC LIMIT 1) n ON true
WHERE p.patient_id = :patient AND {_VISIBLE}
ORDER BY v.position"""

COVERAGE = f"""
SELECT c.vital, c.day, encode(c.states, 'hex') AS states, CAST(c.reasons AS text) AS reasons,
       c.version, c.computed_cycle
FROM patients p JOIN coverage c USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE} AND c.vital = ANY(CAST(:vitals AS text[]))
  AND c.day >= :first AND c.day <= :last
ORDER BY array_position(CAST(:vitals AS text[]), c.vital), c.day"""

COVERAGE_REVISIONS = f"""
SELECT c.vital, c.day, encode(c.states, 'hex') AS states, CAST(c.reasons AS text) AS reasons,
       c.version, c.computed_cycle, c.replaced_at
FROM patients p JOIN coverage_revisions c USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE} AND c.vital = ANY(CAST(:vitals AS text[]))
  AND c.day >= :first AND c.day <= :last
ORDER BY array_position(CAST(:vitals AS text[]), c.vital), c.day, c.version"""

LINKS = f"""
SELECT c.provider, c.status, f.cycle AS last_fetch, f.outcome, f.reason, f.last_sync
FROM patients p JOIN connections c USING (patient_id)
LEFT JOIN LATERAL (
    SELECT * FROM fetches x WHERE x.connection_id = c.connection_id
    ORDER BY x.cycle DESC, (x.outcome = 'complete'), x.resource LIMIT 1) f ON true
WHERE p.patient_id = :patient AND {_VISIBLE}
ORDER BY c.provider"""

# The answer's text is written by Postgres: on the hot path nobody else reads the numbers.
_CUT = "[1:coalesce({horizon}, f.horizon)]"
_INTERVAL = """json_build_object(
    'lower', array_to_json(f.lower_{level}{cut}), 'upper', array_to_json(f.upper_{level}{cut}))"""


def _body(horizon: str, unit: str) -> str:
    cut = _CUT.format(horizon=horizon)
    intervals = ", ".join(
        f"'{level}', {_INTERVAL.format(level=level, cut=cut)}" for level in (50, 80, 95))
    return f"""CAST(json_build_object(
    'patient_id', p.patient_id, 'vital', f.vital, 'unit', CAST({unit} AS text),
    'cutoff', to_char(f.cutoff AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'horizon', coalesce({horizon}, f.horizon), 'stored_horizon', f.horizon,
    'document_id', f.document_id, 'reason', f.reason, 'point', array_to_json(f.point{cut}),
    'intervals', json_build_object({intervals}),
    'members', f.members, 'absent', f.absent, 'coverage', f.coverage) AS text)"""


# $1 viewer, $2 patient, $3 vital, $4 unit, $5 horizon or null. No forecast yet: a row of nulls.
LATEST_FORECAST = f"""
PREPARE latest_forecast (text, text, text, text, integer) AS
SELECT f.horizon, CASE WHEN f.cutoff IS NOT NULL THEN {_body("$5", "$4")} END
FROM patients p
LEFT JOIN LATERAL (
    SELECT * FROM forecasts x WHERE x.patient_id = p.patient_id AND x.vital = $3
    ORDER BY x.cutoff DESC LIMIT 1) f ON true
WHERE p.patient_id = $2 AND {_VISIBLE.replace(":viewer", "$1")}"""

EXECUTE_LATEST_FORECAST = "EXECUTE latest_forecast (%s, %s, %s, %s, %s)"

FORECAST_BODIES = f"""
SELECT {_body("NULL", "v.unit")} AS body
FROM patients p
CROSS JOIN unnest(CAST(:vitals AS text[]), CAST(:units AS text[]))
    WITH ORDINALITY AS v(vital, unit, position)
CROSS JOIN LATERAL (
    SELECT * FROM forecasts x WHERE x.patient_id = p.patient_id AND x.vital = v.vital
    ORDER BY x.cutoff DESC LIMIT 1) f
WHERE p.patient_id = :patient AND {_VISIBLE}
ORDER BY v.position"""

FORECASTS = f"""
SELECT {_FORECAST_COLUMNS}
FROM patients p
CROSS JOIN unnest(CAST(:vitals AS text[])) WITH ORDINALITY AS v(vital, position)
CROSS JOIN LATERAL (
    SELECT * FROM forecasts x WHERE x.patient_id = p.patient_id AND x.vital = v.vital
    ORDER BY x.cutoff DESC LIMIT 1) f
WHERE p.patient_id = :patient AND {_VISIBLE}
ORDER BY v.position"""

# `mae` is a mean over the `observed` hours of its forecast, so it is weighted with them. The
# window ends at the newest forecast of any vital that has been scored.
ACCURACY = f"""
WITH newest AS (
    SELECT max(n.cutoff) AS cutoff FROM unnest(CAST(:vitals AS text[])) AS v(vital)
    CROSS JOIN LATERAL (
        SELECT x.cutoff FROM evaluations x
        WHERE x.patient_id = :patient AND x.vital = v.vital AND x.observed > 0
        ORDER BY x.cutoff DESC LIMIT 1) n),
scored AS (
    SELECT e.vital, e.cutoff, e.observed, e.mae, e.covered
    FROM patients p JOIN evaluations e USING (patient_id)
    WHERE p.patient_id = :patient AND {_VISIBLE} AND e.observed > 0
      AND e.vital = ANY(CAST(:vitals AS text[]))
      AND e.cutoff > (SELECT cutoff FROM newest) - CAST(:span AS interval)),
ensembles AS (
    SELECT vital, min(cutoff) AS since, max(cutoff) AS until, count(*) AS forecasts,
           sum(observed) AS hours,
           sum(observed * CAST(mae ->> 'ensemble' AS double precision)) / sum(observed) AS mae,
           {_held(80)} AS coverage_80, {_held(95)} AS coverage_95
    FROM scored GROUP BY vital),
baselines AS (
    SELECT s.vital, b.name, sum(s.observed) AS hours,
           sum(s.observed * CAST(s.mae ->> b.name AS double precision)) / sum(s.observed) AS mae
    FROM scored s CROSS JOIN unnest(CAST(:baselines AS text[])) AS b(name)
    WHERE s.mae ->> b.name IS NOT NULL
    GROUP BY s.vital, b.name)
SELECT e.vital, e.since, e.until, e.forecasts, e.hours, e.mae, b.name AS baseline,
       b.mae AS baseline_mae, e.coverage_80, e.coverage_95
FROM ensembles e
LEFT JOIN LATERAL (
    SELECT x.name, x.mae FROM baselines x WHERE x.vital = e.vital AND x.hours = e.hours
    ORDER BY x.mae, x.name LIMIT 1) b ON true
ORDER BY array_position(CAST(:vitals AS text[]), e.vital)"""

SEVERITY = f"""
SELECT s.patient_id, s.cutoff, s.band, s.rank, CAST(s.current AS text) AS current,
       CAST(s.outlook AS text) AS outlook, CAST(s.protocol AS text) AS protocol
FROM patients p JOIN severities s USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE}
ORDER BY s.cutoff DESC LIMIT 1"""

MODELS = f"""
SELECT DISTINCT ON (d.vital, d.member)
       d.document_id, d.vital, d.member, d.engine, d.cutoff, d.made_by, a.alias
FROM patients p JOIN model_documents d USING (patient_id)
LEFT JOIN model_aliases a ON a.document_id = d.document_id
    AND a.patient_id = d.patient_id AND a.vital = d.vital
WHERE p.patient_id = :patient AND {_MODELS_VISIBLE}
ORDER BY d.vital, d.member, d.cutoff DESC, a.alias"""

# Two series with the same readings have the same document: either may stand for it.
DOCUMENT = f"""
SELECT d.document_id, d.vital, d.member, d.document
FROM model_documents d JOIN patients p USING (patient_id)
WHERE d.document_id = :document AND {_MODELS_VISIBLE}
ORDER BY d.vital, d.patient_id LIMIT 1"""

# The documents that a forecast of that cutoff was made from, as in `registry.models`: each member's
# newest; trained twice at one cutoff, the one that the last fit left.
MEMBER_DOCUMENTS = f"""
SELECT n.document_id, w.vital, w.member, n.document
FROM patients p
CROSS JOIN unnest(CAST(:vitals AS text[]), CAST(:members AS text[]),
                  CAST(:cutoffs AS timestamptz[])) AS w(vital, member, cutoff)
CROSS JOIN LATERAL (
    SELECT d.document_id, d.document FROM model_documents d
    LEFT JOIN fits f ON f.patient_id = d.patient_id AND f.vital = d.vital
        AND f.member = d.member AND f.cutoff = d.cutoff AND f.document_id = d.document_id
    WHERE d.patient_id = p.patient_id AND d.vital = w.vital AND d.member = w.member
      AND d.cutoff <= w.cutoff
    ORDER BY d.cutoff DESC, (f.document_id IS NULL), d.created_at DESC, d.document_id
    LIMIT 1) n
WHERE p.patient_id = :patient AND {_VISIBLE}"""

CHAMPIONS = f"""
SELECT a.vital, d.member, a.document_id, a.why
FROM patients p JOIN model_aliases a USING (patient_id)
JOIN model_documents d USING (document_id, patient_id, vital)
WHERE p.patient_id = :patient AND {_VISIBLE} AND a.alias = 'champion'"""

CHANGES = f"""
SELECT e.vital, e.kind, e.detected, e.began, e.score, e.threshold, e.words, e.closed_at
FROM patients p JOIN drift_events e USING (patient_id)
WHERE p.patient_id = :patient AND {_VISIBLE}
  AND (e.closed_at IS NULL OR e.closed_at >= now() - CAST(:span AS interval))
ORDER BY e.closed_at IS NOT NULL, e.detected DESC, e.vital, e.kind"""

RUNS = """
SELECT run_id, job, cycle, shard, status, started_at, ended_at, cpu_seconds, exception
FROM runs ORDER BY run_id DESC LIMIT :limit"""
