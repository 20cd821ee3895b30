"""The front door as it runs anywhere: uvicorn in a process of its own."""

from __future__ import annotations

from pathlib import Path

from examples.demo_process import DemoProcess, free_port
from examples.front_door.callers import Secrets

_APPLICATION = ("--factory", "examples.front_door.app:create_app")
_OPTIONS = ("--no-access-log", "--no-proxy-headers")


class FrontDoorProcess(DemoProcess):
    """The HTTP service of the example."""

    def __init__(self, servers: str, database: Path, log: Path, shared: Secrets) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        uvicorn = ("uvicorn", *_APPLICATION, *_OPTIONS, "--port", str(port))
        self.command = " ".join(uvicorn)
        """As one would type it."""
        environment = {
            "FRONT_DOOR_DB": str(database.absolute()),
            "GLAM_NATS_SERVERS": servers,
            "SHOPIFY_WEBHOOK_SECRET": shared.webhook,
            "CLIENT_JWT_SECRET": shared.client,
            "INTERNAL_JWT_SECRET": f"billing-service:{shared.billing}",
        }
        super().__init__("the front door", uvicorn, environment, log, port, "/health/ready")
