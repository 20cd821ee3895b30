"""What an import costs, and what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import glam_shared.api


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *program* in a Python of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "module",
    [
        "glam_shared",
        "glam_shared.messaging",
        "glam_shared.messaging.events",
        "glam_worker",
        "glam_worker.cli",
        "glam_worker.testing",
    ],
)
def test_what_is_not_of_http_needs_nothing_of_it(module: str) -> None:
    """Without FastAPI, Starlette and PyJWT the rest works, and imports none of them."""
    found = run(
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'jwt'): sys.modules[name] = None\n"
        f"import {module} as module\n"
        "for name in getattr(module, '__all__', ()): getattr(module, name)\n"
        "loaded = {name.partition('.')[0] for name, module in sys.modules.items() if module}\n"
        "print(sorted(loaded & {'fastapi', 'starlette', 'jwt'}))\n"
    )

    assert "[]\n" == found.stdout, found.stderr


WORKS = """
import asyncio, sys
for name in ("fastapi", "starlette", "jwt"): sys.modules[name] = None
from pydantic import BaseModel
from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker import EventContext, Settings, Worker, on
from glam_worker.declare.registry import PROCESS

class Order(BaseModel):
    id: str

handled = asyncio.Event()

@on("evt.order.placed.v1", Order)
async def ship(order: Order, event: EventContext) -> None:
    handled.set()

async def main(server: str) -> None:
    worker = Worker(PROCESS, Settings.load(nats_servers=server, service="shop", http_port=0))
    await worker.start()
    async with JetStreamClient() as client:
        await client.connect(server)
        await EventPublisher(client, "test").publish_event("evt.order.placed.v1", Order(id="1"))
    await asyncio.wait_for(handled.wait(), 20)
    await worker.stop()
    print("handled", [name for name in ("fastapi", "jwt") if sys.modules.get(name)])

asyncio.run(main(sys.argv[1]))
"""


def test_an_event_is_published_and_handled_without_the_extra(nats_url: str) -> None:
    """Publisher and worker do their work in a process that has neither FastAPI nor PyJWT."""
    found = run(WORKS, nats_url)

    assert "handled []" == found.stdout.strip().splitlines()[-1], found.stderr


@pytest.mark.parametrize("missing", ["fastapi", "jwt"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    """`import glam_shared.api` without FastAPI or PyJWT ends in one line with the command."""
    found = run(f"import sys; sys.modules[{missing!r}] = None\nimport glam_shared.api")

    assert 1 == found.returncode
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: glam_shared.api needs the extra http")
    assert last.endswith("pip install 'glam-worker[http]'")
    assert missing in last
    assert 1 == found.stderr.count("Error:")


def test_every_exported_name_exists() -> None:
    """`__all__` is sorted, complete and true."""
    names = glam_shared.api.__all__

    assert sorted(names) == names
    assert all(hasattr(glam_shared.api, name) for name in names)
