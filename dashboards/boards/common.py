"""What boards have alike: choices, marks on the time axis, colours that mean the same."""

from dashboards.model import BLUE, GREEN, ORANGE, RED, Note, Variable

PROVIDER = Variable(name="provider", label="Provider", sql="""
SELECT DISTINCT provider FROM bi_coverage WHERE $__timeFilter(hour)
UNION SELECT DISTINCT provider FROM bi_arrivals WHERE $__timeFilter(cycle) ORDER BY 1""")

VITAL = Variable(name="vital", label="Vital", sql="""
SELECT DISTINCT vital FROM bi_forecasts WHERE $__timeFilter(cycle) ORDER BY 1""")

ONE_VITAL = Variable(name="vital", label="Vital", several=False, sql=VITAL.sql)

CONFIGURED = Note(name="Model configuration", colour=BLUE, sql="""
SELECT first_used_at AS time, 'model configuration ' || left(config_hash, 12) AS text
FROM bi_model_configs WHERE $__timeFilter(first_used_at) ORDER BY 1""")

DRIFTED = Note(name="Drift", colour=ORANGE, sql="""
SELECT detected AS time, count(*) || ' series drifted: ' || string_agg(DISTINCT kind, ', ') AS text
FROM bi_drift_events WHERE $__timeFilter(detected) GROUP BY detected ORDER BY 1""")

NOTES = (CONFIGURED, DRIFTED)

STATES = {
    1: ("ok", GREEN), 2: ("worn_no_reading", "light-orange"), 3: ("not_worn", "semi-dark-blue"),
    4: ("not_measured", "light-blue"), 5: ("not_expected", "dark-purple"),
    6: ("not_synced", "yellow"), 7: ("fetch_failed", RED),
    8: ("format_discrepancy", "dark-red"), 9: ("not_entitled", "dark-orange"),
    10: ("unsupported", "#808080"), 11: ("kept_out", "purple"),
}
"""The states of coverage by their number, with what to call and how to colour them."""

STATE_COLOURS = dict(STATES.values())

def mean_of_hours(at: str, metric: str, counted: str, source: str) -> str:
    """A query for the mean of a count by metric, of the hours of each point that have one.

    Counted by hour first: distinct hours of months of rows would have to be sorted.
    """
    return f"""
SELECT $__timeGroupAlias({at}, $__interval), metric, avg(n) AS value
FROM (SELECT {at}, {metric} AS metric, CAST(sum({counted}) AS double precision) AS n
      FROM {source} GROUP BY 1, 2) AS by_hour
GROUP BY 1, 2 ORDER BY 1, 2"""


EXPECTED = "state NOT IN ('unsupported', 'not_expected')"
"""Hours in which a reading could have come."""
