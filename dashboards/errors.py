"""What can go wrong between here and Grafana; every message says what to look at.

    DashboardError            nothing was sent, or not all of it
    ├── QueryFailed           a query fails or brings other columns than declared: nothing is sent
    ├── NoRows                queries that were to find rows find none
    ├── GrafanaUnset          a setting is missing
    ├── GrafanaUnreachable    nobody answers
    ├── GrafanaUnauthorised   the token is refused, or may not do this
    ├── GrafanaUnsupported    an older Grafana, or something else altogether
    └── GrafanaRefused        Grafana does not take what was sent
"""

from vitalcast.errors import UserError


class DashboardError(UserError):
    """Boards and rules could not be brought to Grafana."""


class QueryFailed(DashboardError):
    """A query of a board or rule does not work on this database."""


class NoRows(DashboardError):
    """A query of a board finds nothing to show on this database."""


class GrafanaUnset(DashboardError):
    """A setting is missing."""


class GrafanaUnreachable(DashboardError):
    """Grafana does not answer."""


class GrafanaUnauthorised(DashboardError):
    """Grafana refuses the token."""


class GrafanaUnsupported(DashboardError):
    """Grafana is too old, or the address is not a Grafana's."""


class GrafanaRefused(DashboardError):
    """Grafana does not take what was sent."""
