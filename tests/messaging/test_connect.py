"""Connecting: bounded, with the cause and the servers named, secrets never shown."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import nkeys
import pytest
from nats.aio.client import Client

from glam_shared.errors import ConfigurationError
from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ConnectionFailed, ConnectionLost, ServerTooOld
from glam_shared.messaging.dialer import Dialer
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.fake_server import FakeServer
from tests.messaging.waiting import Connect, until, until_epoch

StartServer = Callable[..., EmbeddedServer]

ANNA = {"authorization": {"users": [{"user": "anna", "password": "right"}]}}


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def failure(servers: str, **options: object) -> ConnectionFailed:
    """What `connect` raises, within its time."""
    began = time.monotonic()
    timeout = float(str(options.setdefault("timeout", 1.0)))
    with pytest.raises(ConnectionFailed) as raised:
        await JetStreamClient().connect(servers, **options)  # type: ignore[arg-type]
    assert time.monotonic() - began < timeout + 10.0
    return raised.value


async def test_connected(server: EmbeddedServer, connect: Connect) -> None:
    """
    After `connect`, the first epoch stands and the server is known.
    """
    client = await connect(server.url, min_server_version="2.12.0", name="shop")

    assert client.is_connected()
    assert (1, 0, None) == (client.epoch, client.reconnects, client.problem)
    assert client.server_version.startswith("2.")
    assert 1 << 20 == client.max_payload


async def test_before_and_after(server: EmbeddedServer) -> None:
    """
    Without a connection there is no client, and the problem says so; closing twice is harmless.
    """
    client = JetStreamClient()
    assert "not connected" in str(client.problem)
    with pytest.raises(ConnectionLost, match="call `connect` first"):
        _ = client.client

    await client.connect(server.url)
    with pytest.raises(ConfigurationError, match="connected already"):
        await client.connect(server.url)
    await client.close()
    await client.close()

    assert not client.is_connected()
    assert "closed" == client.problem
    assert not await client.wait_connected(0.01)


async def test_closed_in_order(server: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    """
    What was asked for is no trouble: nothing is warned of.
    """
    client = JetStreamClient()
    await client.connect(server.url)
    await client.close()

    assert [one for one in caplog.records if one.levelname == "WARNING"] == []
    assert "closed" == client.problem


async def test_closed_while_connecting(server: EmbeddedServer) -> None:
    """
    `close` while `connect` is under way leaves no connection behind; who waited learns of it.
    """
    client = JetStreamClient()
    connecting = asyncio.create_task(client.connect(server.url))
    waiting = asyncio.create_task(client.wait_connected(None))
    await asyncio.sleep(0)
    await client.close()

    with pytest.raises(ConnectionLost, match="closed while it was made"):
        await connecting
    assert not await asyncio.wait_for(waiting, 5)
    assert not client.is_connected()


async def test_connected_again_after_close(server: EmbeddedServer, connect: Connect) -> None:
    """
    A closed client can connect again: a new epoch, and no reconnect is counted.
    """
    client = await connect(server.url)
    await client.close()
    await client.connect(server.url)

    assert (2, 0) == (client.epoch, client.reconnects)
    assert await client.api("STREAM.NAMES")


async def test_refused() -> None:
    """
    A port without a server is tried until the time is over, and named.
    """
    port = free_port()
    error = await failure(f"nats://127.0.0.1:{port}", timeout=0.5)

    assert f"nats://127.0.0.1:{port}: connection refused" in str(error)
    assert "within 0.5 s" in str(error)


async def test_server_that_comes_later(tmp_path: Path, connect: Connect) -> None:
    """
    A server that starts while `connect` waits is found.
    """
    server = EmbeddedServer(tmp_path, port=free_port())
    connecting = asyncio.ensure_future(connect(f"nats://127.0.0.1:{server.port}", timeout=20.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    try:
        client = await connecting
        assert client.is_connected()
    finally:
        server.stop()


async def test_any_server_will_do(server: EmbeddedServer, connect: Connect) -> None:
    """
    Of several servers, one that answers is enough; the list may be a text.
    """
    client = await connect(f"nats://127.0.0.1:{free_port()}, {server.url}")

    assert client.is_connected()


async def test_dns() -> None:
    """
    A host name that does not exist is said to be the cause.
    """
    error = await failure("nats://no-such-host.invalid:4222", timeout=2.5)

    assert "DNS: the host name cannot be resolved" in str(error) or "no answer" in str(error)
    assert "no-such-host.invalid" in str(error)


async def test_silent_server() -> None:
    """
    Something that accepts connections and says nothing is not waited for longer than asked.
    """
    kept: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
    async with silent:
        error = await failure(f"127.0.0.1:{silent.sockets[0].getsockname()[1]}", timeout=0.5)
        for writer in kept:
            writer.transport.abort()

    assert "no answer in time" in str(error)


@pytest.mark.parametrize("end", ["timeout", "cancel"])
async def test_attempt_that_swallows_a_cancellation(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """
    When an attempt fails in the very moment in which it is cancelled, the cancellation is not
    lost: neither the time limit nor a caller that gives up.
    """
    attempts = 0

    async def fail_when_cancelled(_dialer: Dialer, _address: str) -> Client:
        nonlocal attempts
        attempts += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionResetError from None
        raise AssertionError

    monkeypatch.setattr(Dialer, "one", fail_when_cancelled)
    timeout = 0.1 if end == "timeout" else 60.0
    connecting = asyncio.create_task(JetStreamClient().connect("nats://h", timeout=timeout))
    await until(lambda: attempts)
    if end == "cancel":
        connecting.cancel()
    await asyncio.wait([connecting], timeout=10)

    with pytest.raises(ConnectionFailed if end == "timeout" else asyncio.CancelledError):
        connecting.result()
    assert 1 == attempts


async def test_not_a_nats_server() -> None:
    """
    A server of another protocol is said to be none of NATS.
    """

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")

    mail = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with mail:
        error = await failure(f"127.0.0.1:{mail.sockets[0].getsockname()[1]}", timeout=0.5)

    assert "not a NATS server" in str(error)


@pytest.mark.parametrize(
    "wrong", [{"user": "anna", "password": "guessed"}, {"token": "guessed"}, {}]
)
async def test_wrong_password(start_server: StartServer, wrong: dict[str, str]) -> None:
    """
    Refused credentials end `connect` at once, and no secret is in the error.
    """
    url = start_server(**ANNA).url
    began = time.monotonic()
    error = await failure(url, timeout=20.0, **wrong)

    assert time.monotonic() - began < 5.0
    assert "wrong or missing user, password" in str(error)
    assert "guessed" not in str(error)


async def test_address_with_password(start_server: StartServer, connect: Connect) -> None:
    """
    User and password may stand in the address, percent-encoded; errors show it without them.
    """
    users = [{"user": "anna", "password": "p@ss/1"}]
    port = start_server(authorization={"users": users}).port

    assert (await connect(f"nats://anna:p%40ss%2F1@127.0.0.1:{port}")).is_connected()

    error = await failure(f"nats://anna:hidden@127.0.0.1:{port}")
    assert (f"nats://127.0.0.1:{port}",) == error.servers
    assert "hidden" not in str(error)
    assert "anna" not in str(error)


@pytest.mark.parametrize("half", ["user", "password"])
async def test_half_of_user_and_password(half: str) -> None:
    """
    One without the other is an error, not a connection as nobody.
    """
    with pytest.raises(ConfigurationError, match="give both, or neither"):
        await JetStreamClient().connect("nats://127.0.0.1:1", **{half: "anna"})  # type: ignore[arg-type]


async def test_full_server(start_server: StartServer, connect: Connect) -> None:
    """
    A server that takes no more connections is tried until the time is over, and named as full.
    """
    server = start_server(max_connections=1)
    client = await connect(server.url)

    error = await failure(server.url, timeout=1.0)
    assert "within 1 s" in str(error)
    assert "'maximum connections exceeded': it takes no more connections" in str(error)

    await client.close()
    await connect(server.url)


async def test_token(start_server: StartServer, connect: Connect) -> None:
    """
    A token may be given as such or as the user of the address.
    """
    port = start_server(authorization={"token": "sesame"}).port

    assert (await connect(f"nats://127.0.0.1:{port}", token="sesame")).is_connected()
    assert (await connect(f"nats://sesame@127.0.0.1:{port}")).is_connected()


async def test_too_old() -> None:
    """
    A server below the version needed is refused at once; the error has both versions.
    """
    async with FakeServer(info={"version": "2.11.9"}) as old:
        with pytest.raises(ServerTooOld) as raised:
            await JetStreamClient().connect(old.url, min_server_version="2.12.0")

    assert ("2.11.9", "2.12.0") == (raised.value.found, raised.value.needed)
    assert "2.11.9 is too old: 2.12.0 or newer is needed" in str(raised.value)


async def test_prerelease_is_new_enough(connect: Connect) -> None:
    """
    A pre-release counts as the version it precedes, and 2.9 as older than 2.12.
    """
    async with FakeServer(info={"version": "2.12.0-RC.1"}) as server:
        assert (await connect(server.url, min_server_version="2.12.0")).is_connected()
    async with FakeServer(info={"version": "2.9.25"}) as server:
        with pytest.raises(ServerTooOld):
            await connect(server.url, min_server_version="2.12.0")


@pytest.mark.parametrize(
    "address", ["", " , ", "http://h:1", "nats://h:port", "nats://u:secret@h:99999999", "nats://"]
)
async def test_address_that_cannot_be_read(address: str) -> None:
    """
    An address of another scheme, or without host or port, is refused; secrets in it are not shown.
    """
    with pytest.raises(ConfigurationError) as raised:
        await JetStreamClient().connect(address)

    assert "secret" not in str(raised.value)
    assert "nats://host:port" in str(raised.value)


async def test_missing_credentials_file(server: EmbeddedServer, tmp_path: Path) -> None:
    """
    A credentials file that is missing or incomplete ends `connect` at once with its name.
    """
    missing = tmp_path / "missing.creds"
    async with FakeServer(info={"auth_required": True, "nonce": "n"}) as fake:
        error = await failure(fake.url, timeout=20.0, credentials=missing)
        assert str(missing) in str(error)

        missing.write_text("-----BEGIN NATS USER JWT-----\n")
        error = await failure(fake.url, timeout=20.0, credentials=missing)
        assert "not a complete NATS credentials file" in str(error)


async def test_credentials_file(tmp_path: Path) -> None:
    """
    Of a credentials file, the JWT is sent and the server's nonce is signed with the seed.
    """
    seed, _public_key = new_user_key()
    creds = tmp_path / "user.creds"
    creds.write_text(
        "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    greeting = {"auth_required": True, "nonce": "abc"}
    async with FakeServer(info=greeting) as fake, JetStreamClient() as client:
        await client.connect(fake.url, credentials=creds)

    said = fake.connects[0]
    signature = base64.b64decode(said["sig"])
    assert "a.b.c" == said["jwt"]
    assert nkeys.from_seed(bytearray(seed.encode())).verify(b"abc", signature)


@pytest.mark.parametrize("from_file", [False, True])
async def test_nkey(
    start_server: StartServer, connect: Connect, tmp_path: Path, from_file: bool
) -> None:
    """
    An nkey seed is used as given or from a file; another one is refused.
    """
    seed, public_key = new_user_key()
    url = start_server(authorization={"users": [{"nkey": public_key}]}).url
    file = tmp_path / "seed"
    file.write_text(f"{seed}\n")

    assert (await connect(url, nkey_seed=file if from_file else seed)).is_connected()
    error = await failure(url, nkey_seed=new_user_key()[0])
    assert "wrong or missing user" in str(error)


async def test_seed_file_that_goes_bad(
    start_server: StartServer, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    While running it is named once, not at every attempt, and used when it is good again.
    """
    seed, public_key = new_user_key()
    server = start_server(authorization={"users": [{"nkey": public_key}]})
    file = tmp_path / "seed"
    file.write_text(seed)
    client = await connect(server.url, nkey_seed=file)

    file.write_text("")
    server.stop()
    server.start()
    await until(lambda: f"{str(file)!r} is empty" in str(client.problem))
    attempts = client.client.server_pool[0].reconnects
    await until(lambda: client.client.server_pool[0].reconnects > attempts + 3)
    assert 1 == caplog.text.count("is empty")

    file.write_text(seed)
    await until_epoch(client, 2)


