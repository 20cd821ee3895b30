"""``glam-worker plan`` and ``apply``, as a user types them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_shared.logging import create_logger
from glam_shared.messaging import JetStreamClient
from glam_worker.cli.checking import Checked
from glam_worker.cli.planning import read_choices
from glam_worker.declare.registry import Registry
from glam_worker.errors import UsageError
from tests.cli.command import COMMAND, Ended, environment, glam, glam_on_terminal
from tests.topology.permitted_server import PASSWORD, permitted

MODULE = "shop.handlers"


class Order(BaseModel):
    id: str


async def _handle(order: Order) -> None: ...


@pytest.fixture
def servers(nats_url: str) -> dict[str, str]:
    """An account of the test's own."""
    return {"GLAM_NATS_SERVERS": nats_url, "GLAM_DLQ_MAX_BYTES": str(1 << 22)}


async def call(servers: dict[str, str], operation: str) -> None:
    """Change the server as another client would."""
    async with JetStreamClient(create_logger("test")) as client:
        await client.connect(servers["GLAM_NATS_SERVERS"])
        await client.api(operation)


def test_plan_apply_plan(project: Path, servers: dict[str, str]) -> None:
    """Changes are pending (3), are done (0), and are not pending any more (0)."""
    before = glam("plan", MODULE, cwd=project, env=servers)
    done = glam("apply", MODULE, "--yes", cwd=project, env=servers)
    after = glam("plan", MODULE, cwd=project, env=servers)

    assert (before.code, done.code, after.code) == (3, 0, 0), before.err + done.err + after.err
    assert "+ create consumer shop-ship (handler ship)" in before.out
    assert "    filter  evt.order.placed.v1\n" in before.out
    assert before.out.endswith("shop: 9 to create.\n")
    assert "Done: create stream KV_GLAM_STATE, " in done.out
    assert after.out == "Nothing to do: streams and consumers of shop are as declared.\n"
    assert "\x1b" not in before.out + done.out


def test_without_a_terminal_apply_changes_nothing_by_itself(
    project: Path, servers: dict[str, str]
) -> None:
    """It shows the plan, says that ``--yes`` is needed, and ends with 2."""
    ended = glam("apply", MODULE, cwd=project, env=servers)
    after = glam("plan", MODULE, cwd=project, env=servers)

    assert ended.code == 2
    assert "shop: 9 to create." in ended.out
    assert "give --yes" in ended.err
    assert after.code == 3


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_on_a_terminal_apply_asks(
    project: Path, servers: dict[str, str], answer: str, code: int
) -> None:
    """Yes does it; anything else changes nothing."""
    ended = _answered(answer, "apply", MODULE, cwd=project, env=servers)
    after = glam("plan", MODULE, cwd=project, env=servers)

    assert ended.code == code, ended.out
    assert "Apply 9 changes? [y/N]" in ended.out
    assert after.code == (0 if code == 0 else 3)


