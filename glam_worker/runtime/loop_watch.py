"""Notices that the event loop stands, says who blocks it, and for how long it may."""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from glam_worker.declare.handler import Handler
from glam_worker.runtime import pipeline as pipeline_module
from glam_worker.runtime.pipeline import Pipeline
from glam_worker.runtime.ticker import Ticker

SAID_AFTER = 1.0
"""Seconds without a turn of the event loop after which the log says so."""

_DEBUGGERS = frozenset({"bdb", "pdb"})
_FRAMES_SHOWN = 12

_log = logging.getLogger("glam_worker.loop")


@dataclass(frozen=True, slots=True)
class Running:
    """A handler, and the pipeline that works its events."""

    handler: Handler
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Blocker:
    """What runs on a loop that stands."""

    handler: Handler | None
    """None where no handler is found in the stack: a task of its own, or code around handlers."""
    place: str
    """``file:line in function``, in the handler's function if it is in the stack."""
    frames: list[str]
    """The innermost first."""
    debugged: bool
    """Whether somebody holds it in a debugger."""
    about: dict[str, Any]
    """Fields of the event, as far as they are known."""
    delivery: object | None
    """What is worked; None where it is not known."""

    @property
    def name(self) -> str:
        """For log lines."""
        return "code outside of handlers" if self.handler is None else self.handler.name


class LoopWatch:
    """Looks at the ticker of a loop from another thread.

    * ``standing``: it has not turned for more than a second; said once, and once when it turns.
    * ``over``: one run blocks it for longer than its handler may run (without one in the stack:
      the longest timeout of all). ``hung`` is called with what to say about it; by default it does
      nothing, because an embedded worker does not end its host.
    * ``blocked``: for how long that run does. Several that block one after the other, before the
      loop turns, are no one's fault.

    A process that was itself stopped, or whose interpreter lock was held by native code, looks
    late, and blames no handler for what it did not see.
    """

    def __init__(self, ticker: Ticker) -> None:
        self.hung: Callable[[str], None] = lambda text: None
        self._ticker = ticker
        self._watched: list[Running] = []
        self._thread_id = threading.get_ident()
        self._looked = ticker.last
        self._since = ticker.last
        self._seconds = 0.0
        self._blocking: object | None = None
        self._blocking_since = 0.0
        self.blocked = 0.0
        """Seconds that the present run has blocked the loop; 0 while it turns."""
        self.standing = False
        self.over = False

    def watch(self, watched: Sequence[Running]) -> None:
        """These handlers run on the loop of the calling thread."""
        self._watched = list(watched)
        self._thread_id = threading.get_ident()
        self._looked = self._since = self._ticker.last

    def look(self, now: float) -> None:
        """Look once; called every ``period`` of the ticker, from another thread."""
        missed, self._looked = now - self._looked - self._ticker.period, now
        if missed > SAID_AFTER:
            self._since = now
            _say(logging.WARNING, f"the process stood still for {missed:.1f} s", {})
        seconds = now - max(self._since, self._ticker.last) - self._ticker.period
        if seconds < self._seconds and self.standing:
            self._turns_again()
        self._seconds = seconds
        if seconds > SAID_AFTER:
            self._stands(seconds, now)
        else:
            self.blocked = 0.0

    def _turns_again(self) -> None:
        self.standing = self.over = False
        _say(logging.WARNING, f"event loop turns again after {self._seconds:.1f} s", {})

    def _stands(self, seconds: float, now: float) -> None:
        blocker = blocker_of(self._thread_id, self._watched)
        if blocker is None:
            return
        first = not self.standing
        if first:
            self.standing, self._blocking_since = True, now - seconds
        elif blocker.delivery is not self._blocking:
            self._blocking_since = now
        self._blocking, self.blocked = blocker.delivery, now - self._blocking_since
        text = f"event loop blocked for {self.blocked:.1f} s by {blocker.name}, at {blocker.place}"
        if first:
            _say(logging.WARNING, text, blocker.about | {"frames": blocker.frames})
        limit = self._limit(blocker.handler)
        if self.blocked > limit and not (blocker.debugged or self.over):
            self.over = True
            which = "its timeout of" if blocker.handler else "the longest timeout of all handlers,"
            text = f"{text}: longer than {which} {limit:g} s; no lease is kept any more"
            _say(logging.CRITICAL, text, blocker.about)
            self.hung(text)

    def _limit(self, handler: Handler | None) -> float:
        if handler is not None:
            return handler.options.timeout
        return max((one.handler.options.timeout for one in self._watched), default=30.0)


def blocker_of(thread_id: int, watched: Sequence[Running]) -> Blocker | None:
    """What the thread runs at this moment; None when it has ended."""
    frames = list(_frames(thread_id))
    if not frames:
        return None
    handler, frame = _handler_in(frames, watched)
    shown = frames[0] if frame is None else frame
    about: dict[str, Any] = {}
    delivery = _local("delivery", frames)
    if handler is not None:
        about = {"service": handler.service, "handler": handler.name} | _event_of(delivery)
    return Blocker(
        handler=handler,
        place=_place(shown),
        frames=[_place(one) for one in frames[:_FRAMES_SHOWN]],
        debugged=any(one.f_globals.get("__name__") in _DEBUGGERS for one in frames),
        about=about,
        delivery=delivery,
    )


def _frames(thread_id: int) -> Iterator[FrameType]:
    """Of the code that runs now, the innermost first."""
    frame = sys._current_frames().get(thread_id)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _handler_in(
    frames: list[FrameType], watched: Sequence[Running]
) -> tuple[Handler | None, FrameType | None]:
    """The handler whose event is worked, and the frame of its function."""
    at_work = _local("self", frames)
    named = [one.handler for one in watched if one.pipeline is at_work]
    handlers = named or [one.handler for one in watched]
    known = {_code(handler): handler for handler in handlers}
    frame = next((one for one in frames if one.f_code in known), None)
    if named:
        return named[0], frame
    return (None, None) if frame is None else (known[frame.f_code], frame)


def _code(handler: Handler) -> CodeType | None:
    return getattr(inspect.unwrap(handler.function), "__code__", None)


def _event_of(delivery: Any) -> dict[str, Any]:
    if delivery is None:
        return {}
    return {
        "subject": delivery.subject,
        "stream": delivery.stream,
        "sequence": delivery.sequence,
        "attempt": delivery.counted + 1,
    }


def _local(name: str, frames: list[FrameType]) -> Any:
    """What a method of the pipeline that is at work calls ``name``."""
    ours = (one for one in frames if one.f_code.co_filename == pipeline_module.__file__)
    values = (one.f_locals.get(name) for one in ours)
    return next((value for value in values if value is not None), None)


def _place(frame: FrameType) -> str:
    code = frame.f_code
    path = Path(code.co_filename)
    return f"{'/'.join(path.parts[-2:])}:{frame.f_lineno} in {code.co_name}"


def _say(level: int, text: str, about: dict[str, Any]) -> None:
    """Log from a thread of its own: the loop may stand in a log handler and hold its lock."""
    saying = threading.Thread(target=_log.log, args=(level, text), kwargs={"extra": about})
    saying.daemon = True
    saying.start()
    saying.join(SAID_AFTER)
