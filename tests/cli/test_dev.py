"""``glam-worker dev``: own server, and the sources as they are."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cli.command import HANDLERS, Running, glam, running
from tests.dev.waiting import gone, until

DEV = ("dev", "shop.handlers", "--http-port", "0")


@pytest.fixture
def dev(project: Path) -> Iterator[Running]:
    """``glam-worker dev`` at work in the project."""
    with running(*DEV, cwd=project) as started:
        started.says("working 2 handlers")
        yield started


def publish(dev: Running, cwd: Path, order: str) -> None:
    """An order for the service."""
    data = f'{{"id": "{order}"}}'
    ended = glam("publish", "evt.order.placed.v1", "--data", data, "--servers", dev.server, cwd=cwd)
    assert ended.code == 0, ended.err


def edit(project: Path, old: str, new: str) -> None:
    """A change of the handlers, saved as editors do."""
    handlers = project / "shop" / "handlers.py"
    draft = project / "draft.tmp"
    draft.write_text(handlers.read_text().replace(old, new))
    draft.replace(handlers)


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, found) for each in (child, *children(child))]


def test_change_is_worked_without_losing_events(dev: Running, project: Path) -> None:
    """After a change the new code works, on the same server with the same durables."""
    publish(dev, project, "o1")
    dev.says("shipped o1 on attempt 1")
    edit(project, "shipped {order.id}", "sent {order.id}")
    dev.says("shop/handlers.py changed: starting again")
    dev.says("working 2 handlers", times=2)
    publish(dev, project, "o2")
    dev.says("sent o2 on attempt 1")
    assert dev.said.count("o1") == 1
    assert dev.stop() == 0


def test_only_what_the_worker_has_loaded_starts_it_again(dev: Running, project: Path) -> None:
    """Other files below the folder do not matter; loaded ones and new ones of the package do."""
    (project / "scratch.py").write_text("x = 1\n")
    (project / "other").mkdir()
    (project / "other" / "thing.py").write_text("y = 1\n")
    (project / "other" / ".env").write_text("GLAM_CONCURRENCY=2\n")
    (project / "shop" / "extra.py").write_text("z = 1\n")
    dev.says("shop/extra.py changed: starting again")
    dev.says("working 2 handlers", times=2)
    (project / "shop" / "extra.py").write_text("z = 2\n")
    (project / ".env").write_text("GLAM_CONCURRENCY=3\n")
    dev.says(".env changed: starting again")
    dev.says("working 2 handlers", times=3)
    edit(project, "class Order", "import scratch\n\n\nclass Order")
    dev.says("working 2 handlers", times=4)
    (project / "scratch.py").write_text("x = 2\n")
    dev.says("scratch.py changed: starting again")
    dev.says("working 2 handlers", times=5)
    assert dev.stop() == 0
    assert dev.said.count("changed: starting again") == 4


def test_module_that_is_loaded_late_is_seen(project: Path) -> None:
    """What a handler imports in its first run counts from then on."""
    (project / "late.py").write_text("text = 'late'\n")
    edit(project, 'print(f"shipped', 'import late; print(late.text, f"shipped')
    with running(*DEV, cwd=project) as dev:
        dev.says("working 2 handlers")
        publish(dev, project, "o1")
        dev.says("late shipped o1")
        (project / "late.py").write_text("text = 'later'\n")
        dev.says("late.py changed: starting again")
        dev.says("working 2 handlers", times=2)
        assert dev.stop() == 0


def test_port_in_use_is_no_obstacle_unless_it_was_asked_for(project: Path) -> None:
    """A second ``dev`` serves /metrics at a free port and says so; a port given by hand is kept."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it: as good
            taken.bind(("127.0.0.1", 9464))
            taken.listen()
        with running("dev", "shop.handlers", cwd=project) as dev:
            dev.says("port 9464 is in use: /metrics, /healthz and /readyz are at port ")
            port = dev.found(r"are at port (\d+)")
            dev.says("working 2 handlers")
            with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                assert answer.status == 200
            assert dev.stop() == 0
        with running("dev", "shop.handlers", "--http-port", "9464", cwd=project) as dev:
            dev.says("cannot serve metrics on 127.0.0.1:9464")
            assert dev.stop() == 0


def test_module_that_does_not_import_waits_for_the_next_change(dev: Running, project: Path) -> None:
    """The user's traceback is shown, and the next change is tried."""
    edit(project, "class Order", "nonsense()\n\n\nclass Order")
    dev.says("NameError: name 'nonsense' is not defined")
    dev.says("starts again after the next change")
    assert 'handlers.py", line 6' in dev.said
    edit(project, "nonsense()\n\n\n", "")
    dev.says("working 2 handlers", times=2)
    publish(dev, project, "o1")
    dev.says("shipped o1")
    assert dev.stop(signal.SIGINT) == 0


