"""The statements of the rollups: each deletes the rows of a key and counts them anew."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Takes away a key's rows, and writes them again."""

    delete: str
    insert: str


# Readings belong to the first cycle whose fetches ended after they were stored. When a cycle is run
# again while later ones have fetched already, what that brings is the cycle's of that time.
MARK = """
WITH arriving AS (
    SELECT cycle, job, ended_at FROM runs
    WHERE job IN ('ingest', 'webhooks', 'import') AND ended_at IS NOT NULL),
followed AS (
    SELECT cycle, min(min(ended_at) FILTER (WHERE job = 'ingest')) OVER (
        ORDER BY cycle ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS by
    FROM arriving GROUP BY cycle),
ended AS (
    SELECT cycle, max(ended_at) AS at FROM arriving JOIN followed USING (cycle)
    WHERE ended_at <= coalesce(by, 'infinity') GROUP BY cycle)
INSERT INTO rollup_cycles (cycle, patients, arrived_from, arrived_until)
SELECT :cycle, (SELECT count(*) FROM patients p
                JOIN severities s ON s.patient_id = p.patient_id AND s.cutoff = :cycle),
       (SELECT max(at) FROM ended WHERE cycle < :cycle),
       (SELECT at FROM ended WHERE cycle = :cycle)
ON CONFLICT (cycle) DO UPDATE SET patients = excluded.patients,
    arrived_from = excluded.arrived_from, arrived_until = excluded.arrived_until, rolled_at = now()
RETURNING arrived_from, arrived_until"""

OPEN_CYCLES = """
SELECT DISTINCT r.cycle FROM runs r
WHERE r.cycle BETWEEN :since AND :cycle
  AND r.job IN ('ingest', 'train', 'forecast', 'evaluate') AND r.ended_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM rollup_cycles c WHERE c.cycle = r.cycle)
ORDER BY r.cycle"""

ROLLED_CYCLES = "SELECT cycle FROM rollup_cycles WHERE cycle BETWEEN :since AND :cycle ORDER BY 1"

# What was revised since arrived too, so that an earlier cycle is counted again as it was. Of a
# link's first fetch nothing is late: it brings what was measured before anybody asked.
ARRIVALS = Statement(
    delete="DELETE FROM rollup_arrivals WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_arrivals
WITH stored AS (
    SELECT key, connection_id, provider, vital, quality, fetched_at, effective_end
    FROM observations
    UNION ALL
    SELECT key, connection_id, provider, vital, quality, fetched_at, effective_end
    FROM observation_revisions),
followed AS (
    SELECT connection_id FROM connections c
    WHERE EXISTS (SELECT 1 FROM fetches f
                  WHERE f.connection_id = c.connection_id AND f.cycle < :cycle)),
arrived AS (
    SELECT s.provider, s.vital, s.quality,
           EXISTS (SELECT 1 FROM observation_revisions r
                   WHERE r.key = s.key AND r.fetched_at < s.fetched_at) AS again,
           CASE WHEN w.connection_id IS NOT NULL
                THEN extract(epoch FROM s.fetched_at - s.effective_end) END AS late_s
    FROM stored s LEFT JOIN followed w USING (connection_id)
    WHERE s.fetched_at > coalesce(CAST(:arrived_from AS timestamptz), '-infinity')
      AND s.fetched_at <= :arrived_until)
SELECT :cycle, provider, vital, count(late_s) FILTER (WHERE NOT again),
       count(*) FILTER (WHERE NOT again AND late_s IS NULL),
       count(*) FILTER (WHERE again),
       count(*) FILTER (WHERE quality <> 'ok'),
       coalesce(sum(late_s) FILTER (WHERE NOT again), 0),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY late_s) FILTER (WHERE NOT again),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY late_s) FILTER (WHERE NOT again),
       max(late_s) FILTER (WHERE NOT again)
FROM arrived GROUP BY provider, vital""")

FLAGS = Statement(
    delete="DELETE FROM rollup_flags WHERE hour >= :start AND hour < :end",
    insert="""
INSERT INTO rollup_flags
SELECT date_trunc('hour', effective_start), provider, vital, flag, count(*),
       count(*) FILTER (WHERE keeps_out)
FROM quality_flags
WHERE cleared_at IS NULL AND effective_start >= :start AND effective_start < :end
GROUP BY date_trunc('hour', effective_start), provider, vital, flag""")

FETCHES = Statement(
    delete="DELETE FROM rollup_fetches WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_fetches
SELECT f.cycle, c.provider, f.resource, f.outcome, count(*), sum(f.received), sum(f.refused),
       coalesce(sum(f.duration_s), 0), coalesce(max(f.duration_s), 0)
FROM fetches f JOIN connections c USING (connection_id)
WHERE f.cycle = :cycle
GROUP BY f.cycle, c.provider, f.resource, f.outcome""")

QUARANTINE = Statement(
    delete="DELETE FROM rollup_quarantine WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_quarantine
SELECT :cycle, c.provider, q.kind, count(*) FILTER (WHERE q.first_cycle = :cycle),
       count(*) FILTER (WHERE h.held), coalesce(sum(q.records) FILTER (WHERE h.held), 0)
FROM quarantine q JOIN connections c USING (connection_id)
CROSS JOIN LATERAL (SELECT q.status = 'held' OR q.decided_at
                           >= CAST(:cycle AS timestamptz) + interval '1 hour' AS held) AS h
WHERE q.first_cycle <= :cycle AND (q.first_cycle = :cycle OR h.held)
GROUP BY c.provider, q.kind""")

FITS = Statement(
    delete="DELETE FROM rollup_fits WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_fits
SELECT cutoff, vital, member, outcome, coalesce(made_by, ''), count(*),
       coalesce(sum(cpu_seconds), 0), coalesce(max(cpu_seconds), 0)
FROM fits WHERE cutoff = :cycle
GROUP BY cutoff, vital, member, outcome, coalesce(made_by, '')""")

