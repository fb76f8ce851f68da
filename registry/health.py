"""How an installation stands, in one question: what ran, what failed, what waits for somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from registry.database import Engine, transaction
from registry.runs import WHOLE

# A shard that failed and was done since, in this cycle or a later one, is well.
_HEALTH = f"""
SELECT current_setting('server_version') AS server,
    pg_database_size(current_database()) AS size_bytes,
    (SELECT version_num FROM alembic_version) AS revision,
    (SELECT count(*) FROM patients) AS patients,
    (SELECT max(cycle) FROM ({WHOLE}) whole WHERE job = 'forecast') AS forecast,
    (SELECT max(cycle) FROM rollup_cycles) AS rolled,
    (SELECT coalesce(json_object_agg(job, runs), '{{}}') FROM (
        SELECT job, count(*) AS runs FROM (
            SELECT DISTINCT ON (job, shard) job, status FROM runs
            WHERE started_at > now() - interval '1 day'
            ORDER BY job, shard, run_id DESC) newest
        WHERE status = 'failed' GROUP BY job) failed) AS failed,
    (SELECT coalesce(json_object_agg(provider, links), '{{}}') FROM (
        SELECT provider, count(*) AS links FROM connections
        WHERE status = 'active' GROUP BY provider) active) AS links,
    (SELECT coalesce(json_object_agg(provider, links), '{{}}') FROM (
        SELECT provider, count(*) AS links FROM connections
        WHERE status = 'reauth_required' GROUP BY provider) dead) AS to_reauthorise,
    (SELECT count(*) FROM quarantine WHERE status = 'held') AS quarantined,
    (SELECT count(*) FROM drift_events WHERE closed_at IS NULL) AS drifting,
    (SELECT count(*) FROM events WHERE delivered_at IS NULL AND refused IS NULL) AS events_waiting,
    (SELECT fault FROM event_sinks WHERE failures > 0) AS delivery_fault"""  # noqa: S608 -- a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Figures of an installation; no row names a patient.

    forecast, rolled  hour of the newest cycle that was forecast on every shard, that boards count;
                      None: none
    failed            shards by job whose newest run of the last day failed
    links             active links by vendor; `to_reauthorise` those that need a new consent
    delivery_fault    why Elasticsearch does not take events; None where it does or nobody asked
    """

    server: str
    size_bytes: int
    revision: str
    patients: int
    forecast: datetime | None
    rolled: datetime | None
    failed: Mapping[str, int]
    links: Mapping[str, int]
    to_reauthorise: Mapping[str, int]
    quarantined: int
    drifting: int
    events_waiting: int
    delivery_fault: str | None


def read_health(engine: Engine) -> Health:
    """The figures as they stand."""
    with transaction(engine) as conn:
        return Health(**conn.execute(text(_HEALTH)).one()._mapping)
