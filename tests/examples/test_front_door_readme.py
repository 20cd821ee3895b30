"""The README of the front door: what it says to type by hand works."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from examples.demo_process import ROOT, free_port
from examples.front_door.app import create_app
from glam_shared.messaging import JetStreamClient
from tests.cli.command import environment
from tests.dev.waiting import until
from tests.docs.pages import blocks_of
from tests.examples.conftest import Door

README = ROOT / "examples" / "front_door" / "README.md"


def commands(beginning: str) -> list[str]:
    """What the README says to type that begins so, without the prompt."""
    typed = [line for block in blocks_of(README) for line in block.text.splitlines()]
    return [line[2:] for line in typed if line.startswith(f"$ {beginning}")]


def variables() -> dict[str, str]:
    """What the README says to export."""
    return dict(one.removeprefix("export ").split("=", 1) for one in commands("export "))


@contextlib.contextmanager
def served(servers: str, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(address, environment) of the front door, started as the README says."""
    ours = {"GLAM_NATS_SERVERS": servers, "FRONT_DOOR_DB": str(folder / "door.db")}
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env = environment(variables() | ours | tools)
    port = free_port()
    (start,) = commands("uvicorn ")
    process = subprocess.Popen([*start.split(), "--port", str(port)], cwd=ROOT, env=env)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: is_ready(address) or process.poll() is not None, "it is ready")
        yield address, env
    finally:
        process.terminate()
        process.wait(20)


def is_ready(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health/ready") as answer:
        return bool(answer.status == 200)
    return False


def test_the_requests_by_hand_are_answered(
    client: JetStreamClient, nats_url: str, tmp_path: Path
) -> None:
    """Each of them ends with 0 and shows a 200; the webhook is in the list."""
    with served(nats_url, tmp_path) as (address, env):
        said = [
            subprocess.run(
                [*command.split(), "--url", address],
                cwd=ROOT,
                env=env,
                check=True,
                capture_output=True,
                text=True,
                timeout=30,
            ).stdout
            for command in commands("python -m examples.front_door.send")
        ]

    assert 3 == len(said)
    assert all(line.startswith("200 ") for line in said)
    assert '"webhook_id":"w-1"' in said[-1]


async def test_the_readme_names_the_routes_and_the_variables(door: Door) -> None:
    """What it lists is what there is."""
    text = README.read_text()

    for path in door.app.openapi()["paths"]:
        assert f"{path}`" in text
    for name in variables():
        assert f"| `{name}`" in text
    assert create_app.__name__ in text
