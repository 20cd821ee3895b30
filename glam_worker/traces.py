"""Tracebacks as the user wants them: from the first line of their own code on."""

from __future__ import annotations

import traceback
from types import TracebackType

_ON_THE_WAY = ("glam_worker", "importlib", "asyncio", "concurrent", "contextlib")


def users_traceback(error: BaseException) -> str:
    """The traceback from the user's own first line on; how we came there is of no interest."""
    frames = _users_frames(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, frames))


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None:
        name = str(frames.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in _ON_THE_WAY:
            return frames
        frames = frames.tb_next
    return None
