"""The decisions about a connection, without one."""

from __future__ import annotations

import socket

import nats.errors
import pytest

from glam_shared.errors import ConfigurationError
from glam_shared.messaging import server_address
from glam_shared.messaging.backoff import Relapses, reconnect_delay
from glam_shared.messaging.broker_errors import NotSendable, PermissionDenied
from glam_shared.messaging.connect_causes import explain
from glam_shared.messaging.denials import Said, denial_in, needed
from glam_shared.messaging.dialer import version_key
from glam_shared.messaging.listeners import Listeners
from glam_shared.messaging.watchdog import Remedy, Symptoms, diagnose
from glam_shared.messaging.wire import header_block, publish_command, subject_bytes


@pytest.mark.parametrize(
    ("symptoms", "remedy"),
    [
        (Symptoms(), Remedy.NONE),
        (Symptoms(connected=False), Remedy.NONE),
        (Symptoms(loops_ended=True), Remedy.RECONNECT),
        (Symptoms(connected=False, teardown=2.9), Remedy.NONE),
        (Symptoms(connected=False, teardown=3.1), Remedy.ABORT),
        (Symptoms(connected=False, teardown=6.1), Remedy.REPLACE),
        (Symptoms(connected=False, reconnect_ended=True), Remedy.REPLACE),
        (Symptoms(connected=False, closed=True), Remedy.REPLACE),
        (Symptoms(closed=True, loops_ended=True), Remedy.REPLACE),
    ],
)
def test_remedies(symptoms: Symptoms, remedy: Remedy) -> None:
    """
    Each way to die has its remedy, the mildest that helps.
    """
    assert remedy is diagnose(symptoms, hung_teardown=3.0)


@pytest.mark.parametrize(
    ("error", "text", "lasting", "refused"),
    [
        (ConnectionRefusedError(111, "x"), "connection refused", False, False),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "refused", False, False),
        (socket.gaierror(-2, "Name or service not known"), "DNS: ", False, False),
        (TimeoutError(), "no answer in time", False, False),
        (nats.errors.TimeoutError(), "no answer in time", False, False),
        (OSError(101, "Network is unreachable"), "Network is unreachable", False, False),
        (FileNotFoundError(2, "No such file", "ca.pem"), "ca.pem: No such file", True, False),
        (ConfigurationError("say this"), "say this", True, False),
        (nats.errors.Error("nats: 'Authorization Violation'"), "'Authorization", True, True),
        (nats.errors.Error("nats: 'User Authentication Expired'"), "Expired", True, True),
        (nats.errors.Error("nats: 'maximum connections exceeded'"), "maximum", False, False),
        (
            nats.errors.Error("nats: 'maximum account active connections exceeded'"),
            "the account may have no more connections",
            False,
            False,
        ),
        (nats.errors.Error("nats: 'Authentication Timeout'"), "Timeout", False, False),
        (nats.errors.Error("nats: 'x' is odd"), "'x' is odd", False, False),
        (nats.errors.UnexpectedEOF(), "closed the connection", False, False),
        (
            nats.errors.Error('nats: permissions violation for publish to "account"'),
            "",
            False,
            False,
        ),
    ],
)
def test_causes(error: Exception, text: str, lasting: bool, refused: bool) -> None:
    """
    What an attempt raised is said in words, and whether trying again may help.
    """
    cause = explain(error)

    assert text in cause.text
    assert (lasting, refused) == (cause.lasting, cause.refused)


def test_connections_that_do_not_last() -> None:
    """
    Each that ends soon makes the next wait longer, up to 5 s; one that lasted ends that.
    """
    relapses = Relapses()
    relapses.stands(100.0)
    short = [relapses.delay(101.0) for _ in range(10)]
    assert 0.0 < short[0] <= 0.1
    assert 2.5 <= short[-1] <= 5.0

    relapses.stands(200.0)
    assert 0.0 == relapses.delay(210.0)


def test_delays() -> None:
    """
    Delays grow to a second, to five while we are refused, and are never equal for all.
    """
    assert all(0 < reconnect_delay(0) <= 0.05 for _ in range(50))
    assert all(0.5 <= reconnect_delay(round_) <= 1.0 for round_ in range(5, 5000))
    assert all(2.5 <= reconnect_delay(round_, refused=True) <= 5.0 for round_ in range(7, 5000))
    assert len({reconnect_delay(10) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ('nats: permissions violation for publish to "evt.a"', "publish to evt.a"),
        ('Permissions Violation for Subscription to "_INBOX.x.*"', "subscribe to _INBOX.x.*"),
        ("nats: slow consumer", None),
        ("", None),
    ],
)
def test_denials(text: str, operation: str | None) -> None:
    """
    The denied operation is read from the server's text.
    """
    denied = denial_in(text)
    assert operation == (denied and denied.operation)


