"""The server's access log without patients, without queries and without webhooks' secrets."""

import logging
import re
from urllib.parse import urlsplit

LOGGER = "uvicorn.access"
_NAMELESS = re.compile(
    r"^(/v1/webhooks/[^/]*/|(?:/v1)?/patients/|/v1/connections/(?=[^/]*(?::|%3A)))[^/]*(.*)$",
    re.IGNORECASE | re.DOTALL)
"""An address up to the part that is a patient, a patient's link or a secret, and what follows."""

_PATH = 2        # of uvicorn's arguments: address, method, path with query, version, status


def keep_codes_out() -> None:
    """Log addresses without their query, which holds vendors' codes, and with "…" for a name."""
    logger = logging.getLogger(LOGGER)
    if _nameless not in logger.filters:
        logger.addFilter(_nameless)


def _nameless(record: logging.LogRecord) -> bool:
    given = record.args
    if isinstance(given, tuple) and len(given) > _PATH:
        path = _NAMELESS.sub(r"\1…\2", urlsplit(str(given[_PATH])).path)
        record.args = (*given[:_PATH], path, *given[_PATH + 1:])
    return True