async def test_seed_file_that_is_bad_at_start(tmp_path: Path) -> None:
    """
    It ends `connect` at once.
    """
    file = tmp_path / "seed"
    file.write_text("")
    error = await failure("nats://127.0.0.1:1", timeout=600.0, nkey_seed=file)
    assert f"the nkey seed file {str(file)!r} is empty" in str(error)


async def test_tls_is_not_given_up(server: EmbeddedServer) -> None:
    """
    When TLS was asked for, a server without it gets neither a connection nor the password.
    """
    error = await failure(f"tls://127.0.0.1:{server.port}", timeout=20.0)
    assert "TLS was asked for and the server does not offer it" in str(error)

    async with FakeServer(info={"auth_required": True}) as fake:
        url = fake.url.replace("nats://", "tls://")
        await failure(url, timeout=20.0, user="anna", password="secret")
        assert not fake.connects


async def test_secret_functions_are_asked_on_every_attempt(
    start_server: StartServer, connect: Connect
) -> None:
    """
    A password that changes on both sides is used for the reconnect.
    """
    server = start_server(**ANNA)
    passwords = ["right"]
    client = await connect(server.url, user="anna", password=lambda: passwords[0])

    server.stop()
    server._config["authorization"] = {"users": [{"user": "anna", "password": "newer"}]}
    passwords[0] = "newer"
    server.start()

    await until_epoch(client, 2)
    assert await client.api("STREAM.NAMES")


