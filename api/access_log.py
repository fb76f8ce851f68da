"""The server's access log, without what a vendor sends back, and without webhooks' secrets."""

import logging
from urllib.parse import urlsplit

LOGGER = "uvicorn.access"
_WEBHOOKS = "/v1/webhooks/"
_PATH = 2        # of uvicorn's arguments: address, method, path with query, version, status


def keep_codes_out() -> None:
    """Log the addresses of vendors' answers without their query: it holds state and code.

    A webhook's address may end in a secret: what follows the vendor's name is left out.
    """
    logger = logging.getLogger(LOGGER)
    if _without_query not in logger.filters:
        logger.addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    given = record.args
    if isinstance(given, tuple) and len(given) > _PATH:
        path = urlsplit(str(given[_PATH])).path
        if path.startswith(_WEBHOOKS):
            path = _without_secret(path)
        if path.startswith(("/v1/connections/", _WEBHOOKS)):
            record.args = (*given[:_PATH], path, *given[_PATH + 1:])
    return True


def _without_secret(path: str) -> str:
    """The address of a webhook up to the vendor's name."""
    vendor, mark, _ = path.removeprefix(_WEBHOOKS).partition("/")
    return _WEBHOOKS + vendor + mark + ("…" if mark else "")
