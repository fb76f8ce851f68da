"""Every setting in one table: environment variable `VITALCAST_<NAME>`, default, one line of help.

`docs/settings.md` lists the same table; a test fails when a setting is missing there.
"""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from vitalcast.errors import UserError


def default_home() -> Path:
    """Where the embedded database, keys and logs live when `VITALCAST_HOME` is not set."""
    if os.geteuid() == 0:
        return Path("/var/lib/vitalcast")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "vitalcast"


class Settings(BaseSettings):
    """Settings of every process; read once by `load_settings`, then passed as an argument."""

    model_config = SettingsConfigDict(env_prefix="VITALCAST_", extra="ignore", frozen=True)

    home: Annotated[Path, Field(
        default_factory=default_home,
        description="folder of the embedded database, keys, logs and reports")]
    database_url: Annotated[str, Field(
        default="", description="any PostgreSQL ≥ 15; empty = the embedded one")]
    database: Annotated[str, Field(
        default="vitalcast", pattern=r"^[a-z_][a-z0-9_]{0,50}$",
        description="name of the embedded database; a demo has one of its own")]
    airflow_database_url: Annotated[str, Field(
        default="", description="Airflow's metadata; empty = a database beside it")]
    broker_url: Annotated[str, Field(
        default="", repr=False,
        description="Redis that hands tasks to Celery workers, as redis://127.0.0.1:6379/0; "
                    "empty = tasks run beside the scheduler")]
    celery_workers: Annotated[int, Field(
        default=2, ge=1, le=64, description="Celery workers that `vitalcast up` starts")]
    secret_key: Annotated[str, Field(
        default="", repr=False,
        description="signs logins; empty = made once and kept in the home folder")]
    token_keys: Annotated[str, Field(
        default="", repr=False,
        description="Fernet keys of vendor tokens, newest first, comma-separated; "
                    "empty = made once and kept in the home folder")]
    sandbox_url: Annotated[str, Field(
        default="", description="root of a sandbox provider; empty = the vendors themselves")]
    client_id: Annotated[str, Field(
        default="vitalcast", description="OAuth client id at the vendors")]
    client_secret: Annotated[str, Field(
        default="sandbox-secret", repr=False, description="OAuth client secret at the vendors")]
    clients: Annotated[dict[str, str], Field(
        default_factory=dict, repr=False,
        description='OAuth client of single vendors, as {"oura": "id:secret"}; unset = the above')]
    redirect_uri: Annotated[str, Field(
        default="http://127.0.0.1:8000/v1/connections/{provider}/callback",
        description="where a vendor sends the patient's consent; register it there")]
    rate_limits: Annotated[dict[str, str], Field(
        default_factory=dict,
        description='per provider, calls per seconds, as {"withings": "120/60"}; '
                    "unset = the vendor's own limit")]
    vendor_timeout_s: Annotated[float, Field(
        default=30, gt=0, le=300,
        description="seconds without a byte after which a vendor's answer counts as lost")]
    vendor_wait_s: Annotated[float, Field(
        default=1, gt=0, le=60,
        description="first wait before a failed request is tried again; each one doubles it")]
    history_days: Annotated[int, Field(
        default=60, ge=1, le=365, description="how far back a first fetch reaches")]
    shards: Annotated[int, Field(
        default=2, ge=1, le=64, description="shards of a job, whatever the number of patients")]
    workers: Annotated[int, Field(
        default=0, ge=0, le=256,
        description="fitting processes per training shard; 0 = cores ÷ shards")]
    retain_days: Annotated[int, Field(
        default=90, ge=8, description="days that model documents nobody needs are kept, runs, fits "
                                      "and fetches, and what coverage, flags, drift and "
                                      "quarantine once said")]
    forecast_days: Annotated[int, Field(
        default=90, ge=30, description="days that forecasts, severities and scores are kept")]
    rollup_days: Annotated[int, Field(
        default=1095, ge=30, description="days that the counts for boards and views are kept")]
    payload_days: Annotated[int, Field(
        default=0, ge=0, description="days that vendors' answers are kept as they came; "
                                     "0 = for ever")]
    elasticsearch_url: Annotated[str, Field(
        default="", description="Elasticsearch 9 that events are delivered to; empty = none")]
    elasticsearch_api_key: Annotated[str, Field(
        default="", repr=False, description="API key for it, as Elasticsearch encodes it")]
    elasticsearch_ca_file: Annotated[str, Field(
        default="", description="certificates that it is trusted by; empty = the system's own")]
    event_days: Annotated[int, Field(
        default=90, ge=1, description="days that events are kept, here and in Elasticsearch")]
    webhook_google_health: Annotated[str, Field(
        default="", repr=False,
        description="what Google sends as Authorization with its webhooks; empty = none come")]
    webhook_google_health_keyset: Annotated[str, Field(
        default="", description="file of Google's public webhook keyset, as Google publishes it")]
    webhook_oura: Annotated[str, Field(
        default="", repr=False,
        description="secret that Oura signs its webhooks with; empty = none come")]
    webhook_oura_token: Annotated[str, Field(
        default="", repr=False,
        description="verification token of the Oura subscriptions; empty = none can be made")]
    webhook_terra: Annotated[str, Field(
        default="", repr=False,
        description="secret that Terra signs its webhooks with; empty = none come")]
    webhook_withings: Annotated[str, Field(
        default="", repr=False,
        description="last part of the address that Withings notifies; empty = none come")]
    webhook_garmin: Annotated[str, Field(
        default="", repr=False,
        description="last part of the address that Garmin pushes to; empty = none come")]
    garmin_hosts: Annotated[str, Field(
        default="*.garmin.com",
        description="hosts, comma-separated, that Garmin's pings may point to")]
    webhook_url: Annotated[str, Field(
        default="", description="root of the API as vendors reach it, as https://vitals.example; "
                                "empty = no webhook is subscribed to")]
    webhook_most_bytes: Annotated[int, Field(
        default=10 * 2**20, ge=1024, le=256 * 2**20,
        description="a larger webhook is refused")]
    metrics_token: Annotated[str, Field(
        default="", repr=False,
        description="what Prometheus sends as bearer to /metrics; empty = only operators and "
                    "services who are signed in")]
    grafana_url: Annotated[str, Field(
        default="", description="root of the Grafana that boards are brought to")]
    grafana_token: Annotated[str, Field(
        default="", repr=False,
        description="token of a Grafana service account with the role Admin")]
    grafana_database_url: Annotated[str, Field(
        default="", repr=False,
        description="the database as Grafana reaches it, with a login that only reads; make it "
                    "with `vitalcast dashboards role`")]
    grafana_patients_database_url: Annotated[str, Field(
        default="", repr=False,
        description="the same with a login that may see patients; empty = no board of patients")]
    runbook_url: Annotated[str, Field(
        default="docs/runbook.md",
        description="where alerts say that docs/runbook.md is to be found")]
    token_minutes: Annotated[int, Field(
        default=60, ge=1, le=1440, description="how long an API login lasts")]

    @property
    def ping_hosts(self) -> list[str]:
        """Hosts and origins that Garmin's pings may point to."""
        return [one.strip().lower() for one in self.garmin_hosts.split(",") if one.strip()]

    @cached_property
    def fit_workers(self) -> int:
        """Fitting processes of one training shard."""
        return self.workers or max(1, (os.cpu_count() or 1) // self.shards)


def child_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a process of its own."""
    values = settings.model_dump(mode="json")
    return {
        f"VITALCAST_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in values.items()
    }


def load_settings() -> Settings:
    """Settings from the environment. UserError names the variable that cannot be read."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"VITALCAST_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors()
        )
        raise UserError(f"settings cannot be read: {faults}") from error
    except SettingsError as error:
        name = "CLIENTS" if '"clients"' in str(error) else "RATE_LIMITS"
        like = '{"oura": "id:secret"}' if name == "CLIENTS" else '{"withings": "120/60"}'
        raise UserError(f"VITALCAST_{name} cannot be read: write JSON such as {like}") from None
