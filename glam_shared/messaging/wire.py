"""Messages as the protocol writes them.

https://docs.nats.io/reference/reference-protocols/nats-protocol; headers: ADR-4. Written here
because `Client.publish` checks and encodes everything anew for each try, and does not count the
headers when it checks the size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from glam_shared.messaging.broker_errors import NotSendable

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_TOKEN = re.compile(r"[\s\x00-\x1f\x7f]|^[*>]?$")
_LINE_ENDS = str.maketrans("\r\n", "  ")
LONGEST_SUBJECT = 3800
"""Bytes. The server ends a connection over a control line of more than 4096."""


@lru_cache(maxsize=4096)
def subject_bytes(subject: str) -> bytes:
    """*subject* as it is sent. Raises NotSendable unless a message can be published to it."""
    if any(_NO_TOKEN.search(token) for token in subject.split(".")):
        raise NotSendable(
            f"{subject!r} is no subject to publish to: write tokens without spaces and wildcards."
        )
    written = subject.encode("utf-8", "backslashreplace")
    if len(written) > LONGEST_SUBJECT:
        raise NotSendable(f"The subject {subject[:80]!r}... has more than {LONGEST_SUBJECT} bytes.")
    return written


def header_block(headers: Mapping[str, str]) -> bytes:
    """*headers* as they are sent; no value can end its line. Raises NotSendable for a name."""
    lines = ["NATS/1.0"]
    for name, value in headers.items():
        if _NAME.fullmatch(name) is None:
            raise NotSendable(f"{name!r} is no name of a header: write a token.")
        text = value if value.isprintable() else value.translate(_LINE_ENDS)
        lines.append(f"{name}: {text.strip()}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("utf-8", "backslashreplace")


def read_headers(block: bytes) -> dict[str, str]:
    """The headers of a block; a status in its first line is `Status` and `Description`.

    Nothing that stands in a block raises: the server does not look at what publishers write.
    Bytes that are not UTF-8 become U+FFFD, a line that is no header is passed over, and of
    headers with one name the last counts.
    """
    first, _, rest = block.partition(b"\r\n")
    headers = _read_status(first)
    for line in rest.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.strip()
        if colon and key.isascii() and len(key.split()) == 1:
            headers[key.decode()] = value.strip().decode("utf-8", "replace")
    return headers


def _read_status(line: bytes) -> dict[str, str]:
    _, _, said = line.decode("utf-8", "replace").partition(" ")
    status, _, description = said.strip().partition(" ")
    if not status.isdigit():
        return {}
    return {"Status": status, "Description": description} if description else {"Status": status}


def publish_command(subject: bytes, reply: bytes, block: bytes, body: bytes) -> bytes:
    """PUB, or HPUB with the header *block*."""
    if not block:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(body), body)
    size = len(block)
    return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject, reply, size, size + len(body), block, body)
