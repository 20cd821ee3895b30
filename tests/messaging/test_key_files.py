"""Credentials files and nkey seeds that are wrong: each is told with its file and what to do."""

from __future__ import annotations

from pathlib import Path

import nkeys
import pytest

from glam_shared.messaging.key_files import CredentialsUnreadable, read_credentials, read_key

SEED = bytes(nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)).decode()
ACCOUNT = bytes(nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_ACCOUNT)).decode()
CREDENTIALS = (
    "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n"
    f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty; write the seed"),
        (f"# ours\n{SEED}\n".encode(), "holds something else than a seed; leave one line"),
        (CREDENTIALS.encode(), "is a credentials file; name it as such"),
        (b"\xff\xfe\x00", "is not a text file"),
        (ACCOUNT.encode(), "is not a user's; give one that begins with SU"),
        (SEED[:30].encode(), "is not valid: it was mistyped or cut off"),
    ],
)
def test_a_wrong_seed_file_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    """
    By its path, with what is wrong and what to do; never with the seed.
    """
    file = tmp_path / "seed"
    file.write_bytes(content)

    with pytest.raises(CredentialsUnreadable) as raised:
        read_key(str(file))

    assert str(file) in str(raised.value)
    assert found in str(raised.value)
    assert SEED[:20] not in str(raised.value)


def test_a_seed_file_that_is_gone_is_named(tmp_path: Path) -> None:
    """
    A path is shown; what is none may be a seed with a typing error, and is not.
    """
    with pytest.raises(CredentialsUnreadable, match=r"seed file .*absent' cannot be read: No such"):
        read_key(tmp_path / "absent")
    with pytest.raises(CredentialsUnreadable, match="neither a seed") as raised:
        read_key(SEED.lower())
    assert SEED.lower() not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is not a complete NATS credentials file: it has no user JWT"),
        (CREDENTIALS.partition("\n\n")[0].encode(), "it has no nkey seed"),
        (b"\xff\xfe\x00", "is not a text file"),
        (CREDENTIALS.replace(SEED, ACCOUNT).encode(), "has a seed that is not a user's"),
    ],
)
def test_a_wrong_credentials_file_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    """
    By its path, with what is wrong and what to do.
    """
    file = tmp_path / "user.creds"
    file.write_bytes(content)

    with pytest.raises(CredentialsUnreadable) as raised:
        read_credentials(file)

    assert f"the credentials file {str(file)!r} " in str(raised.value)
    assert found in str(raised.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_files_of_other_systems_are_read(mark: bytes, tmp_path: Path) -> None:
    """
    With the mark that some editors put in front, and lines that end as on Windows.
    """
    credentials, seed = tmp_path / "user.creds", tmp_path / "seed"
    credentials.write_bytes(mark + CREDENTIALS.replace("\n", "\r\n").encode())
    seed.write_bytes(mark + f"{SEED}\r\n".encode())

    assert "a.b.c" == read_credentials(credentials).jwt
    wanted = nkeys.from_seed(bytearray(SEED.encode())).public_key
    for key in (read_credentials(credentials).key, read_key(seed), read_key(SEED)):
        assert key.public_key == wanted
