"""Why a server could not be reached, in words that say what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass

import nats.errors

from glam_shared.errors import ConfigurationError
from glam_shared.messaging.credentials import PlainConnection
from glam_shared.messaging.key_files import CredentialsUnreadable

_REFUSALS = ("authorization", "authentication", "revoked", "credentials", "account")
_NO_REFUSALS = ("permissions", "exceeded", "authentication timeout")
"""Of the same words, but about something else: it may be over at the next attempt."""
_LIMITS = {
    "maximum connections exceeded": "it takes no more connections; raise its max_connections",
    "maximum account active connections exceeded": (
        "the account may have no more connections; raise its limit, or end others"
    ),
    "maximum subscriptions exceeded": (
        "this user may have no more subscriptions; raise the limit of user or account"
    ),
}
"""What the server answers when there is too much of something, and what that means."""
_BROKE = "the server closed the connection"
_REFUSED_BY_ALL = f"[Errno {errno.ECONNREFUSED}]"
"""Said of a name with several addresses, whose errors asyncio lumps together."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One failed attempt."""

    text: str
    lasting: bool = False
    """Trying again without changing anything will not help."""
    refused: bool = False
    """The server does not accept who we are."""
    vague: bool = False
    """It only says that the connection broke: what was heard before says more."""


def explain(error: BaseException) -> Cause:
    """The cause behind *error*, which an attempt to connect raised."""
    if isinstance(error, OSError):
        return _explain_system(error)
    match error:
        case CredentialsUnreadable() | ConfigurationError():
            return Cause(str(error), lasting=True)
        case PlainConnection():
            return Cause("TLS was asked for and the server does not offer it", lasting=True)
        case nats.errors.UnexpectedEOF():
            return Cause(_BROKE, vague=True)
    return _explain_answer(str(error))


def _explain_system(error: OSError) -> Cause:
    match error:
        case ssl.SSLCertVerificationError():
            why = f"TLS: the server's certificate is not trusted: {error.verify_message}"
            return Cause(why, lasting=True)
        case ssl.SSLError():
            return Cause(f"TLS: {_refused_certificate(error)}", lasting=True)
        case socket.gaierror():
            return Cause(f"DNS: the host name cannot be resolved ({error.strerror})")
        case FileNotFoundError() | PermissionError():
            return Cause(f"{error.filename}: {error.strerror}", lasting=True)
        case TimeoutError():
            return Cause("no answer in time")
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return Cause(_BROKE, vague=True)
    if isinstance(error, ConnectionRefusedError) or _REFUSED_BY_ALL in str(error):
        return Cause("connection refused: no server listens there")
    return Cause(error.strerror or str(error) or type(error).__name__)


def _refused_certificate(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"the server does not accept our certificate: {reason}; give it one that it does"
    return reason


def is_refusal(text: str) -> bool:
    """Whether the server's words say that it does not accept who we are."""
    lowered = text.lower()
    said = any(word in lowered for word in _REFUSALS)
    return said and not any(word in lowered for word in _NO_REFUSALS)


def _explain_answer(answer: str) -> Cause:
    words = _unquoted(answer.removeprefix("nats: ").strip())
    limit = _LIMITS.get(words.lower())
    if limit is not None:
        return Cause(f"the server answered {words!r}: {limit}")
    if is_refusal(words):
        why = f"wrong or missing user, password, token or key: the server answered {words!r}"
        return Cause(why, lasting=True, refused=True)
    if "expecting INFO" in answer or "json parse" in answer:
        return Cause(
            "what answers there is not a NATS server, or closed the connection", vague=True
        )
    return Cause(words)


def _unquoted(words: str) -> str:
    quoted = len(words) > 1 and words[0] == words[-1] and words[0] in "'\""
    return words[1:-1] if quoted else words
