"""What handlers started and did not end: threads and tasks, in words."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_SHOWN = 5
_ON_THE_WAY = ("glam_worker", "asyncio", "uvloop")
_THREADS = ("threading", "concurrent")


def left_behind(loop: asyncio.AbstractEventLoop, threads: Collection[threading.Thread]) -> str:
    """Those of the threads that keep a process alive, and the loop's tasks that are not the
    runtime's own; empty where there are none. May be called from any thread."""
    found = [*_threads(threads), *_tasks(loop)]
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ", ".join(found[:_SHOWN] + more)


def place_of_main() -> str:
    """Where the main thread is."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return "its end" if frame is None else _place(frame)


def _threads(threads: Collection[threading.Thread]) -> Iterator[str]:
    frames = sys._current_frames()
    for thread in threads:
        frame = frames.get(thread.ident or 0)
        daemon = thread.daemon or thread is threading.main_thread()
        if thread.is_alive() and not daemon and frame is not None and not _waits_for_work(frame):
            yield f"thread {thread.name}{_where(frame)}"


def _where(frame: FrameType | None) -> str:
    """Nothing for a thread that is inside of one call: its name says it."""
    while frame is not None and _module(frame) in _THREADS:
        frame = frame.f_back
    return "" if frame is None else f" (at {_place(frame)})"


def _waits_for_work(frame: FrameType) -> bool:
    """Whether it is a pool's thread without work: it ends with the interpreter."""
    return _module(frame) == "concurrent" and frame.f_code.co_name == "_worker"


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    if loop.is_closed():
        return
    for task in asyncio.all_tasks(loop):
        coroutine: Any = task.get_coro()
        known = inspect.iscoroutine(coroutine) and coroutine.cr_frame is not None
        if known and _module(coroutine.cr_frame) not in _ON_THE_WAY:
            yield f"task {coroutine.__qualname__} (at {_place(_innermost(coroutine))})"


def _module(frame: FrameType) -> str:
    """The top package of what runs in the frame."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _innermost(coroutine: Any) -> FrameType:
    """The frame that waits, in the coroutine or in what it awaits; not in asyncio itself."""
    frame: FrameType = coroutine.cr_frame
    while (coroutine := getattr(coroutine, "cr_await", None)) is not None:
        inner = getattr(coroutine, "cr_frame", None)
        if inner is None or _module(inner) in _ON_THE_WAY:
            break
        frame = inner
    return frame


def _place(frame: FrameType) -> str:
    return f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{frame.f_lineno}"