# Numbers differ from series to series and may be readings; what is the same is the reason.
_PLAIN = "left(regexp_replace({}, '[0-9]+([.,:][0-9]+)*', '#', 'g'), 160)"

FAILURES = Statement(
    delete="DELETE FROM rollup_failures WHERE cycle = :cycle",
    insert=f"""
INSERT INTO rollup_failures
SELECT cutoff, member, outcome, {_PLAIN.format("coalesce(reason, '')")} AS plain, count(*)
FROM fits
WHERE cutoff = :cycle AND outcome NOT IN ('fitted', 'switched_off')
GROUP BY cutoff, member, outcome, plain""")  # noqa: S608 -- constants of this file

FORECASTS = Statement(
    delete="DELETE FROM rollup_forecasts WHERE cycle = :cycle",
    insert=f"""
INSERT INTO rollup_forecasts
SELECT f.cutoff, f.vital, {_PLAIN.format("coalesce(f.reason, '')")} AS plain, count(*), avg(w.width)
FROM forecasts f
CROSS JOIN LATERAL (SELECT avg(upper - lower) AS width
                    FROM unnest(f.lower_80, f.upper_80) AS b (lower, upper)) AS w
WHERE f.cutoff = :cycle
GROUP BY f.cutoff, f.vital, plain""")  # noqa: S608 -- constants of this file

SEVERITIES = Statement(
    delete="DELETE FROM rollup_severities WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_severities
SELECT s.cutoff, s.band, count(*)
FROM patients p JOIN severities s ON s.patient_id = p.patient_id AND s.cutoff = :cycle
GROUP BY s.cutoff, s.band""")

# From the arrays, not from the scores' JSON: that is several times faster.
ACCURACY = Statement(
    delete="DELETE FROM rollup_accuracy WHERE cycle = :cycle AND bucket = :bucket",
    insert="""
INSERT INTO rollup_accuracy
SELECT f.cutoff, f.vital, :bucket, count(*), sum(x.actual - x.point), sum(abs(x.actual - x.point)),
       count(*) FILTER (WHERE x.actual BETWEEN x.lower_50 AND x.upper_50),
       count(*) FILTER (WHERE x.actual BETWEEN x.lower_80 AND x.upper_80),
       count(*) FILTER (WHERE x.actual BETWEEN x.lower_95 AND x.upper_95)
FROM forecasts f JOIN evaluations e USING (patient_id, vital, cutoff)
CROSS JOIN LATERAL unnest(
    e.actual[:first : :last], f.point[:first : :last], f.lower_50[:first : :last],
    f.upper_50[:first : :last], f.lower_80[:first : :last], f.upper_80[:first : :last],
    f.lower_95[:first : :last], f.upper_95[:first : :last])
    AS x (actual, point, lower_50, upper_50, lower_80, upper_80, lower_95, upper_95)
WHERE f.cutoff = :cycle AND x.actual IS NOT NULL
GROUP BY f.cutoff, f.vital""")

MEMBERS = Statement(
    delete="DELETE FROM rollup_members WHERE cycle = :cycle",
    insert="""
INSERT INTO rollup_members
SELECT f.cutoff, f.vital, m.member, count(*), sum(e.observed),
       sum(e.observed * CAST(m.mae AS double precision)),
       sum(e.observed * CAST(e.mae ->> 'ensemble' AS double precision))
FROM forecasts f JOIN evaluations e USING (patient_id, vital, cutoff)
CROSS JOIN LATERAL json_each_text(e.mae) AS m (member, mae)
WHERE f.cutoff = :cycle AND e.observed > 0 AND m.mae IS NOT NULL
GROUP BY f.cutoff, f.vital, m.member""")

# Series that look alike over a whole day are counted together first.
COVERAGE = Statement(
    delete="DELETE FROM rollup_coverage WHERE hour >= :start AND hour < :end",
    insert="""
INSERT INTO rollup_coverage
WITH links AS (
    SELECT patient_id, CASE WHEN count(DISTINCT provider) = 1 THEN min(provider)
                            ELSE 'several' END AS provider
    FROM connections WHERE status <> 'revoked' GROUP BY patient_id),
alike AS (
    SELECT coalesce(l.provider, 'none') AS provider, c.vital, c.states, count(*) AS series
    FROM coverage c LEFT JOIN links l USING (patient_id)
    WHERE c.day = :day GROUP BY coalesce(l.provider, 'none'), c.vital, c.states),
names AS (
    SELECT ARRAY['ok', 'worn_no_reading', 'not_worn', 'not_measured', 'not_expected', 'not_synced',
                 'fetch_failed', 'format_discrepancy', 'not_entitled', 'unsupported',
                 'kept_out'] AS name)
SELECT CAST(:start AS timestamptz) + h.hour * interval '1 hour', a.provider, a.vital,
       n.name[get_byte(a.states, h.hour)], sum(a.series)
FROM alike a CROSS JOIN generate_series(0, 23) AS h (hour) CROSS JOIN names n
WHERE get_byte(a.states, h.hour) > 0
GROUP BY h.hour, a.provider, a.vital, n.name[get_byte(a.states, h.hour)]""")
