"""The data sources: one for what names no patient, one for the rest, each with its own login."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards.documents import CLINICAL_SOURCE, DATASOURCE_TYPE, SOURCE
from dashboards.errors import GrafanaUnset
from registry.database import database_url
from vitalcast.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import URL

_URL, _PATIENTS_URL = "VITALCAST_GRAFANA_DATABASE_URL", "VITALCAST_GRAFANA_PATIENTS_DATABASE_URL"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Source:
    """A data source as it is sent; `repr` shows nothing, for there is a password in it."""

    document: dict[str, Any]
    password: str


def sources(settings: Settings) -> list[Source]:
    """The data sources that the settings ask for; that of patients only where it has a login."""
    found = [_source(SOURCE, "vitalcast", settings.grafana_database_url, _URL)]
    if settings.grafana_patients_database_url:
        found.append(_source(CLINICAL_SOURCE, "vitalcast patients",
                             settings.grafana_patients_database_url, _PATIENTS_URL))
    return found


def _source(uid: str, name: str, address: str, setting: str) -> Source:
    url = _parsed(address, setting)
    host = f"[{url.host}]" if ":" in str(url.host) else url.host
    return Source(password=str(url.password), document={
        "uid": uid, "name": name, "type": DATASOURCE_TYPE, "access": "proxy",
        "url": f"{host}:{url.port or 5432}", "user": url.username, "database": url.database,
        "jsonData": {"database": url.database, "sslmode": _sslmode(url), "postgresVersion": 1500,
                     "timescaledb": False, "maxOpenConns": 10, "connMaxLifetime": 14400}})


def _parsed(address: str, setting: str) -> "URL":
    if not address:
        raise GrafanaUnset(
            f"{setting} is not set: write postgresql://login:password@host:5432/database as "
            "Grafana reaches it, with a login made by `vitalcast dashboards role`")
    url = database_url(address, setting)
    if not (url.host and url.username and url.password and url.database):
        raise GrafanaUnset(f"{setting} must name host, login, password and database: write "
                           "postgresql://login:password@host:5432/database")
    return url


def _sslmode(url: "URL") -> str:
    """As the address says; without a word encrypted, unless it never leaves the machine."""
    return str(url.query.get("sslmode", "disable" if url.host in _LOOPBACK else "require"))
