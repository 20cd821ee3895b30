"""Subject filters: which are allowed, and what they match.

Tokens are separated by dots; ``*`` matches one token, ``>`` the rest
(https://docs.nats.io/nats-concepts/subjects).
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[^\s.*>\x00-\x20\x7f]+")
_OURS = ("dlq.>", "retry.>")


def check_filter(subject: str) -> str | None:
    """What is wrong with ``subject`` as a handler's filter, and what to do; None if it is fine."""
    tokens = subject.split(".")
    for position, part in enumerate(tokens):
        if part == ">" and position != len(tokens) - 1:
            return f"subject {subject!r} has '>' before its end; '>' stands last only"
        if part not in ("*", ">") and not _TOKEN.fullmatch(part):
            return (
                f"subject {subject!r} has the token {part!r}; tokens are not empty, hold no "
                "white space, and a wildcard is a token of its own"
            )
    for ours in _OURS:
        if overlaps(subject, ours):
            return (
                f"subject {subject!r} could match {ours!r}, which the runtime keeps for itself; "
                "begin with a token such as 'evt'"
            )
    if len(tokens) < 2:
        return f"subject {subject!r} has one token only; name the event, such as 'evt.order.placed'"
    return None


def overlaps(one: str, other: str) -> bool:
    """Whether some subject is matched by both filters."""
    return _overlap(one.split("."), other.split("."))


def _overlap(one: list[str], other: list[str]) -> bool:
    for mine, theirs in zip(one, other, strict=False):
        if mine == ">" or theirs == ">":
            return True
        if mine != theirs and "*" not in (mine, theirs):
            return False
    return len(one) == len(other)


def matches(subject_filter: str, subject: str) -> bool:
    """Whether the concrete ``subject`` is one of the filter's."""
    return subject_filter == subject or covers(subject_filter, subject)


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject that ``narrow`` matches is matched by ``wide`` too."""
    ours, theirs = wide.split("."), narrow.split(".")
    for position, part in enumerate(ours):
        if part == ">":
            return len(theirs) > position
        if position >= len(theirs) or theirs[position] == ">":
            return False
        if part not in ("*", theirs[position]):
            return False
    return len(ours) == len(theirs)


def is_wildcard(subject: str) -> bool:
    """Whether the filter can match more than one subject."""
    return any(token in ("*", ">") for token in subject.split("."))
