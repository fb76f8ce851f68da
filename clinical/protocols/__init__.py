"""Home-monitoring protocols: versioned rule sets as data, and their one interpreter."""

from clinical.protocols.assess import Cell, Day, Reached, Report, Row, Verdict, assess
from clinical.protocols.rules import (
    DEFAULT_PROTOCOL,
    Protocol,
    ProtocolInput,
    Rule,
    available,
    load,
    parse,
)

__all__ = [
    "DEFAULT_PROTOCOL", "Cell", "Day", "Protocol", "ProtocolInput", "Reached", "Report", "Row",
    "Rule", "Verdict", "assess", "available", "load", "parse",
]
