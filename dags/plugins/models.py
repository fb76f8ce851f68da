"""Airflow's page of the model configuration, in its menu as Models of vitalcast.

The page itself is imported at its first request: every worker loads this plugin, none needs it.
"""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/vitalcast/models"


async def page(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The application of `model_page`."""
    from model_page import app

    await app(scope, receive, send)


class ModelsPlugin(AirflowPlugin):
    """The page, and the way to it."""

    name = "vitalcast_models"
    fastapi_apps = [{"app": page, "url_prefix": PREFIX, "name": "Models of vitalcast"}]  # noqa: RUF012 -- Airflow's form
    external_views = [{  # noqa: RUF012 -- Airflow's form
        "name": "Models of vitalcast", "href": f"{PREFIX}/", "destination": "nav",
        "url_route": "vitalcast-models"}]
