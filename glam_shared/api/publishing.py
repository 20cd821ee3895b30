"""A publisher for requests: an answer is given only when the broker has the event."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import Request

from glam_shared.api.broker_settings import BrokerSettings
from glam_shared.api.publish_metrics import count_publisher
from glam_shared.api.request_publisher import MAX_BUDGET, RequestPublisher
from glam_shared.api.service_context import service_logger
from glam_shared.api.settings import read_settings
from glam_shared.errors import ConfigurationError, GlamBaseError, InternalError
from glam_shared.logging import ServiceLogger, create_logger
from glam_shared.messaging import EventPublisher, JetStreamClient

CONNECT_ATTEMPT = 10.0
"""Seconds one attempt to connect may take before its failure is logged and the next begins."""
PAUSE_BETWEEN_ATTEMPTS = 1.0


class PublisherLifespan:
    """Connects to the broker while the service runs.

    * It is the application's lifespan, or entered in one: ``FastAPI(lifespan=publishing)``.
    * It serves `PublisherDep`.
    * Its `ready` is a check for `create_health_router`.

    A broker that is away at the start does not stop the service from starting: it is tried until
    it answers, and the service is not ready until then.
    """

    def __init__(
        self,
        service_name: str,
        settings: BrokerSettings | None = None,
        *,
        budget: float = MAX_BUDGET,
        logger: ServiceLogger | None = None,
    ) -> None:
        """*budget*: seconds a request may spend on one event, at most 3 (the default).

        *settings* are those of the environment when omitted. Raises ConfigurationError for a
        budget beyond that, and for servers that cannot be read.
        """
        if not 0 < budget <= MAX_BUDGET:
            raise ConfigurationError(
                f"The publish budget is {budget:g} s: it must be above 0 and at most "
                f"{MAX_BUDGET:g} s, or senders of webhooks give up before they are answered."
            )
        self._service_name = service_name
        self._settings = settings or read_settings(BrokerSettings)
        self._servers = self._settings.servers
        self._budget = budget
        self._logger = logger or create_logger(service_name)
        self._client: JetStreamClient | None = None

    def __call__(self, app: FastAPI) -> AbstractAsyncContextManager[None]:
        """Connected, or trying to, inside the block."""
        return self._running(app)

    async def ready(self) -> str | None:
        """None while the broker is connected, else why the service is not ready."""
        connected = self._client is not None and self._client.is_connected()
        return None if connected else "not connected to the broker"

    @asynccontextmanager
    async def _running(self, app: FastAPI) -> AsyncIterator[None]:
        client = self._client = JetStreamClient(self._logger)
        publisher = EventPublisher(client, self._service_name, self._logger)
        count_publisher(publisher.stats)
        app.state.glam_publisher = RequestPublisher(client, publisher, self._budget, self._logger)
        connecting = asyncio.create_task(self._connect(client), name="connect-to-broker")
        try:
            yield
        finally:
            del app.state.glam_publisher
            self._client = None
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await connecting
            await client.close()

    async def _connect(self, client: JetStreamClient) -> None:
        """Try until it works; from then on the client keeps the connection itself."""
        while True:
            try:
                await client.connect(
                    self._servers,
                    timeout=CONNECT_ATTEMPT,
                    name=self._service_name,
                    **self._settings.connection,
                )
            except GlamBaseError as error:
                self._logger.warning("No broker yet, trying again: %s", error.message)
            else:
                return
            await asyncio.sleep(PAUSE_BETWEEN_ATTEMPTS)


async def _read_publisher(request: Request) -> RequestPublisher:
    found = getattr(request.app.state, "glam_publisher", None)
    if isinstance(found, RequestPublisher):
        return found
    service_logger(request.scope).error(
        "A route asks for PublisherDep, but no PublisherLifespan runs: FastAPI(lifespan=...)"
    )
    raise InternalError()


PublisherDep = Annotated[RequestPublisher, Depends(_read_publisher)]
"""The publisher of the running `PublisherLifespan`; publishing is bounded by its budget."""
