"""``glam-worker publish``: one event, checked, stored, and told where."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from glam_shared.messaging import EventEnvelope, Subjects
from glam_worker.cli.event_input import check_id, check_subject, read_payload, read_source
from glam_worker.dev.server import EmbeddedServer
from glam_worker.errors import UsageError
from tests.cli.command import Ended, glam

PLATFORM = {
    "merchant_id": "6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e",
    "platform_name": "shopify",
    "platform_shop_id": "gid://shopify/Shop/1",
    "domain": "shop-1.myshopify.com",
}
RESET = {"platform": PLATFORM, "balance": 12.50, "reset_at": "2026-11-01T12:00:00Z", "period": "m"}


class Publishing:
    """Publishes through the command to the stream of this test run, and looks into it."""

    def __init__(self, server: EmbeddedServer, cwd: Path, js: JetStreamContext) -> None:
        self._server = server
        self._cwd = cwd
        self._js = js

    def __call__(self, *arguments: str, stdin: str | None = None, **env: str) -> Ended:
        given = ("publish", *arguments, "--servers", self._server.url)
        return glam(*given, cwd=self._cwd, stdin=stdin, env=env)

    async def stored(self, ended: Ended) -> tuple[RawStreamMsg, EventEnvelope[Any]]:
        """The message that a ``--json`` answer tells of."""
        assert ended.code == 0, ended.err
        said = json.loads(ended.out)
        message = await self._js.get_msg(said["stream"], said["sequence"])
        envelope: EventEnvelope[Any] = EventEnvelope.from_bytes(message.data or b"")
        assert envelope.event_id == said["event_id"]
        return message, envelope


@pytest.fixture
async def publish(server: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Publishing]:
    """Publishes to a stream that takes events."""
    client = await nats.connect(server.url)
    js = client.jetstream()
    await js.add_stream(name="GLAM_EVENTS", subjects=["evt.>"])
    yield Publishing(server, tmp_path, js)
    await client.close()


async def test_event_is_stored_in_an_envelope(publish: Publishing) -> None:
    """The stream has the event as a service would have published it, and the answer says where."""
    ended = publish(
        *("evt.order.placed.v1", "--data", '{"id": "o1"}', "--json"),
        *("--correlation-id", "corr_1", "--metadata", '{"why": "test"}', "--service", "by-hand"),
    )
    message, envelope = await publish.stored(ended)
    assert message.subject == envelope.event_type == "evt.order.placed.v1"
    assert envelope.data == {"id": "o1"}
    assert envelope.correlation_id == "corr_1"
    assert envelope.metadata == {"why": "test"}
    assert envelope.source_service == "by-hand"
    assert (message.headers or {})["Nats-Msg-Id"] == f"evt.order.placed.v1:{envelope.event_id}"


async def test_answer_for_people_has_id_stream_and_sequence(publish: Publishing) -> None:
    """Without --json the three facts stand on a line each."""
    ended = publish("evt.order.placed.v1", "--data", '{"id": "o1"}', "--event-id", "mine-1")
    assert ended.code == 0
    assert ended.err == ""
    names = [line.split()[:2] for line in ended.out.splitlines()]
    assert names[0] == ["event", "id"]
    assert names[1] == ["stream", "GLAM_EVENTS"]
    assert names[2][0] == "sequence"
    assert int(names[2][1]) > 0


async def test_same_id_again_is_stored_once(publish: Publishing) -> None:
    """A second event of one id is told to be a duplicate of the first one's sequence."""
    given = ("evt.order.placed.v1", "--data", '{"id": "o2"}', "--event-id", "twice", "--json")
    first, second = (json.loads(publish(*given).out) for _ in range(2))
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["sequence"] == second["sequence"]


async def test_catalogued_subject_takes_its_payload(publish: Publishing) -> None:
    """Data of a catalogued subject is read by its model; numbers of money stay exact."""
    text = json.dumps(RESET).replace("12.5", "12345678901234567.89")
    ended = publish(str(Subjects.CREDITS_RESET), "--data", text, "--json")
    message, envelope = await publish.stored(ended)
    assert b"12345678901234567.89" in (message.data or b"")
    assert envelope.data["period"] == "m"


async def test_field_the_payload_lacks_is_left_out_with_a_warning(publish: Publishing) -> None:
    """What the model does not know is not published, and that is said."""
    extra = RESET | {"colour": "red", "platform": PLATFORM | {"size": 1}}
    ended = publish(str(Subjects.CREDITS_RESET), "--data", json.dumps(extra), "--json")
    _, envelope = await publish.stored(ended)
    assert "colour" not in envelope.data
    assert "no field colour" in ended.err
    assert "no field platform.size" in ended.err


