"""How far a cycle has come, for whoever waits for it."""

from datetime import datetime

from sqlalchemy import text

from registry.database import Engine, transaction

_TRAINED = """
SELECT (SELECT count(*) FROM (
            SELECT DISTINCT patient_id, vital FROM fits WHERE cutoff = :cycle) f) AS trained,
       (SELECT count(*)
        FROM patients p
        CROSS JOIN unnest(ARRAY['heart_rate', 'respiratory_rate', 'systolic_bp', 'diastolic_bp',
                                'body_temperature', 'spo2']) AS v (vital)
        WHERE EXISTS (
            SELECT 1 FROM observations o
            WHERE o.patient_id = p.patient_id AND o.vital = v.vital
              AND o.effective_start < :cycle AND o.quality = 'ok'
              AND o.granularity IN ('sample', 'interval'))) AS series"""


def series_trained(engine: Engine, cycle: datetime) -> tuple[int, int]:
    """Series trained at this cycle, and series that there are."""
    with transaction(engine) as conn:
        trained, series = conn.execute(text(_TRAINED), {"cycle": cycle}).one()
    return trained, series
