"""The service, put together.

Run it, with the variables of ``README.md`` set:

    uvicorn --factory examples.front_door.app:create_app --no-access-log --no-proxy-headers
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from examples.front_door import internal, merchants, webhooks
from examples.front_door.settings import FrontDoorSettings
from examples.front_door.store import Store
from glam_shared.api import (
    BrokerSettings,
    HttpSettings,
    PublisherLifespan,
    create_health_router,
    setup_auth,
    setup_metrics,
    setup_middleware,
)

SERVICE = "front-door"
"""On every answer, log line and event."""


def create_app(
    settings: FrontDoorSettings | None = None,
    http: HttpSettings | None = None,
    broker: BrokerSettings | None = None,
) -> FastAPI:
    """The application; settings that are not given are those of the environment."""
    given = settings or FrontDoorSettings()
    publishing = PublisherLifespan(SERVICE, broker)

    @contextlib.asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.closing(Store(given.database)) as app.state.store:
            async with publishing(app):
                yield

    app = FastAPI(title="Front door", version="1", lifespan=opened)
    setup_middleware(app, SERVICE, http)
    setup_metrics(app)
    setup_auth(app, http)
    app.include_router(create_health_router(SERVICE, {"broker": publishing.ready}))
    app.include_router(webhooks.create_router(given.webhook_secrets))
    app.include_router(merchants.router)
    app.include_router(internal.router)
    return app
