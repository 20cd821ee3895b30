"""What a status message on a pull inbox means (ADR-37): pure."""

from __future__ import annotations

from enum import Enum


class Reaction(Enum):
    """What the puller does about a status."""

    HEARTBEAT = "the server is there and has nothing new"
    ASK_AGAIN = "the request ended: its credit is back"
    START_OVER = "all requests are void: ask again after a moment"
    VERIFY = "the consumer or its stream may be gone: look before anything is settled"
    REFUSED = "the request is one this server or consumer does not take"


_BY_DESCRIPTION = (
    ("message size exceeds maxbytes", Reaction.ASK_AGAIN),
    ("batch completed", Reaction.ASK_AGAIN),
    ("interest expired", Reaction.ASK_AGAIN),
    ("consumer deleted", Reaction.VERIFY),
    ("leadership change", Reaction.VERIFY),
    ("server shutdown", Reaction.VERIFY),
    ("push based", Reaction.REFUSED),
    ("exceeded maxrequest", Reaction.REFUSED),
    ("exceeded maxwaiting", Reaction.START_OVER),
)


def reaction_to(status: str, description: str) -> Reaction:
    """The reaction to a status code and its description."""
    match status:
        case "100":
            return Reaction.HEARTBEAT
        case "404" | "408" | "423":
            return Reaction.ASK_AGAIN
        case "409":
            found = description.lower()
            known = (reaction for text, reaction in _BY_DESCRIPTION if text in found)
            return next(known, Reaction.START_OVER)
        case "503":
            return Reaction.VERIFY
        case _:
            return Reaction.REFUSED
