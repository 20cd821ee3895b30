"""Prometheus metrics of an HTTP service."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from fastapi import FastAPI, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glam_shared.api.publish_metrics import PublishCollector
from glam_shared.api.route_table import known_method, route_template

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def setup_metrics(app: FastAPI, *, registry: CollectorRegistry = REGISTRY) -> None:
    """Count the requests of *app* and answer ``GET /metrics`` with all of *registry*.

    Families: ``glam_http_requests_total``, ``glam_http_request_duration_seconds`` and
    ``glam_http_requests_in_flight``, by method and route template (the first also by status);
    of the publishers ``glam_published_total``, ``glam_publish_failures_total``,
    ``glam_publish_duplicates_total`` and ``glam_publish_duration_seconds``. Call it after
    `setup_middleware`, so that the time of that middleware is counted.
    """
    app.add_middleware(_MetricsMiddleware, families=_families(registry))

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _InFlight(Collector):
    """Counts the requests in hand by route when it is asked: on arrival no route is known."""

    def __init__(self) -> None:
        self._scopes: dict[int, tuple[Scope, str]] = {}
        self._seen: set[tuple[str, str]] = set()

    def enter(self, scope: Scope) -> None:
        self._scopes[id(scope)] = (scope, scope.get("root_path", ""))

    def leave(self, scope: Scope) -> None:
        self._scopes.pop(id(scope), None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        tally = Tally(
            (known_method(scope["method"]), route_template(scope, root_path))
            for scope, root_path in list(self._scopes.values())
        )
        # A route once listed stays listed, at 0: a series that vanishes cannot be alarmed on.
        self._seen.update(tally)
        family = GaugeMetricFamily(
            "glam_http_requests_in_flight",
            "Requests in hand.",
            labels=["method", "route"],
        )
        for labels in sorted(self._seen):
            family.add_metric(labels, tally[labels])
        yield family


class _Families:
    """The metric families of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "glam_http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.duration = Histogram(
            "glam_http_request_duration_seconds",
            "Seconds from a request's arrival to the last byte of its answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.in_flight = _InFlight()
        registry.register(self.in_flight)
        registry.register(PublishCollector())


_known: WeakKeyDictionary[CollectorRegistry, _Families] = WeakKeyDictionary()


def _families(registry: CollectorRegistry) -> _Families:
    # Several applications of one process share them: a registry takes a name once.
    if registry not in _known:
        _known[registry] = _Families(registry)
    return _known[registry]


class _MetricsMiddleware:
    """Measures each request."""

    def __init__(self, app: ASGIApp, families: _Families) -> None:
        self._app = app
        self._families = families

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = _Watch(send)
        root_path = scope.get("root_path", "")
        self._families.in_flight.enter(scope)
        try:
            await self._app(scope, receive, watch.send)
        finally:
            self._families.in_flight.leave(scope)
            labels = known_method(scope["method"]), route_template(scope, root_path)
            self._families.requests.labels(*labels, str(watch.status)).inc()
            self._families.duration.labels(*labels).observe(watch.seconds())


class _Watch:
    """Sees the status and the end of an answer go by; 500 as long as none has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = time.perf_counter()
        self._ended: float | None = None
        self.status = 500

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body", False):
            self._ended = time.perf_counter()

    def seconds(self) -> float:
        return (self._ended or time.perf_counter()) - self._started
