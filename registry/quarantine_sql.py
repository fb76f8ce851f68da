"""The statements of `registry.quarantine`."""

HOLD = """
INSERT INTO quarantine (entry_id, raw_sha256, connection_id, resource, kind, reason, records,
                        first_cycle, last_cycle, zone, parser_version) VALUES %s
ON CONFLICT (raw_sha256, connection_id, resource) DO UPDATE SET
    kind = excluded.kind, reason = excluded.reason, records = excluded.records,
    cycles = quarantine.cycles + CAST(excluded.last_cycle > quarantine.last_cycle AS integer),
    first_cycle = least(quarantine.first_cycle, excluded.first_cycle),
    last_cycle = greatest(quarantine.last_cycle, excluded.last_cycle),
    parser_version = excluded.parser_version,
    status = CASE quarantine.status WHEN 'replayed' THEN 'held' ELSE quarantine.status END
WHERE quarantine.parser_version <= excluded.parser_version"""

READ = """
WITH read AS (
    UPDATE quarantine SET status = 'replayed', parser_version = :parser_version,
        decided_at = clock_timestamp(), decided_by = :by
    WHERE connection_id = :connection_id AND resource = :resource AND status = ANY(:statuses)
      AND raw_sha256 = ANY(:hashes) AND parser_version <= :parser_version
    RETURNING raw_sha256, connection_id
)
DELETE FROM refusals USING read
WHERE refusals.raw_sha256 = read.raw_sha256 AND refusals.connection_id = read.connection_id"""

COMMON_REASON = """
SELECT mode() WITHIN GROUP (ORDER BY reason) FROM refusals
WHERE raw_sha256 = :sha256 AND connection_id = :connection_id"""

# The connection's id names the patient and is left out; an event's status is told in these words.
SHOWN = """
SELECT q.entry_id, c.provider, q.resource, q.kind, q.reason, q.records, q.first_cycle,
    q.last_cycle, q.cycles, q.parser_version, q.status, q.decided_at, q.decided_by, q.why
FROM quarantine q JOIN connections c USING (connection_id)
UNION ALL
SELECT left(key, 16), provider, 'webhook', 'event', reason, 1, date_trunc('hour', received_at),
    date_trunc('hour', received_at), 1, NULL,
    CASE status WHEN 'dismissed' THEN status ELSE 'held' END,
    CASE status WHEN 'dismissed' THEN processed_at END, NULL, NULL
FROM webhook_events WHERE status IN ('refused', 'failed', 'dismissed')"""

LIST = f"""
SELECT * FROM ({SHOWN}) shown
WHERE (CAST(:provider AS text) IS NULL OR provider = :provider)
  AND (CAST(:since AS timestamptz) IS NULL OR last_cycle >= :since)
  AND status = ANY(:statuses) AND kind = ANY(:kinds)
ORDER BY last_cycle DESC, entry_id LIMIT :most"""  # noqa: S608 -- constants of this file

SUMMARY = """
SELECT c.provider, q.resource, q.kind, q.reason, count(*) AS payloads,
    count(DISTINCT q.connection_id) AS connections, min(q.first_cycle) AS first_cycle,
    max(q.last_cycle) AS last_cycle, max(q.parser_version) AS parser_version,
    (array_agg(q.entry_id ORDER BY q.last_cycle DESC, q.entry_id))[1] AS latest
FROM quarantine q JOIN connections c USING (connection_id)
WHERE q.status = 'held' AND (CAST(:provider AS text) IS NULL OR c.provider = :provider)
  AND (CAST(:since AS timestamptz) IS NULL OR q.last_cycle >= :since)
GROUP BY c.provider, q.resource, q.kind, q.reason
ORDER BY last_cycle DESC, payloads DESC, c.provider, q.resource, q.reason"""

ONE = f"SELECT * FROM ({SHOWN}) shown WHERE starts_with(entry_id, :begin) LIMIT 2"  # noqa: S608

STORED = """
SELECT q.raw_sha256, q.connection_id, c.patient_id, c.provider, q.resource, q.last_cycle, q.zone,
    p.body, greatest(q.last_cycle, (
        SELECT max(cycle) FROM fetches f WHERE f.connection_id = q.connection_id)) AS known_until
FROM quarantine q JOIN connections c USING (connection_id)
JOIN raw_payloads p ON p.sha256 = q.raw_sha256
WHERE q.entry_id = :entry_id"""

LOCK = """
SELECT 1 FROM connections WHERE connection_id =
    (SELECT connection_id FROM quarantine WHERE entry_id = :entry_id) FOR NO KEY UPDATE"""

EVENT_BODY = """
SELECT body FROM webhook_events WHERE left(key, 16) = :entry_id AND body IS NOT NULL"""

REFUSED = """
SELECT r.record, r.reason FROM refusals r JOIN quarantine q USING (raw_sha256, connection_id)
WHERE q.entry_id = :entry_id ORDER BY r.record LIMIT :most"""

FORGET = """
DELETE FROM refusals WHERE raw_sha256 = :sha256 AND connection_id = :connection_id"""

DISMISS = """
UPDATE quarantine SET status = 'dismissed', decided_at = clock_timestamp(), decided_by = :by,
    why = :why
WHERE entry_id = :entry_id AND status = 'held'"""

DISMISS_EVENT = """
UPDATE webhook_events SET status = 'dismissed', processed_at = clock_timestamp(),
    reason = concat_ws('; ', reason, 'dismissed by ' || :by || ': ' || :why)
WHERE left(key, 16) = :entry_id AND status IN ('refused', 'failed')"""

RENEW_EVENTS = """
UPDATE webhook_events SET status = 'received', reason = NULL, processed_at = NULL
WHERE left(key, 16) = ANY(:entry_ids) AND status IN ('refused', 'failed')"""
