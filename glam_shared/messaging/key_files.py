"""The files that hold who we are: credentials files and nkey seeds, and what is wrong with one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats.errors

from glam_shared.errors import ConfigurationError

_JWT = re.compile(r"BEGIN NATS USER JWT-+\s+(\S+)")
_SEED = re.compile(r"BEGIN USER NKEY SEED-+\s+(\S+)")
_IS_SEED = re.compile(r"S[A-Z2-7]{20,}")
_OF_A_USER = "SU"


class CredentialsUnreadable(nats.errors.Error):
    """A secret could not be read. Of nats-py's tree, so that its reconnect goes on."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a ``.creds`` file holds."""

    jwt: str = field(repr=False)
    key: Any = field(repr=False)
    """The key pair of its seed."""


def read_credentials(path: str | Path) -> Credentials:
    """Raises CredentialsUnreadable that names the file, what is wrong and what to do."""
    shown = f"the credentials file {str(path)!r}"
    text = _text(path, shown)
    jwt, seed = _JWT.search(text), _SEED.search(text)
    if jwt is None or seed is None:
        missing = "user JWT" if jwt is None else "nkey seed"
        raise CredentialsUnreadable(
            f"{shown} is not a complete NATS credentials file: it has no {missing}; "
            "get it anew from whoever issues them"
        )
    return Credentials(jwt[1], _key_pair(seed[1], f"{shown} has a seed that"))


def read_key(seed: str | Path) -> Any:
    """The key pair of *seed*, which is the seed's text or the path of a file with it.

    Raises CredentialsUnreadable like `read_credentials`; it shows no text that is no path.
    """
    if isinstance(seed, str) and is_seed(seed):
        return _key_pair(seed.strip(), "the nkey seed")
    if isinstance(seed, str) and "/" not in seed and not Path(seed).is_file():
        raise CredentialsUnreadable(
            "the nkey seed is neither a seed (SU...) nor the path of a file that can be read"
        )
    shown = f"the nkey seed file {str(seed)!r}"
    text = _text(seed, shown).strip()
    if not _IS_SEED.fullmatch(text):
        raise CredentialsUnreadable(f"{shown} {_instead_of_a_seed(text)}")
    return _key_pair(text, f"{shown} has a seed that")


def is_seed(text: str) -> bool:
    """Whether *text* looks like a seed itself, not like the path of a file with one."""
    return _IS_SEED.fullmatch(text.strip()) is not None


def _instead_of_a_seed(text: str) -> str:
    if not text:
        return "is empty; write the seed (SU...) into it"
    if "BEGIN USER NKEY SEED" in text or "BEGIN NATS USER JWT" in text:
        return "is a credentials file; name it as such (GLAM_NATS_CREDENTIALS)"
    return "holds something else than a seed; leave one line in it, the seed (SU...)"


def _text(path: str | Path, shown: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CredentialsUnreadable(
            f"{shown} is not a text file; get it anew from whoever issues it"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        why = getattr(error, "strerror", None) or error
        raise CredentialsUnreadable(
            f"{shown} cannot be read: {why}; correct the path or its permissions"
        ) from error


def _key_pair(seed: str, shown: str) -> Any:
    try:
        import nkeys  # noqa: PLC0415 - only for those who sign
    except ImportError as error:
        raise ConfigurationError(
            "Credentials files and nkeys need the package nkeys: pip install nats-py[nkeys]."
        ) from error
    if _IS_SEED.fullmatch(seed) and not seed.startswith(_OF_A_USER):
        raise CredentialsUnreadable(f"{shown} is not a user's; give one that begins with SU")
    try:
        return nkeys.from_seed(bytearray(seed.encode()))
    except Exception:  # noqa: BLE001 - whatever it was, its text may hold a part of the seed
        raise CredentialsUnreadable(
            f"{shown} is not valid: it was mistyped or cut off; copy it anew"
        ) from None