def test_mistake_from_the_beginning_is_waited_out(project: Path) -> None:
    """The first import may fail, too; so may the settings, until ``.env`` is corrected."""
    edit(project, "concurrency=4", "concurrency=0")
    with running(*DEV, cwd=project) as dev:
        dev.says("concurrency=0 is not allowed")
        dev.says("starts again after the next change")
        (project / ".env").write_text("GLAM_CONCURRENCY=many\n")
        dev.says("GLAM_CONCURRENCY in .env is 'many'")
        (project / ".env").write_text("GLAM_CONCURRENCY=2\n")
        dev.says("concurrency=0 is not allowed", times=2)
        edit(project, "concurrency=0", "concurrency=12")
        dev.says("working 2 handlers")
        assert dev.stop() == 0


def test_running_handler_ends_before_its_code_is_replaced(project: Path) -> None:
    """A change stops the worker in order: what runs is finished, by the old code."""
    slow = HANDLERS.replace(
        '    print(f"shipped',
        '    import asyncio, pathlib\n    print("began", order.id, flush=True)\n'
        '    while not pathlib.Path("go").exists():\n        await asyncio.sleep(0.01)\n'
        '    print(f"shipped',
    )
    (project / "shop" / "handlers.py").write_text(slow)
    with running(*DEV, cwd=project) as dev:
        dev.says("working 2 handlers")
        publish(dev, project, "o1")
        dev.says("began o1")
        edit(project, "shipped", "sent")
        dev.says("stopping")
        (project / "go").touch()
        dev.says("shipped o1 on attempt 1")
        dev.says("working 2 handlers", times=2)
        assert dev.stop() == 0
        assert "sent o1" not in dev.said


def test_second_signal_does_not_wait_for_handlers(project: Path) -> None:
    """The first Ctrl-C waits for what runs, the second does not."""
    hanging = HANDLERS.replace(
        '    print(f"shipped',
        '    import asyncio\n    print("began", order.id, flush=True)\n'
        '    await asyncio.sleep(600)\n    print(f"shipped',
    )
    (project / "shop" / "handlers.py").write_text(hanging)
    with running(*DEV, cwd=project, env={"GLAM_SHUTDOWN_GRACE": "300"}) as dev:
        dev.says("working 2 handlers")
        publish(dev, project, "o1")
        dev.says("began o1")
        dev.process.send_signal(signal.SIGINT)
        dev.says("stopping: 300 s for what runs")
        assert dev.stop(signal.SIGINT) == 0
        assert "stopped at once" in dev.said


def test_endpoint_answers_before_and_after_a_change(project: Path) -> None:
    """/readyz is there as under ``run``, on the same port after the worker was started again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def ready() -> bool:
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return bool(answer.status == 200)
        return False

    with running("dev", "shop.handlers", "--http-port", str(port), cwd=project) as dev:
        until(ready, "ready")
        edit(project, "shipped", "sent")
        dev.says("working 2 handlers", times=2)
        until(ready, "ready again")
        assert dev.stop() == 0


def test_stop_leaves_no_process(dev: Running) -> None:
    """After Ctrl-C the worker and the server are gone."""
    started = children(dev.process.pid)
    assert len(started) >= 3
    assert dev.stop(signal.SIGINT) == 0
    assert all(gone(pid) for pid in started)


def test_kill_leaves_no_process(dev: Running) -> None:
    """kill -9 of the command takes the worker and the server with it."""
    started = children(dev.process.pid)
    dev.stop(signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in started), "worker, guard and server end")


def test_dead_server_ends_it(dev: Running, project: Path) -> None:
    """When its server is killed, the command says so and ends with 1."""
    log = (project / ".glam" / "nats-server.log").read_text()
    os.kill(int(log.partition("]")[0].strip("[")), signal.SIGKILL)
    assert dev.ends() == 1
    assert "nats-server ended" in dev.said


def test_other_servers_are_used_when_named(project: Path) -> None:
    """With --servers no server is started."""
    arguments = (*DEV, "--servers", "nats://127.0.0.1:9")
    with running(*arguments, cwd=project, env={"GLAM_CONNECT_TIMEOUT": "0.5"}) as dev:
        dev.says("nats://127.0.0.1:9: connection refused")
        dev.says("starts again after the next change")
        assert "nats-server listens" not in dev.said
        assert not (project / ".glam").exists()
        assert dev.stop() == 0


def test_wrong_settings_end_it_at_once(project: Path) -> None:
    """What is wrong before anything runs ends with 2."""
    ended = glam(*DEV, cwd=project, env={"GLAM_SHUTDOWN_GRACE": "long"})
    assert ended.code == 2
    assert "GLAM_SHUTDOWN_GRACE is 'long'" in ended.err


def test_missing_watcher_is_one_line_with_the_command(project: Path) -> None:
    """Without the package that watches files the install command is told; the exit code is 2."""
    script = (
        "import sys; sys.modules['watchfiles'] = None; sys.argv = ['glam-worker', *sys.argv[1:]]\n"
        "from glam_worker.cli import main; main()"
    )
    ended = glam("-c", script, *DEV, cwd=project, command=(sys.executable,))
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "watchfiles" in line
    assert 'pip install "glam-worker[embedded]"' in line
