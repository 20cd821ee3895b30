"""Whether this user may settle what it is given."""

from __future__ import annotations

from collections.abc import Callable

from glam_shared.messaging import JetStreamClient, client_internals
from glam_shared.messaging.broker_errors import PermissionDenied
from glam_shared.messaging.denials import needed
from glam_shared.messaging.wire import publish_command, subject_bytes
from glam_worker.jetstream.ack_subject import sequence_at
from glam_worker.jetstream.consumers import ConsumerRef

_ACKS = "$JS.ACK."


class AckPermission:
    """Hears that acks of one consumer are denied, and tries whether they still are.

    An ack has no answer: a worker that went on would handle the same events again and again.
    ``denied`` is called with what to say, once.
    """

    def __init__(
        self, client: JetStreamClient, consumer: ConsumerRef, denied: Callable[[str], None]
    ) -> None:
        self.problem: str | None = None
        """What is denied; None while nothing is known to be."""
        self._client = client
        self._place = f".{consumer.stream}.{consumer.durable}."
        self._tell = denied
        self._probe = ""
        self._again = False
        self.close = client.watch_denials(self._denied)
        """Hear of no more."""

    def probe(self) -> None:
        """Send an in-progress ack of a message that cannot be: sequences begin at 1.

        The server denies in order: the answer to a later request comes after a denial.
        """
        if self.problem is not None:
            self._again = False
            command = publish_command(subject_bytes(self._probe), b"", b"", b"+WPI")
            client_internals.write(self._client.client, command)

    def granted(self) -> bool:
        """Whether settlements are allowed, as far as is known since the latest ``probe``."""
        if not self._again:
            self.problem = None
        return self.problem is None

    def _denied(self, denial: PermissionDenied) -> None:
        subject = denial.operation.rpartition(" ")[2]
        if not (subject.startswith(_ACKS) and self._place in subject):
            return
        self._again = True
        if self.problem is None:
            self._probe = _of_nothing(subject)
            self.problem = str(needed(denial))
            self._tell(self.problem)


def _of_nothing(ack: str) -> str:
    """The subject of the ack, for a sequence that no message has."""
    tokens = ack.split(".")
    tokens[sequence_at(tokens)] = "0"
    return ".".join(tokens)