async def test_data_may_come_from_a_file_or_standard_input(
    publish: Publishing, tmp_path: Path
) -> None:
    """``@file`` and ``-`` are read; both give what the text itself would."""
    (tmp_path / "order.json").write_text('{"id": "from a file"}')
    ended = publish("evt.order.placed.v1", "--data", "@order.json", "--json")
    assert (await publish.stored(ended))[1].data == {"id": "from a file"}
    ended = publish("evt.order.placed.v1", "--data", "-", "--json", stdin='{"id": "typed"}')
    assert (await publish.stored(ended))[1].data == {"id": "typed"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "--data is not JSON"),
        ("[1]", "--data is an array"),
        ("3", "--data is a number"),
        ("{}", "empty"),
        ('{"a": NaN}', "--data is not JSON"),
        ('{"a": 1, "a": 2}', "--data is not JSON"),
        ('{"a": 1}, "metadata": {"a": 1}', "--data is not JSON"),
        ("@absent.json", "'absent.json' cannot be read"),
    ],
)
def test_data_that_is_no_object_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, said: str
) -> None:
    """The data must be one JSON object; what it is instead is said."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(said)):
        read_payload("evt.a.b", read_source("--data", data))


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("evt.>", "wildcard"),
        ("evt.*.v1", "wildcard"),
        ("evt", "'evt'"),
        ("evt.", "''"),
        ("evt.a b", "white space"),
        ("orders.placed", "evt. or cmd."),
        ("", "evt. or cmd."),
        ("dlq.order.placed.v1", "publish the event itself, to evt.order.placed.v1"),
        ("retry.due.shop.ship", "is a parked event's, which only workers write"),
    ],
)
def test_subject_that_no_event_has_is_told(subject: str, said: str) -> None:
    """An event's subject is concrete and begins with evt. or cmd."""
    with pytest.raises(UsageError, match=re.escape(said)):
        check_subject(subject)


@pytest.mark.parametrize("given", ["", "a\nb", "\x1b[2J"])
def test_id_that_is_no_line_of_text_is_told(given: str) -> None:
    """An empty id would be replaced without a word, another one break what shows it."""
    with pytest.raises(UsageError, match="--event-id"):
        check_id("--event-id", given)


@pytest.mark.parametrize("subject", ["evt.order.placed.v1", "cmd.mail.send"])
def test_subject_of_an_event_is_taken(subject: str) -> None:
    """Events and commands can be published."""
    check_subject(subject)


def test_wrong_input_ends_with_2_before_anything_is_sent(tmp_path: Path) -> None:
    """What cannot be an event is told without a server, in one line."""
    data = ("--data", '{"a":1}', "--metadata", "why", "--servers", "nats://127.0.0.1:9")
    ended = glam("publish", "evt.a.b", *data, cwd=tmp_path)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("glam-worker: --metadata is not JSON")


def test_wrong_payload_names_its_fields(tmp_path: Path) -> None:
    """Each wrong or missing field of the payload is a line, with its path."""
    data = json.dumps(RESET | {"balance": "much", "platform": {**PLATFORM, "merchant_id": "x"}})
    ended = glam("publish", "evt.credits.reset.v1", "--data", data, cwd=tmp_path)
    assert ended.code == 2
    assert "CreditsResetPayload" in ended.err
    assert "  platform.merchant_id: " in ended.err
    assert "  balance: " in ended.err
    assert "found 'much'" in ended.err


async def test_subject_that_no_stream_takes_fails_at_once(publish: Publishing) -> None:
    """No stream is told by name, well before publishing would give up."""
    began = time.monotonic()
    ended = publish("cmd.mail.send", "--data", '{"a": 1}')
    assert ended.code == 1
    assert "no stream takes cmd.mail.send" in ended.err
    assert time.monotonic() - began < 15


def test_server_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    """The attempt is bounded; address and cause are told, the exit code is 1."""
    ended = glam(
        *("publish", "evt.a.b", "--data", '{"a": 1}', "--servers", "nats://127.0.0.1:9"),
        cwd=tmp_path,
        env={"GLAM_CONNECT_TIMEOUT": "0.5"},
    )
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert "nats://127.0.0.1:9" in line
    assert "refused" in line
