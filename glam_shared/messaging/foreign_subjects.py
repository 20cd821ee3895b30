"""Subjects that only foreign publishers use: what a header and a letter make of them.

A server takes control characters, wildcards as tokens, and subjects almost as long as its control
line; our publisher does not. What is not UTF-8 in a subject is U+FFFD here from the beginning.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, unquote

from glam_shared.messaging.wire import LONGEST_SUBJECT

__all__ = ["publishable", "read_subject", "subject_text"]

_LOOKS_ENCODED = re.compile("%(?=[0-9A-Fa-f]{2})")
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")
_HASH = 16


def subject_text(subject: str) -> str:
    """*subject* as the value of a header, which `read_subject` undoes.

    Characters that are not printable are percent-encoded; so is a `%` that would be taken for it.
    """
    return _encoded(_LOOKS_ENCODED.sub("%25", subject))


def read_subject(text: str) -> str:
    """The subject that a header of ours names."""
    return _ENCODED.sub(lambda found: unquote(found.group(), errors="replace"), text)


def publishable(subject: str) -> str:
    """*subject* as one that can be published to; the usual ones are returned as they are.

    The rest is percent-encoded; what is too long is cut, and ends with a hash of the whole.
    """
    written = ".".join(map(_token, subject.split(".")))
    if len(written.encode()) <= LONGEST_SUBJECT:
        return written
    digest = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()[:_HASH]
    room = LONGEST_SUBJECT - _HASH - 1
    return f"{written.encode()[:room].decode('utf-8', 'ignore').rstrip('.')}.{digest}"


def _token(token: str) -> str:
    return f"%{ord(token):02X}" if token in {"*", ">"} else _encoded(token) or "%"


def _encoded(text: str) -> str:
    if text.isprintable() and " " not in text:
        return text
    return "".join(
        one if one.isprintable() and one != " " else quote(one, safe="", errors="replace")
        for one in text
    )
