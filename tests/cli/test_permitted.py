"""The commands, each as the user whom ``glam-worker permissions`` allows what it needs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import Ended, glam, running
from tests.dev.waiting import until
from tests.topology.permitted_server import PASSWORD, permitted

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]  # a dozen processes one by one

PREFIX = "_INBOX_shop"
PICKY = """\
from pydantic import BaseModel

from glam_worker import Reject, on


class Order(BaseModel):
    id: str


@on("evt.order.placed.v1", Order)
async def ship(order: Order) -> None:
    raise Reject("out of stock")
"""


@dataclass(frozen=True)
class Place:
    """A project, and a server with the permissions of its service."""

    folder: Path
    url: str

    def env(self, role: str) -> dict[str, str]:
        """What a user of that role has in the environment."""
        return {
            "GLAM_NATS_SERVERS": self.url,
            "GLAM_NATS_USER": f"shop-{role}",
            "GLAM_NATS_PASSWORD": PASSWORD,
            "GLAM_NATS_INBOX_PREFIX": PREFIX,
            "GLAM_HTTP_PORT": "0",
            "GLAM_DLQ_MAX_BYTES": "4194304",
        }

    def run(self, role: str, *arguments: str) -> Ended:
        """A command that must not be denied anything."""
        ended = glam(*arguments, cwd=self.folder, env=self.env(role))
        assert "does not allow" not in ended.err + ended.out, ended
        return ended


@contextlib.contextmanager
def served(folder: Path, handlers: str) -> Iterator[Place]:
    """The service ``shop`` with its permissions; the server's store stays from time to time."""
    package = folder / "project" / "shop"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "handlers.py").write_text(handlers)
    env = {"GLAM_NATS_INBOX_PREFIX": PREFIX}
    printed = glam("permissions", "shop.handlers", cwd=package.parent, env=env)
    assert printed.code == 0
    users = ("WORKER", "DEPLOY", "OPERATOR", "PUBLISHER")
    with permitted(folder, printed.out, [f"SHOP_{user}_PASSWORD" for user in users]) as url:
        yield Place(package.parent, url)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A service whose handler rejects everything."""
    with served(tmp_path, PICKY) as place:
        yield place


def test_four_users_do_the_work_of_a_service(place: Place) -> None:
    """Deployed by one, worked by one, published by one, and its letters replayed and dropped."""
    assert place.run("deploy", "plan", "shop.handlers").code == 3
    assert place.run("deploy", "apply", "shop.handlers", "--yes").code == 0
    assert place.run("deploy", "plan", "shop.handlers").code == 0

    def letters() -> int:
        listed = place.run("operator", "dlq", "list", "--all", "--json")
        assert listed.code == 0, listed.err
        return len(json.loads(listed.out)["letters"])

    env = place.env("worker")
    with running("run", "shop.handlers", cwd=place.folder, env=env) as worker:
        worker.says("working 1 handler")
        event = ("publish", "evt.order.placed.v1", "--data", '{"id": "o1"}')
        stored = glam(*event, cwd=place.folder, env=place.env("publisher"))
        assert stored.code == 0, stored.err
        worker.says("out of stock")
        until(lambda: letters() == 1, "the letter")
        replayed = place.run("operator", "dlq", "replay", "--all", "--yes")
        assert replayed.code == 0, replayed.err
        worker.says("out of stock", times=2)
        until(lambda: letters() == 1, "the second letter")
        dropped = place.run("operator", "dlq", "drop", "--all", "--yes")
        assert dropped.code == 0, dropped.err
        assert letters() == 0
        for command in (("status",), ("pause", "ship", "--yes"), ("resume", "ship", "--yes")):
            ended = place.run("operator", *command)
            assert ended.code == 0, ended.err
        looked = place.run("operator", "doctor", "--json")
        assert worker.stop() == 0
    assert "does not allow" not in worker.said
    assert json.loads(looked.out)["counts"]["error"] == 0


def test_a_renamed_handler_is_deployed_with_its_former_name(tmp_path: Path) -> None:
    """What ``previously`` allows is enough to create, change, take over and end durables."""
    with served(tmp_path, PICKY) as place:
        assert place.run("deploy", "apply", "shop.handlers", "--yes").code == 0
    declared = 'v1", Order, ack_wait=20, previously=("ship",))'
    renamed = PICKY.replace('v1", Order)', declared).replace("ship(", "pick(")
    with served(tmp_path, renamed) as place:
        assert place.run("deploy", "plan", "shop.handlers").code == 3
        assert place.run("deploy", "apply", "shop.handlers", "--yes").code == 0
        assert place.run("deploy", "plan", "shop.handlers").code == 0


def test_who_is_not_allowed_is_told_by_the_command(place: Place) -> None:
    """The publisher may not deploy: the request that was denied is named, with exit code 1."""
    ended = glam("apply", "shop.handlers", "--yes", cwd=place.folder, env=place.env("publisher"))
    assert ended.code == 1
    assert "does not allow this user to publish to $JS.API.STREAM." in ended.err
