"""``glam-worker top`` on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.cli.top.keys import named
from tests.cli.command import COMMAND, WITHIN, environment, glam
from tests.dev.waiting import until
from tests.operate.letter_writing import Letters, letter
from tests.operate.retry_stream import with_lane


class Terminal:
    """A program on a terminal of its own; what it draws is read as it comes."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 140, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment({"TERM": "xterm-256color"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.drawn = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while part := os.read(self._ours, 65536):
                self.drawn += part.decode(errors="replace")

    def shows(self, text: str) -> None:
        """Wait until it has drawn so, from here on."""
        until(lambda: text in self.drawn, f"{text!r} in {self.drawn[-3000:]}", WITHIN)
        self.drawn = ""

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)


@pytest.fixture
async def client(nats_url: str) -> JetStreamClient:
    client = JetStreamClient()
    await client.connect(nats_url)
    await with_lane(client, "ship")
    await (await Letters(client).created()).write(letter(1))
    return client


@pytest.fixture
def terminal(tmp_path: Path, nats_url: str, client: JetStreamClient) -> Iterator[Terminal]:
    terminal = Terminal("top", "--every", "0.2", "--servers", nats_url, cwd=tmp_path)
    yield terminal
    terminal.close()


async def paused(client: JetStreamClient) -> bool:
    info = await client.api("CONSUMER.INFO.GLAM_RETRY.shop-ship-lane")
    return bool(info.get("paused"))


async def test_keys_pause_resume_and_open_letters(
    terminal: Terminal, client: JetStreamClient
) -> None:
    """A handler is paused after a yes and not after a no; q leaves the terminal as it was."""
    terminal.shows("no worker seen")
    terminal.press("p")
    terminal.shows("pause ship of shop? y/n")
    terminal.press("n")
    terminal.press("d")
    terminal.shows("ValueError: no address")
    assert not await paused(client)
    terminal.press(" p")
    terminal.shows("pause ship of shop? y/n")
    terminal.press("y")
    terminal.shows("ship of service shop is paused")
    assert await paused(client)
    terminal.press("ry")
    terminal.shows("ship of service shop is resumed")
    assert not await paused(client)

    terminal.press("q")

    assert terminal.process.wait(WITHIN) == 0
    assert terminal.before == termios.tcgetattr(terminal._theirs)


def test_top_needs_a_terminal(tmp_path: Path) -> None:
    """In a pipe it names the command for programs."""
    ended = glam("top", cwd=tmp_path)

    assert ended.code == 2
    assert "glam-worker status --json" in ended.err


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"", ["q"]),
        (b"\x1b[A\x1bOBx", ["up", "down", "x"]),
        (b"\x1b", ["escape"]),
    ],
)
def test_keys_have_names(data: bytes, keys: list[str]) -> None:
    """Arrows are one key each; a terminal that is gone ends the program."""
    assert keys == list(named(data))