def _answered(answer: str, *arguments: str, cwd: Path, env: dict[str, str]) -> Ended:
    """Run with a terminal on which somebody types an answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(env | {"TERM": "dumb", "COLUMNS": "80"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    read = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal's end is an error on Linux
            break
        if not part:
            break
        read += part
    os.close(ours)
    return Ended(process.wait(40), read.decode(), "")


def test_on_a_terminal_lines_fit_and_nothing_is_cut(project: Path, servers: dict[str, str]) -> None:
    """Long lines are folded below their own indent."""
    long = "evt." + "very.long.subject." * 8 + "v1"
    source = (project / "shop" / "handlers.py").read_text()
    (project / "shop" / "handlers.py").write_text(source.replace("evt.order.placed.v1", long))
    for name, value in servers.items():
        (project / ".env").open("a").write(f"{name}={value}\n")

    ended = glam_on_terminal("plan", MODULE, cwd=project, columns=80)

    assert ended.code == 3, ended.out
    plain = _without_colour(ended.out)
    assert max(map(len, plain.splitlines())) <= 80
    assert long in "".join(line.strip() for line in plain.splitlines())


def _without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


async def test_a_deleted_consumer_is_decided_about(project: Path, servers: dict[str, str]) -> None:
    """The plan is pending (3) and apply is not done (1) until it is said where it begins (0)."""
    assert glam("apply", MODULE, "--yes", cwd=project, env=servers).code == 0
    await call(servers, "CONSUMER.DELETE.GLAM_EVENTS.shop-ship")

    shown = glam("plan", MODULE, cwd=project, env=servers)
    undecided = glam("apply", MODULE, "--yes", cwd=project, env=servers)
    decided = ("--recreate", "ship", "--from", "new")
    done = glam("apply", MODULE, *decided, "--yes", cwd=project, env=servers)
    again = glam("apply", MODULE, *decided, "--yes", cwd=project, env=servers)

    assert (shown.code, undecided.code, done.code, again.code) == (3, 1, 0, 0)
    assert "! not worked: consumer shop-ship (handler ship)" in shown.out
    assert "--recreate ship --from floor|new|all" in shown.out
    assert "1 handler needs a decision" in shown.out
    assert "recreate consumer shop-ship" in done.out
    assert "not created anew" in again.out


def test_json_is_one_document(project: Path, servers: dict[str, str]) -> None:
    """``plan`` and ``apply`` say the same; ``apply`` adds what it did."""
    shown = json.loads(glam("plan", MODULE, "--json", cwd=project, env=servers).out)
    refused = glam("apply", MODULE, "--json", cwd=project, env=servers)
    done = json.loads(glam("apply", MODULE, "--json", "--yes", cwd=project, env=servers).out)

    assert refused.code == 2
    assert refused.out == ""
    assert shown["pending"]
    assert shown["changes"] == done["changes"]
    assert len(done["applied"]) == 9
    assert shown["changes"][-1]["thing"] == "consumer shop-refund-lane"


@pytest.mark.parametrize(
    ("recreate", "begin", "moves", "words"),
    [
        (["place"], None, [], "--from floor"),
        ([], "all", [], "--recreate"),
        (["place"], "here", [], "floor, new or all"),
        (["absent"], "all", [], "no handler is called that; there are place"),
        ([], None, ["old"], "--move old"),
        ([], None, ["old=absent"], "no handler is called absent"),
        ([], None, ["place=place"], "handler place is declared"),
    ],
)
def test_a_wrong_decision_names_its_option(
    recreate: list[str], begin: str | None, moves: list[str], words: str
) -> None:
    """What was found, and what is allowed."""
    registry = Registry()
    registry.on("evt.order.placed.v1", Order, name="place")(_handle)
    found = Checked(registry.served_by("shop"), "shop", ())

    with pytest.raises(UsageError, match=words):
        read_choices(found, recreate, begin, moves)


def test_wrong_decisions_are_told_before_a_server_is_asked(project: Path) -> None:
    """The exit code is 2."""
    nowhere = {"GLAM_NATS_SERVERS": "nats://127.0.0.1:9"}
    ended = glam("apply", MODULE, "--recreate", "ship", "--yes", cwd=project, env=nowhere)

    assert ended.code == 2
    assert "--recreate needs --from floor" in ended.err


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_no_server_is_told_in_one_line(project: Path, command: str) -> None:
    """The exit code is 1."""
    nowhere = {"GLAM_NATS_SERVERS": "nats://127.0.0.1:9", "GLAM_CONNECT_TIMEOUT": "0.5"}
    ended = glam(command, MODULE, cwd=project, env=nowhere)

    assert ended.code == 1
    assert ended.out == ""
    assert "127.0.0.1:9" in ended.err
    assert "Traceback" not in ended.err


def test_a_subject_that_no_stream_holds_is_told(project: Path, servers: dict[str, str]) -> None:
    """The handler is named with its place; the exit code is 1."""
    source = (project / "shop" / "handlers.py").read_text()
    moved = source.replace("evt.order.placed.v1", "telemetry.cpu")
    (project / "shop" / "handlers.py").write_text(moved)

    ended = glam("plan", MODULE, cwd=project, env=servers)

    assert ended.code == 1
    assert "handler ship (shop/handlers.py:" in ended.err
    assert "telemetry.cpu" in ended.err


def test_a_missing_permission_is_named(project: Path, tmp_path: Path) -> None:
    """Who may look and not change can plan; apply names what is denied, and that it can go on."""
    block = """authorization { users = [ { user: looker, password: $LOOKER_PASSWORD,
        permissions: { publish: ["$JS.API.*.INFO.>", "$JS.API.STREAM.NAMES", "$JS.API.*.LIST.>",
        "$JS.API.STREAM.MSG.GET.>"], subscribe: ["_INBOX.>"] } } ] }"""
    folder = tmp_path / "server"
    folder.mkdir()
    with permitted(folder, block, ["LOOKER_PASSWORD"], "") as url:
        env = {
            "GLAM_NATS_SERVERS": url,
            "GLAM_NATS_USER": "looker",
            "GLAM_NATS_PASSWORD": PASSWORD,
        }
        shown = glam("plan", MODULE, cwd=project, env=env)
        denied = glam("apply", MODULE, "--yes", cwd=project, env=env)

    assert shown.code == 3, shown.err
    assert denied.code == 1
    assert "STREAM.CREATE.KV_GLAM_STATE" in denied.err
    assert "Apply again goes on from here" in denied.err
