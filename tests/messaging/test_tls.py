"""TLS: verified, mutual, and with certificates that change."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ConnectionFailed
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.waiting import Connect, until, until_epoch

StartServer = Callable[..., EmbeddedServer]

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="makes certificates with openssl (package openssl)"
)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and its key."""

    cert: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, name: str) -> Certificate:
        """A new one under *folder*, over the old one of that name."""
        made = cls(folder / f"{name}.pem", folder / f"{name}.key")
        # fmt: off
        subprocess.run(
            [
                "openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", made.key, "-out", made.cert,
            ],
            check=True,
            capture_output=True,
        )
        # fmt: on
        return made

    def encrypted_key(self) -> bytes:
        """The key as a PEM that a pass phrase opens."""
        command = ["openssl", "pkey", "-aes128", "-passout", "pass:word", "-in", str(self.key)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def options(self, **more: object) -> dict[str, object]:
        """The block `tls` of nats-server's configuration."""
        return {"cert_file": str(self.cert), "key_file": str(self.key), **more}


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate.made(tmp_path, "server")


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_trusted(
    start_server: StartServer, connect: Connect, certificate: Certificate, scheme: str
) -> None:
    """
    With the CA's file, a server with TLS is verified and used, whatever the address's scheme.
    """
    server = start_server(tls=certificate.options())
    client = await connect(f"{scheme}://127.0.0.1:{server.port}", tls_ca=certificate.cert)

    await client.ensure_stream("S", ["s"])
    assert 1 == (await client.publish_acked("s", bytes(100_000), {}, msg_id="1")).seq


async def test_not_trusted(
    start_server: StartServer, certificate: Certificate, tmp_path: Path
) -> None:
    """
    A certificate that no CA of ours signed ends `connect` at once and is named as the cause.
    """
    server = start_server(tls=certificate.options())
    other = Certificate.made(tmp_path, "other")
    for options in ({}, {"tls_ca": other.cert}):
        with pytest.raises(ConnectionFailed, match="certificate is not trusted"):
            await JetStreamClient().connect(server.url, timeout=20.0, **options)  # type: ignore[arg-type]


async def test_missing_ca_file(tmp_path: Path) -> None:
    """
    A CA file that is not there ends `connect` at once.
    """
    with pytest.raises(ConnectionFailed, match=r"authority .*none\.pem' cannot be read: No such"):
        await JetStreamClient().connect("tls://127.0.0.1:1", tls_ca=tmp_path / "none.pem")


async def test_encrypted_key(
    certificate: Certificate, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Nobody is asked for a pass phrase: such a key ends `connect` at once and is named.
    """
    locked = tmp_path / "locked.key"
    locked.write_bytes(certificate.encrypted_key())

    with pytest.raises(ConnectionFailed, match=r"locked\.key' .* is encrypted") as raised:
        await JetStreamClient().connect(
            "nats://127.0.0.1:1", tls_cert=certificate.cert, tls_key=locked
        )

    assert "openssl pkey" in str(raised.value)
    assert "pass phrase" not in "".join(capfd.readouterr())


async def test_key_of_another_certificate(certificate: Certificate, tmp_path: Path) -> None:
    """
    A key that does not belong to the certificate is told with both files.
    """
    other = Certificate.made(tmp_path, "other")
    with pytest.raises(ConnectionFailed, match=r"server\.pem' and its key .*other\.key'"):
        await JetStreamClient().connect(
            "nats://127.0.0.1:1", tls_cert=certificate.cert, tls_key=other.key
        )


async def test_ca_file_that_goes_away(
    start_server: StartServer,
    connect: Connect,
    certificate: Certificate,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    While running it is named, and the authority that was read before stays in use.
    """
    server = start_server(tls=certificate.options())
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate.cert.read_bytes())
    client = await connect(server.url, tls_ca=ca)

    ca.unlink()
    server.stop()
    server.start()
    await until_epoch(client, 2)

    assert 1 == caplog.text.count(f"authority {str(ca)!r} cannot be read: No such file")


async def test_mutual(
    start_server: StartServer, connect: Connect, certificate: Certificate, tmp_path: Path
) -> None:
    """
    A server that verifies its clients takes ours with our certificate, and only with it.
    """
    ours = Certificate.made(tmp_path, "ours")
    server = start_server(tls=certificate.options(verify=True, ca_file=str(ours.cert)))
    client = await connect(
        server.url, tls_ca=certificate.cert, tls_cert=ours.cert, tls_key=ours.key
    )
    assert await client.api("STREAM.NAMES")

    with pytest.raises(ConnectionFailed, match="does not accept our certificate"):
        await JetStreamClient().connect(server.url, tls_ca=certificate.cert, timeout=10.0)


async def test_rotated_certificate(
    start_server: StartServer, connect: Connect, certificate: Certificate, tmp_path: Path
) -> None:
    """
    When the server's certificate and the CA's file change, the reconnect reads the file anew.
    """
    server = start_server(tls=certificate.options())
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate.cert.read_bytes())
    client = await connect(server.url, tls_ca=ca)

    server.stop()
    renewed = Certificate.made(tmp_path, "server")
    server.start()
    await until(lambda: "not trusted" in str(client.problem))
    ca.write_bytes(renewed.cert.read_bytes())

    await until_epoch(client, 2)
    assert await client.api("STREAM.NAMES")


async def test_server_that_gave_up_tls(
    start_server: StartServer, connect: Connect, certificate: Certificate
) -> None:
    """
    A server that comes back without TLS is not used, even when no password is at stake.
    """
    server = start_server(tls=certificate.options())
    client = await connect(server.url, tls_ca=certificate.cert)

    server.stop()
    tls = server._config.pop("tls")
    server.start()
    await until(lambda: "the server does not offer it" in str(client.problem))
    assert not client.is_connected()
    assert 1 == client.epoch

    server.stop()
    server._config["tls"] = tls
    server.start()
    await until_epoch(client, 2)


async def test_closing(
    start_server: StartServer, connect: Connect, certificate: Certificate
) -> None:
    """
    A connection with TLS is closed, and reconnected, like any other.
    """
    client = await connect(start_server(tls=certificate.options()).url, tls_ca=certificate.cert)
    await client.client.force_reconnect()
    await until_epoch(client, 2)

    await client.close()

    assert not client.is_connected()
