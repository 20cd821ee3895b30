"""``glam-worker dlq replay`` and ``dlq drop``."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.past_failures import read_past
from tests.cli.command import COMMAND, WITHIN, Ended, environment, glam
from tests.operate.letter_writing import Letters, letter
from tests.operate.retry_stream import replayed, with_lane


@pytest.fixture
async def client(nats_url: str) -> JetStreamClient:
    client = JetStreamClient()
    await client.connect(nats_url)
    return client


@pytest.fixture
async def letters(client: JetStreamClient) -> Letters:
    """Three letters of ``ship``, which has a lane, and one of ``count``, which has none."""
    letters = await Letters(client).created()
    await with_lane(client, "ship")
    await letters.write_many(letter(number) for number in range(1, 4))
    await letters.write(letter(4, handler="count"))
    return letters


def dlq(tmp_path: Path, nats_url: str, *arguments: str, **env: str) -> Ended:
    return glam("dlq", *arguments, "--servers", nats_url, cwd=tmp_path, env=env)


async def test_replay_sends_a_filter_to_its_lane(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """With ``--yes`` the letters that are meant are replayed, and it says how many."""
    ended = dlq(tmp_path, nats_url, "replay", "--handler", "ship", "--yes")

    assert (0, "3 replayed\n") == (ended.code, ended.out)
    assert 3 == len(await replayed(letters.client))
    assert 1 == await letters.count()


async def test_replay_takes_letters_by_name(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Named letters are replayed, one that is named twice once; the result can be a document."""
    named = ("GLAM_DLQ:1", "GLAM_DLQ:3", "GLAM_DLQ:1")
    ended = dlq(tmp_path, nats_url, "replay", *named, "--yes", "--json")

    told = json.loads(ended.out)
    assert (2, 2, 0, False) == (
        told["letters"],
        told["replayed"],
        told["refused"],
        told["dry_run"],
    )
    assert 2 == await letters.count()


async def test_a_dry_run_says_what_would_happen_and_does_nothing(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """It names the handlers with their counts, and those without a lane."""
    ended = dlq(tmp_path, nats_url, "replay", "--all", "--dry-run")

    assert ended.code == 0
    assert "would replay 4 letters (ship of shop: 3, count of shop: 1)" in ended.out
    assert "handler count of service shop has no lane" in ended.out
    assert "--create-lane" in ended.out
    assert (4, []) == (await letters.count(), await replayed(letters.client))


async def test_a_letter_without_a_lane_stays_until_its_lane_is_made(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Refused letters make exit code 1; with ``--create-lane`` they are replayed."""
    refused = dlq(tmp_path, nats_url, "replay", "--handler", "count", "--yes")
    made = dlq(tmp_path, nats_url, "replay", "--handler", "count", "--yes", "--create-lane")

    assert (1, "0 replayed, 1 refused\n") == (refused.code, refused.out)
    assert "start its worker" in refused.err
    assert (0, "1 replayed\n") == (made.code, made.out)
    assert 1 == len(await replayed(letters.client, "count"))


@pytest.mark.parametrize("command", ["replay", "drop"])
async def test_without_a_terminal_nothing_is_done_unless_it_is_said(
    tmp_path: Path, nats_url: str, letters: Letters, command: str
) -> None:
    """A script must say ``--yes``."""
    ended = dlq(tmp_path, nats_url, command, "--all")

    assert ended.code == 2
    assert "4 letters (ship of shop: 3, count of shop: 1)" in ended.err
    assert "--yes" in ended.err
    assert 4 == await letters.count()


def typed(tmp_path: Path, answer: str, *arguments: str, **env: str) -> Ended:
    """Run with a terminal, and type an answer into it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env=environment({"TERM": "dumb", **env}),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=WITHIN)
    os.close(ours)
    return Ended(process.returncode, out, "")


@pytest.mark.parametrize(("answer", "left"), [("n", 4), ("y", 0)])
async def test_on_a_terminal_it_asks(
    tmp_path: Path, nats_url: str, letters: Letters, answer: str, left: int
) -> None:
    """``drop`` deletes after a yes, and nothing after a no."""
    ended = typed(tmp_path, answer, "dlq", "drop", "--all", "--servers", nats_url)

    assert left == await letters.count()
    assert (0 if answer == "y" else 1) == ended.code


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    "wrong", [(), ("1", "--all"), ("--all", "--handler", "ship"), ("1", "--group", "ab")], ids=str
)
def test_it_must_be_said_which_letters(
    tmp_path: Path, command: str, wrong: tuple[str, ...]
) -> None:
    """Nothing, or two ways at once, is wrong usage, before a server is looked for."""
    ended = glam("dlq", command, *wrong, "--yes", cwd=tmp_path)

    assert ended.code == 2
    assert "--all" in ended.err


