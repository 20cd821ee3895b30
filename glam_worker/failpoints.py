"""Points at which this process kills itself, for tests of what a crash there costs.

``GLAM_FAILPOINT=name`` or ``name:3`` (the third time). A point is put around the method it is
about when the process starts; without the setting nothing is, so that it costs nothing.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from glam_worker.jetstream.delivery import JetStreamDelivery
from glam_worker.jetstream.letters import JetStreamLetters
from glam_worker.jetstream.parking import JetStreamParking
from glam_worker.jetstream.pull import PullSource
from glam_worker.runtime.emission import Emission
from glam_worker.runtime.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Point:
    """A method, and when reaching it is reaching the point."""

    owner: type[Any]
    method: str
    after: bool = False
    """Whether the method has done its work before the process dies."""


POINTS = {
    "after_handler_before_ack": Point(JetStreamDelivery, "ack"),
    "after_emission_before_ack": Point(Emission, "publish", after=True),
    "after_dlq_before_ack": Point(JetStreamLetters, "write", after=True),
    "after_park_before_ack": Point(JetStreamParking, "park", after=True),
    "before_pull": Point(PullSource, "_request"),
    "in_shutdown": Point(Pipeline, "hand_back_waiting"),
}


def arm(setting: str) -> None:
    """Make this process kill itself, with SIGKILL, where ``setting`` says."""
    name, _, count = setting.partition(":")
    point = POINTS[name]
    left = iter(range(int(count or 1) - 1, -1, -1))

    def reached() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(point.owner, point.method, _wrapped(getattr(point.owner, point.method), point, reached))


def _wrapped(
    method: Callable[..., Any], point: Point, reached: Callable[[], None]
) -> Callable[..., Any]:
    @wraps(method)
    async def then_dies(*given: Any) -> Any:
        done = await method(*given)
        reached()
        return done

    @wraps(method)
    def dies_first(*given: Any) -> Any:
        reached()
        return method(*given)

    if point.after:
        assert inspect.iscoroutinefunction(method)  # noqa: S101 - or it would not be done yet
        return then_dies
    return dies_first
