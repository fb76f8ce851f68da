"""The way to Grafana, through grafana-client; its errors in words that name the setting."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException
from niquests.exceptions import JSONDecodeError, RequestException

from dashboards.errors import (
    GrafanaRefused,
    GrafanaUnauthorised,
    GrafanaUnreachable,
    GrafanaUnset,
    GrafanaUnsupported,
)

OLDEST = (11, 0)
"""Grafana 11 is the first with the data source, folder and alert rule requests sent from here."""

TIMEOUT_S = 20.0
_URL, _TOKEN = "VITALCAST_GRAFANA_URL", "VITALCAST_GRAFANA_TOKEN"

T = TypeVar("T")


@contextmanager
def open_grafana(url: str, token: str) -> Iterator[GrafanaApi]:
    """A Grafana that answers, takes the token and is new enough; else an error that says which."""
    grafana = _client(url, token)
    try:
        _require_new_enough(grafana, url)
        yield grafana
    finally:
        grafana.client.s.close()


def _client(url: str, token: str) -> GrafanaApi:
    for name, value in ((_URL, url), (_TOKEN, token)):
        if not value:
            raise GrafanaUnset(f"{name} is not set: it names the Grafana to bring boards to"
                               if name == _URL else f"{name} is not set: give the token of a "
                               "service account of Grafana with the role Admin")
    if not url.startswith(("http://", "https://")):
        raise GrafanaUnset(f"{_URL} must begin with http:// or https://")
    made: GrafanaApi = GrafanaApi.from_url(
        url.rstrip("/") + "/", credential=token, timeout=TIMEOUT_S)
    return made


def _require_new_enough(grafana: GrafanaApi, url: str) -> None:
    with translated(url):
        version = grafana.version
    if _version(version) < OLDEST:
        raise GrafanaUnsupported(
            f"Grafana at {url} is {version or 'of no version that it tells'}: {_URL} must name "
            f"{OLDEST[0]}.{OLDEST[1]} or newer")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """grafana-client's errors, and those of its transport, as this room's."""
    try:
        yield
    except GrafanaException as error:
        raise _meaning(error, url) from None
    except (JSONDecodeError, AttributeError, TypeError):     # something else answers there
        raise GrafanaUnsupported(f"what answers at {url} is no Grafana: look at {_URL}") from None
    except (RequestException, OSError):
        raise GrafanaUnreachable(f"Grafana does not answer at {url}: start it, or look at {_URL}"
                                 ) from None


def found(call: Callable[[], T]) -> T | None:
    """What a request finds; None where Grafana says that it is not there."""
    try:
        return call()
    except GrafanaClientError as error:
        if error.status_code == 404:
            return None
        raise


def _meaning(error: GrafanaException, url: str) -> Exception:
    status = error.status_code
    if status == 401:
        return GrafanaUnauthorised(f"Grafana at {url} refuses the token: look at {_TOKEN}")
    if status == 403:
        return GrafanaUnauthorised(f"the token may not do this in Grafana at {url}: {_TOKEN} must "
                                   "be that of a service account with the role Admin")
    if status == 404:
        return GrafanaUnsupported(f"Grafana at {url} does not know a request that is needed: "
                                  f"{_URL} must name the root of a Grafana {OLDEST[0]} or newer")
    if status == 412:
        return GrafanaRefused("somebody saved the board in Grafana a moment ago: run "
                              "`vitalcast dashboards plan` again")
    if status == 0 or status >= 500:
        return GrafanaUnreachable(f"Grafana at {url} does not answer as it should "
                                  f"({status or 'time-out'}): start it, or look at {_URL}")
    return GrafanaRefused(f"Grafana at {url} refuses what was sent ({status}): {_said(error)}")


def _said(error: GrafanaException) -> str:
    response: Any = error.response
    return str(response.get("message") if isinstance(response, dict) else response)[:200]


def _version(text: str | None) -> tuple[int, ...]:
    parts = (text or "").split(".")[:2]
    return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else ()
