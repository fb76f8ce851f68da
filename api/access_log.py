"""The server's access log, without what a vendor sends back with a patient."""

import logging
from urllib.parse import urlsplit

LOGGER = "uvicorn.access"
_PATH = 2        # of uvicorn's arguments: address, method, path with query, version, status


def keep_codes_out() -> None:
    """Log the addresses of vendors' answers without their query: it holds state and code."""
    logger = logging.getLogger(LOGGER)
    if _without_query not in logger.filters:
        logger.addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    given = record.args
    if isinstance(given, tuple) and len(given) > _PATH:
        path = urlsplit(str(given[_PATH])).path
        if path.startswith("/v1/connections/"):
            record.args = (*given[:_PATH], path, *given[_PATH + 1:])
    return True
