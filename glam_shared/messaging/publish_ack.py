"""What a stream says about a message: stored, or an error. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import from_json

from glam_shared.messaging.broker_errors import PublishRefused

_PASSING = frozenset({10004, 10007, 10008, 10009, 10041, 10118, 10158, 10167})
"""Errors of an election, an overload or a first try still under way; waiting heals them.
See err_code in nats-server's errors.json."""


@dataclass(frozen=True, slots=True)
class PubAck:
    """The stream has the message."""

    stream: str
    seq: int
    duplicate: bool = False
    """The stream had it already; `seq` is the first one's."""
    domain: str = ""
    """JetStream domain of the server that has it; empty where it names none."""
    tries: int = 1
    """How often it was sent until the answer came."""

    @property
    def unexpected_duplicate(self) -> bool:
        """A duplicate although it was sent once: somebody else used the same message id."""
        return self.duplicate and self.tries == 1


def read_ack(subject: str, data: bytes, tries: int) -> PubAck | PublishRefused:
    """The stream's answer to a publish on *subject*."""
    try:
        answer = from_json(data)
        error = answer.get("error")
        if error is None:
            duplicate = bool(answer.get("duplicate", False))
            domain = str(answer.get("domain", ""))
            return PubAck(answer["stream"], answer["seq"], duplicate, domain, tries)
    except (ValueError, KeyError, AttributeError):
        error = {"description": "the answer is not that of a stream; who else listens there?"}
    return PublishRefused(
        subject,
        code=int(error.get("code", 0)),
        err_code=int(error.get("err_code", 0)),
        description=str(error.get("description", "")),
    )


def heals_by_waiting(refusal: PublishRefused) -> bool:
    """Whether the same publish may be accepted a little later."""
    return refusal.err_code in _PASSING
