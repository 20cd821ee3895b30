"""What one contender is asked to do, and with which events."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

STREAM = "GLAM_EVENTS"
SERVICE = "bench"
SMALLEST = 500
"""Events that a run has at least, however small the scale, unless its full size is less."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a contender; travels to its process as JSON."""

    events: int
    """Events to handle, or to publish; the run ends with the last one."""
    server: str = ""
    """URL of the server that holds the events."""
    variant: str = ""
    """What stands behind the colon of the contender's name."""
    concurrency: int = 100
    """Handlers at the same time, and messages asked for at once."""
    handlers: int = 1
    """Handlers, each with a subject and a durable of its own; the events are dealt out to them."""
    processes: int = 1
    """Processes that share the durables."""

    size: int = 0
    """Bytes of an event's data; 0 for those that services write, about 430."""
    headers: bool = False
    """Whether events have the seven headers of `events.HEADERS` instead of none."""

    awaits: float = 0.0
    """Seconds that the handler awaits."""
    cpu: float = 0.0
    """Seconds of processor time that the handler burns."""
    slow_every: int = 0
    """Each so manieth event is slow: its handler awaits `handlers.SLOW` seconds; 0 for none."""
    fail_every: int = 0
    """Each so manieth run fails and is retried; 0 for none."""
    sync: bool = False
    """Whether the handler is a plain function, run in a thread."""
    idempotent: bool = False
    """Whether an event that was handled before is not handled again."""

    record_starts: bool = False
    """Keep the number of each event and the instant at which its handler started."""
    record_memory: bool = False
    """Keep the resident memory of each slice."""
    warm_up: int = 0
    """Events, of all, before measuring begins."""
    counted: bool = False
    """Have valgrind count the instructions of what is measured; see `callgrind.py`."""

    @property
    def batch(self) -> int:
        """Messages that FastStream and TaskIQ fetch at once: 100, of large ones 16 MB."""
        return min(100, max(16_000_000 // (self.size or 1), 1))

    @property
    def slice(self) -> int:
        """Events after which a process notes the time."""
        return max(min(self.events // 20, 250), 1)

    def scaled(self, scale: float) -> Job:
        """The same with fewer events."""
        least = min(self.events, max(SMALLEST, 2 * self.concurrency))
        return replace(self, events=max(int(self.events * scale), least))

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job of `to_json`."""
        return cls(**json.loads(text))