@pytest.mark.parametrize(
    ("denied", "whole"),
    [
        ("$JS.ACK.S.c.1.7.7.1.0", "$JS.ACK.S.c.>"),
        ("$JS.ACK.hub.ACC.S.c.1.7.7.1.0.x", "$JS.ACK.hub.ACC.S.c.>"),
        ("retry.wait.shop.place.EVENTS.1.7", "retry.wait.shop.place.>"),
        ("retry.due.shop.place", "retry.due.shop.place"),
        ("dlq.order.placed.v1", "dlq.>"),
        ("$KV.GLAM_LEDGER.shop.place.x", "$KV.GLAM_LEDGER.>"),
        ("$JS.hub.API.$KV.GLAM_LEDGER.x", "$JS.hub.API.$KV.GLAM_LEDGER.>"),
        ("$JS.API.STREAM.INFO.S", "$JS.API.STREAM.INFO.S"),
        ("evt.order.placed.v1", "evt.order.placed.v1"),
    ],
)
def test_what_is_to_be_allowed(denied: str, whole: str) -> None:
    """
    Of subjects that each event has anew, the permission that covers them all is named.
    """
    assert f"publish to {whole}" == needed(PermissionDenied(f"publish to {denied}")).operation


def test_a_denial_is_said_once_a_minute() -> None:
    """
    A denial is said again after a minute; of too many in that time, some are not said.
    """
    said = Said()
    first, others = PermissionDenied("publish to a"), [str(n) for n in range(1000)]

    assert [True, False] == [said.is_new(first, 0.0), said.is_new(first, 59.0)]
    assert 49 == sum(said.is_new(PermissionDenied(f"publish to {n}"), 59.5) for n in others)
    assert [True, False] == [said.is_new(first, 60.0), said.is_new(first, 60.0)]
    assert said.is_new(PermissionDenied("publish to b"), 119.5)


def test_versions() -> None:
    """
    Versions are compared by their numbers.
    """
    ordered = ["2.9.25", "2.12.0", "2.12.0-RC.1", "2.12.10+build.5", "3.0.0-dev"]
    keys = [version_key(text) for text in ordered]

    assert sorted(keys) == keys
    assert version_key("2.12.0") == version_key("2.12.0-RC.1")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("localhost", ["nats://localhost:4222"]),
        ("h:1, nats://h:1 ,tls://k", ["nats://h:1", "tls://k:4222"]),
        (["nats://u:p@h:1"], ["nats://u:p@h:1"]),
        ("nats://[::1]", ["nats://[::1]:4222"]),
        ("wss://h/path", ["wss://h/path"]),
    ],
)
def test_addresses(given: str | list[str], found: list[str]) -> None:
    """
    Addresses get scheme and port, and each is kept once.
    """
    assert tuple(found) == server_address.split_servers(given)


def test_address_parts() -> None:
    """
    User and password are taken off an address for dialling and showing.
    """
    address = "nats://us%40er:p%3Aw@h:1"
    assert "nats://h:1" == server_address.redact(address) == server_address.without_user(address)
    assert ("us@er", "p:w") == server_address.user_and_password(address)
    assert ("token", None) == server_address.user_and_password("nats://token@h:1")
    assert (None, None) == server_address.user_and_password("nats://h:1")
    loopbacks = ["nats://127.0.0.1:1", "nats://localhost:1", "nats://[::1]:1"]
    assert all(map(server_address.is_loopback, loopbacks))
    assert not server_address.is_loopback("nats://10.0.0.1:1")
    assert not server_address.is_loopback("nats://localhost.example:1")


def test_listeners() -> None:
    """
    Taking a listener off twice is harmless, also while it is being told.
    """
    listeners: Listeners[int] = Listeners()
    told: list[int] = []

    def once(number: int) -> None:
        told.append(number)
        remove()

    remove = listeners.add(once)
    listeners.add(told.append)
    listeners.tell(1)
    listeners.tell(2)
    remove()

    assert [1, 1, 2] == told


# --- what goes over the wire ---


@pytest.mark.parametrize("subject", ["a", "evt.a.b", "$JS.API.STREAM.INFO.S", "evt.ü", "a*b.c>d"])
def test_subjects(subject: str) -> None:
    """
    A subject of tokens is sent as it is.
    """
    assert subject.encode() == subject_bytes(subject)


@pytest.mark.parametrize(
    "subject", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\nPING", "a\x00", "*", "a.*", "a.>"]
)
def test_no_subjects(subject: str) -> None:
    """
    Nothing that could end the line, and no wildcard, is published to.
    """
    with pytest.raises(NotSendable):
        subject_bytes(subject)
    with pytest.raises(NotSendable, match="more than"):
        subject_bytes("a" * 4000)


def test_header_block() -> None:
    """
    Header values cannot end their line; what UTF-8 cannot carry is escaped.
    """
    block = header_block({"A": "1\r\nNats-TTL: 1s", "B": " ü ", "C": "\ud800", "D": ""})

    assert "NATS/1.0\r\nA: 1  Nats-TTL: 1s\r\nB: ü\r\nC: \\ud800\r\nD: \r\n\r\n".encode() == block
    for name in ("", "a b", "a:", "a\r\n", "ü"):
        with pytest.raises(NotSendable):
            header_block({name: "x"})


def test_publish_command() -> None:
    """
    The sizes of headers and body are those of the bytes that follow.
    """
    assert b"PUB s r 2\r\nhi\r\n" == publish_command(b"s", b"r", b"", b"hi")
    assert b"HPUB s r 4 6\r\nHHHHhi\r\n" == publish_command(b"s", b"r", b"HHHH", b"hi")
