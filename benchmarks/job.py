"""What one contender is asked to do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

STREAM = "GLAM_EVENTS"
SERVICE = "bench"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a contender; travels to its process as JSON."""

    server: str
    """URL of the server that holds the events."""
    events: int
    """Events to handle; the run ends with the last one."""
    concurrency: int = 100
    """Handlers at the same time, and messages asked for at once."""
    work: float = 0.0
    """Seconds that each handler awaits."""
    milestone: int = 0
    """Tell the parent each time that so many more were handled; 0 for never."""
    record_starts: bool = False
    """Keep the instant at which each handler started."""
    warm_up: int = 0
    """Events, of all, before measuring begins."""
    counted: bool = False
    """Have valgrind count the instructions of what is measured; see `instructions.py`."""

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job of `to_json`."""
        return cls(**json.loads(text))