async def test_refused_at_reconnect(start_server: StartServer, connect: Connect) -> None:
    """
    A user that was removed while away is named as the problem, and works again when it is back.
    """
    server = start_server(**ANNA)
    client = await connect(server.url, user="anna", password="right")

    server.stop()
    server._config["authorization"] = {"users": [{"user": "bert", "password": "x"}]}
    server.start()
    await until(lambda: "wrong or missing user" in str(client.problem))

    server.stop()
    server._config["authorization"] = ANNA["authorization"]
    server.start()
    await until_epoch(client, 2)
    assert client.problem is None


async def test_password_without_tls_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """
    A password that would leave the machine in plain text is warned about, by the server's name.
    """
    with caplog.at_level(logging.WARNING, "glam_shared.messaging"):
        await failure("nats://anna:secret@192.0.2.1:4222", timeout=0.1)
        assert "sent to nats://192.0.2.1:4222 without TLS" in caplog.text
        assert "secret" not in caplog.text

        caplog.clear()
        await failure(f"nats://anna:secret@127.0.0.1:{free_port()}", timeout=0.1)
        await failure("nats://192.0.2.1:4222", timeout=0.1)
    assert "without TLS" not in caplog.text


async def test_inbox_prefix(start_server: StartServer, connect: Connect) -> None:
    """
    Answers come to inboxes under the prefix, so that a user may be kept to it.
    """
    permissions = {"publish": ["$JS.API.>"], "subscribe": ["_INBOX_shop.>"]}
    user = {"user": "anna", "password": "right", "permissions": permissions}
    url = start_server(authorization={"users": [user]}).url
    client = await connect(url, user="anna", password="right", inbox_prefix="_INBOX_shop")

    assert await client.api("STREAM.NAMES")


def new_user_key() -> tuple[str, str]:
    """The seed and the public key of a new user."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode(), nkeys.from_seed(bytearray(seed)).public_key.decode()
