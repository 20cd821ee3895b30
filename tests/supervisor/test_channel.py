"""What passes between parent and child: settings, questions, answers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from glam_worker.settings import Settings
from glam_worker.supervisor.channel import Answer, Channel, last_word
from glam_worker.supervisor.handover import handed_over, taken_over

WELL = Answer(started=True, not_ready=["not connected"], metrics="# HELP a b\n" * 20_000)


async def _answers(channel: socket.socket, line: bytes, questions: int = 1) -> bytes:
    """Play a child: wait for so many questions, and answer with the line; the questions."""
    loop = asyncio.get_running_loop()
    asked = b""
    while asked.count(b"\n") < questions:
        asked += await loop.sock_recv(channel, 100)
    await loop.sock_sendall(channel, line)
    return asked


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a channel."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return ours, theirs


async def test_an_answer_of_any_size_arrives(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What the child said is what the parent reads.
    """
    ours, theirs = pair
    with theirs, closing(await Channel.over(ours)) as channel:
        answer, asked = await asyncio.gather(
            channel.ask("metrics", 5), _answers(theirs, WELL.line())
        )

    assert answer == WELL
    assert asked == b"metrics\n"


async def test_a_late_answer_is_not_taken_for_the_next(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """
    After silence the answer to the question asked last is the one that is returned.
    """
    ours, theirs = pair
    late, fresh = Answer(unhealthy=["late"]), Answer(started=True)
    with theirs, closing(await Channel.over(ours)) as channel:
        silence = [await channel.ask("state", 0.02) for _ in range(2)]
        await asyncio.get_running_loop().sock_sendall(theirs, 2 * late.line())
        answer, _ = await asyncio.gather(
            channel.ask("state", 5), _answers(theirs, fresh.line(), questions=3)
        )

    assert silence == [None, None]
    assert answer == fresh


async def test_a_last_word_is_no_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    A child may say why it ends before an answer, or after it ended its own; it is remembered.
    """
    ours, theirs = pair
    with closing(await Channel.over(ours)) as channel:
        answer, _ = await asyncio.gather(
            channel.ask("state", 5), _answers(theirs, last_word(2) + WELL.line())
        )
        before = channel.last_word
        theirs.setblocking(True)
        theirs.sendall(Answer().line() + last_word(1))
        theirs.close()
        await channel.read_rest()

    assert answer == WELL
    assert (before, channel.last_word) == (2, 1)


async def test_what_no_child_says_is_no_last_word(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """
    A channel that ends without one has none.
    """
    ours, theirs = pair
    with closing(await Channel.over(ours)) as channel:
        theirs.close()
        await channel.read_rest()

    assert channel.last_word is None


@pytest.mark.parametrize("line", [b"\n", b"nonsense\n", b"[]\n", b'{"other": 1}\n'])
async def test_nonsense_is_silence(pair: tuple[socket.socket, socket.socket], line: bytes) -> None:
    """
    What is no answer counts as none, and the next question is asked all the same.
    """
    ours, theirs = pair
    with theirs, closing(await Channel.over(ours)) as channel:
        first, _ = await asyncio.gather(channel.ask("state", 5), _answers(theirs, line))
        second, _ = await asyncio.gather(channel.ask("state", 5), _answers(theirs, Answer().line()))

    assert (first, second) == (None, Answer())


async def test_a_closed_channel_is_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    A child that let go of its end gives no answer, at once.
    """
    ours, theirs = pair
    theirs.close()
    with closing(await Channel.over(ours)) as channel:
        assert [await channel.ask("state", 5) for _ in range(3)] == [None] * 3


def test_children_have_the_settings_in_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is handed over wins over the child's environment: flags, secrets, and what is not set.
    """
    for name in [name for name in os.environ if name.startswith(("GLAM_", "NATS_"))]:
        monkeypatch.delenv(name)
    given = Settings.load(
        nats_servers="nats://a:4222,nats://b:4222", processes=3, nats_token="hush", http_port=0
    )
    line = handed_over(given)
    monkeypatch.setenv("GLAM_NATS_USER", "somebody")
    monkeypatch.setenv("GLAM_CONCURRENCY", "7")

    taken = taken_over(line)

    assert taken.model_dump() == given.model_dump() | {"processes": 1}
    assert taken.nats_token is not None
    assert taken.nats_token.get_secret_value() == "hush"


def _run(arguments: list[str], directory: Path, **more: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "glam_worker", "run", "nothing", *arguments]
    fds = tuple(more.values())
    return subprocess.run(
        command,
        cwd=directory,
        pass_fds=fds,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_child_without_parent_ends_at_once(tmp_path: Path) -> None:
    """
    A child whose parent ended before it could be known ends with 0, without a word.
    """
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        done = _run(["--channel", str(theirs.fileno())], tmp_path, channel=theirs.fileno())

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_channel_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    """
    --channel given by hand is explained in a line.
    """
    done = _run(["--channel", "77"], tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("glam-worker: --channel 77 is no socket of a parent")


def test_the_parent_loads_no_client() -> None:
    """
    The supervisor knows processes, never messages: neither nats nor the worker is imported.
    """
    asked: Callable[[str], str] = "print('{}' in sys.modules)".format
    names = ("nats", "uvloop", "glam_worker.worker", "glam_worker.jetstream")
    script = "import sys, glam_worker.supervisor.life\n" + "\n".join(map(asked, names))

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.split() == ["False"] * len(names)
