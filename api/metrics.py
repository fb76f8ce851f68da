"""What Prometheus reads: this server's requests, its process, and the jobs' figures."""

import logging
import time
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.metrics import FIGURES, Metrics

logger = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the histogram's buckets."""

UNKNOWN_ROUTE = "unknown"


class ServerMetrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, jobs: Metrics) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "vitalcast_http_requests_total", "Requests answered",
            ("method", "route", "status"), registry=self.registry)
        self.seconds = Histogram(
            "vitalcast_http_request_duration_seconds", "From request to end of answer",
            ("method", "route"), buckets=SECONDS, registry=self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_Jobs(jobs))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is the route's own text, never a path with an id in it."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class _Jobs(Collector):
    """The registry's figures; without a database the server's own are told all the same."""

    def __init__(self, jobs: Metrics) -> None:
        self._jobs = jobs

    def describe(self) -> list[GaugeMetricFamily]:
        """The names alone: registering asks nothing of the database."""
        return [GaugeMetricFamily(one.name, one.help, labels=one.labels) for one in FIGURES]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Whether the database answered, how much is missing, and one family a figure."""
        told = self._jobs.told()
        if told.missing:
            logger.warning("not told: %s. %s", ", ".join(told.missing),
                           " ".join(sorted(set(told.missing.values()))))
        yield GaugeMetricFamily(
            "vitalcast_registry_up", "Whether the database answers", value=told.up)
        yield GaugeMetricFamily(
            "vitalcast_figures_missing", "Figures of the jobs that the database did not tell",
            value=len(told.missing))
        families = {family.name: family for family in self.describe()}
        for sample in told.samples:
            families[sample.figure.name].add_metric(sample.labels, sample.value)
        yield from families.values()


class CountRequests:
    """ASGI middleware: every answer counted by method, route and status."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            self._metrics.answered(scope["method"], route_of(scope), status,
                                   time.perf_counter() - began)


def route_of(scope: Scope) -> str:
    """`/v1/patients/{patient_id}` and not the path: an id is no label."""
    found = getattr(scope.get("route"), "path", None)
    return found if isinstance(found, str) and found else UNKNOWN_ROUTE
