"""Names of message headers, and how their values are kept harmless.

`Glam-*` are ours, `Nats-*` the server's (ADR-4 and the ADRs of each feature); everything else
belongs to the user and travels with the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from glam_shared.messaging.timestamps import as_utc

# What a letter says about its failure.
GLAM_REASON = "Glam-Reason"
GLAM_SERVICE = "Glam-Service"
GLAM_HANDLER = "Glam-Handler"
GLAM_ATTEMPTS = "Glam-Attempts"
GLAM_ERROR = "Glam-Error"
GLAM_ERROR_MESSAGE = "Glam-Error-Message"
GLAM_TRACEBACK = "Glam-Traceback"
GLAM_FINGERPRINT = "Glam-Fingerprint"
GLAM_EVENT_ID = "Glam-Event-Id"
GLAM_CORRELATION_ID = "Glam-Correlation-Id"
GLAM_FAILED_AT = "Glam-Failed-At"
GLAM_FORMAT = "Glam-Format"

# The origin: the carrier in which the event was first published.
GLAM_SUBJECT = "Glam-Subject"
GLAM_STREAM = "Glam-Stream"
GLAM_STREAM_CREATED = "Glam-Stream-Created"
GLAM_SEQUENCE = "Glam-Sequence"
GLAM_STORED_AT = "Glam-Stored-At"

# What parked and replayed messages carry beside.
GLAM_FIRST_FAILED_AT = "Glam-First-Failed-At"
GLAM_REPLAY_ID = "Glam-Replay-Id"
GLAM_REPLAYS = "Glam-Replays"

# A letter whose body stayed in the origin's stream.
GLAM_BODY_SHA256 = "Glam-Body-Sha256"
GLAM_BODY_KEPT_UNTIL = "Glam-Body-Kept-Until"

NATS_MSG_ID = "Nats-Msg-Id"
NATS_MSG_SIZE = "Nats-Msg-Size"
NATS_EXPECTED_STREAM = "Nats-Expected-Stream"
NATS_EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Sequence"
NATS_EXPECTED_LAST_SUBJECT_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
NATS_ROLLUP = "Nats-Rollup"
NATS_TTL = "Nats-TTL"
NATS_SCHEDULE = "Nats-Schedule"
NATS_SCHEDULE_TARGET = "Nats-Schedule-Target"
NATS_SCHEDULER = "Nats-Scheduler"
NATS_SCHEDULE_NEXT = "Nats-Schedule-Next"

_RESERVED = ("nats-", "glam-")
_SECRET = "authorization"  # noqa: S105 - a header's name
_NOT_A_TOKEN = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CLIENT_NEWLINES = str.maketrans("\r\n", "  ")
_FIRST_LINE_AND_END = len("NATS/1.0\r\n") + len("\r\n")
_PER_HEADER = len(": ") + len("\r\n")


def user_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The user's own of *headers*, fit to be published again.

    `Nats-*`, `Glam-*` and `Authorization` are left out, whatever their case. A name the client
    would refuse gets `_` for each character that is no part of a token.
    """
    if not headers:
        return {}
    kept = {_token(name): _encodable(value) for name, value in headers.items() if _is_users(name)}
    kept.pop("", None)
    return kept


def _is_users(name: str) -> bool:
    lowered = name.strip().lower()
    return not lowered.startswith(_RESERVED) and lowered != _SECRET


def _token(name: str) -> str:
    return _NOT_A_TOKEN.sub("_", name.strip())


def _encodable(value: str) -> str:
    """As the client writes it, so that no value ends its line or fails to encode."""
    written = value.strip()
    if written.isascii() and written.isprintable():
        return written
    return written.translate(_CLIENT_NEWLINES).encode("utf-8", "backslashreplace").decode()


def encoded_size(headers: Mapping[str, str] | None) -> int:
    """Bytes that *headers* add to a message as nats-py writes them; they count for max_payload.

    None adds nothing, an empty mapping the 12 bytes of an empty block (ADR-4).
    """
    if headers is None:
        return 0
    return _FIRST_LINE_AND_END + sum(map(_line_size, headers, headers.values()))


def _line_size(name: str, value: str) -> int:
    name = name.strip()
    if not name:
        return 0
    return len(name) + _PER_HEADER + len(_encodable(value).encode())


def one_line(text: str, limit_bytes: int, *, keep: Literal["start", "end"] = "start") -> str:
    r"""*text* as a header value of at most *limit_bytes* bytes of UTF-8.

    Line ends and other control characters become visible escapes such as `\n`. What is too long is
    cut between characters; *keep* says which end stays (of a traceback, the end tells most).
    """
    window = text[:limit_bytes] if keep == "start" else text[max(0, len(text) - limit_bytes) :]
    escaped = _CONTROL.sub(_escape, window.strip()).encode("utf-8", "backslashreplace")
    cut = (
        escaped[:limit_bytes] if keep == "start" else escaped[max(0, len(escaped) - limit_bytes) :]
    )
    return cut.decode("utf-8", "ignore").strip()


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return _SHORT_ESCAPES.get(character) or character.encode("unicode_escape").decode()


def many_lines(value: str) -> str:
    """What `one_line` made of several lines, for people to read."""
    return value.replace("\\r", "").replace("\\n", "\n").replace("\\t", "\t")


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as every moment in a header is written."""
    return as_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(value: str | None) -> datetime | None:
    """The moment a header names; None when it is missing or says something else."""
    try:
        return as_utc(datetime.fromisoformat(value)) if value else None
    except ValueError:
        return None


def read_count(value: str | None) -> int | None:
    """The number a header names; None when it is missing, negative or says something else."""
    plain = value is not None and value.isascii() and value.isdigit() and len(value) <= 20
    return int(value) if plain and value else None
