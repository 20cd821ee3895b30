"""What is remembered of suspects: runs that began, and settlements that the broker refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from glam_worker.declare.outcomes import Reason
from glam_worker.runtime.failures import Failure


class Start(NamedTuple):
    """A run that began; one that is there when its carrier comes again never ended."""

    id: str
    alone: bool
    """Whether nothing else ran in its process."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A park (``reason`` None) or a dead letter that the broker refused."""

    reason: Reason | None
    attempts: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one carrier."""

    starts: tuple[Start, ...] = ()
    """Runs that began and did not end."""
    attempts: int | None = None
    """Runs that count, of a carrier that does not fit into the retry stream."""
    due: datetime | None = None
    """When it is to run again, by the server's clock."""
    owed: Owed | None = None
    revision: int = field(default=0, compare=False)
    """What the ledger calls this state; 0: it knows nothing of the carrier."""

    @property
    def alone(self) -> int:
        """Runs that never ended although nothing ran beside them."""
        return sum(start.alone for start in self.starts)

    def begun(self, start: Start) -> Record:
        """With a run that begins."""
        return self if start in self.starts else replace(self, starts=(*self.starts, start))

    def ended(self, start: Start) -> Record:
        """With that run struck out."""
        return replace(self, starts=tuple(known for known in self.starts if known != start))


NOTHING = Record()
Change: TypeAlias = Callable[[Record], Record]


def forgotten(_: Record) -> Record:
    """The change that leaves nothing: the carrier is done with."""
    return NOTHING


class Ledger(Protocol):
    """The records of one handler's carriers. Raises InfrastructureError."""

    async def look(self, carrier: str) -> tuple[Record, bool]:
        """The record, and whether the carrier's own parked copy still waits for its time."""

    async def read(self, carrier: str) -> Record:
        """The record."""

    async def write(self, carrier: str, record: Record) -> Record | None:
        """Write over ``record.revision``: the record as it is now; None if another came between."""


async def amend(ledger: Ledger, carrier: str, known: Record | None, change: Change) -> Record:
    """Change a record, whoever else changes it; the record as it is then.

    ``known`` is what was last read of it. ``change`` is called again on what others wrote, so it
    gives the same if it was made before: the answer to the first write may have been lost.
    """
    record = await ledger.read(carrier) if known is None else known
    while (wanted := change(record)) != record:
        written = await ledger.write(carrier, replace(wanted, revision=record.revision))
        if written is not None:
            return written
        record = await ledger.read(carrier)
    return record