async def test_a_handler_that_nobody_knows_is_a_mistake(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """A misspelt handler is told with the ones there are; one without letters is no failure."""
    unknown = dlq(tmp_path, nats_url, "replay", "--handler", "shipp", "--yes")
    known = dlq(tmp_path, nats_url, "drop", "--handler", "ship", "--reason", "crashed", "--yes")

    assert unknown.code == 1
    assert "there is no handler shipp; there are: ship (shop)" in unknown.err
    assert known.code == 0
    assert "nothing to drop" in known.err


async def test_drop_deletes_what_is_meant(tmp_path: Path, nats_url: str, letters: Letters) -> None:
    """The letters of a filter, or named ones, are gone for good."""
    first = dlq(tmp_path, nats_url, "drop", "GLAM_DLQ:2", "--yes")
    second = dlq(tmp_path, nats_url, "drop", "--handler", "ship", "--yes", "--json")

    assert (0, "1 dropped\n") == (first.code, first.out)
    assert {"letters": 2, "dropped": 2, "gone": 0} == json.loads(second.out)
    assert 1 == await letters.count()


EDITOR = """\
#!/bin/sh
sed -i 's/{before}/{after}/' "$1"
"""


def editor(tmp_path: Path, before: str, after: str) -> str:
    path = tmp_path / "my editor"
    path.write_text(EDITOR.format(before=before, after=after))
    path.chmod(0o755)
    return f"'{path}'"


async def test_an_edited_payload_is_sent_and_recorded(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """``--edit`` sends what the editor left, in the same envelope, and its past says so."""
    tool = editor(tmp_path, '"id": 2', '"id": 22')
    ended = dlq(tmp_path, nats_url, "replay", "GLAM_DLQ:2", "--edit", "--yes", EDITOR=tool)

    assert (0, "1 replayed\n") == (ended.code, ended.out)
    (message,) = await replayed(letters.client)
    sent = json.loads(message.body)
    assert ({"id": 22}, "e2") == (sent["data"], sent["event_id"])
    (past,) = read_past(message.headers["Glam-Replays"])
    assert past.edited_at is not None
    assert "GLAM_DLQ:2" == past.letter


@pytest.mark.parametrize(
    ("after", "code", "told"),
    [('"id": ', 2, "not JSON"), ('"id": 2', 1, "not changed")],
)
async def test_an_edit_that_does_not_fit_is_not_sent(
    tmp_path: Path, nats_url: str, letters: Letters, after: str, code: int, told: str
) -> None:
    """A mistake, or no change at all, leaves the letter where it is."""
    tool = editor(tmp_path, '"id": 2', after)
    ended = dlq(tmp_path, nats_url, "replay", "GLAM_DLQ:2", "--edit", "--yes", EDITOR=tool)

    assert ended.code == code
    assert told in ended.err
    assert (4, []) == (await letters.count(), await replayed(letters.client))


@pytest.mark.parametrize("tool", ["/no/such/editor", "false", "'"])
async def test_an_editor_that_fails_is_named(
    tmp_path: Path, nats_url: str, letters: Letters, tool: str
) -> None:
    """The user learns which program did not do it."""
    ended = dlq(tmp_path, nats_url, "replay", "GLAM_DLQ:2", "--edit", "--yes", EDITOR=tool)

    assert ended.code == 2
    assert tool in ended.err
    assert 4 == await letters.count()


def test_only_one_letter_can_be_edited(tmp_path: Path) -> None:
    """A filter with ``--edit`` is wrong usage."""
    ended = glam("dlq", "replay", "--all", "--edit", cwd=tmp_path)

    assert ended.code == 2
    assert "name it" in ended.err


@pytest.mark.parametrize("rate", ["0", "fast", "-1/s", "5/fortnight"])
def test_a_rate_that_makes_no_sense_is_wrong_usage(tmp_path: Path, rate: str) -> None:
    """The option is named, with an example."""
    ended = glam("dlq", "replay", "--all", "--yes", "--rate", rate, cwd=tmp_path)

    assert ended.code == 2
    assert "--rate" in ended.err
    assert "50/s" in ended.err


async def test_without_a_retry_stream_letters_stay(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Without a retry stream nothing is lost: the letters are refused and stay."""
    await letters.client.delete_stream("GLAM_RETRY")

    ended = dlq(tmp_path, nats_url, "replay", "--handler", "ship", "--yes")

    assert ended.code == 1
    assert "no lane" in ended.err
    assert 4 == await letters.count()
