"""Runs the handler on one delivery: decode, validate, call; the outcome is what it meant."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Coroutine
from concurrent.futures import Executor as Threads
from functools import partial
from typing import Any

from glam_shared.correlation import CORRELATION_ID
from glam_shared.errors import RequestTimeoutError
from glam_shared.messaging.envelope import envelope_of
from glam_worker.declare.binding import Call
from glam_worker.declare.filters import matches
from glam_worker.declare.outcomes import DONE, Duplicate, Invalid, Outcome, Retry, outcome_of
from glam_worker.runtime.claims import AlreadyHandled, Claims
from glam_worker.runtime.protocols import Delivery
from glam_worker.runtime.run import CURRENT, Run, Surroundings
from glam_worker.runtime.stepping import Waiting, begin

_SUBJECTS_REMEMBERED = 1024
"""Subjects of a wildcard that are known to match; more are matched each time."""


class WrongEventError(ValueError):
    """The envelope says it is another event than its subject."""


class Executor:
    """Decodes a delivery's envelope, calls the handler with it, and names the outcome."""

    def __init__(
        self, surroundings: Surroundings, threads: Threads, claims: Claims | None = None
    ) -> None:
        handler = surroundings.handler
        self._surroundings = surroundings
        self._threads = threads
        self._call = handler.call
        self._timeout = handler.options.timeout
        self._matching = {handler.subject}
        self._plain = handler.call if handler.is_async else self._in_thread
        self._work = self._plain if claims is None else partial(self._claimed, claims)
        self._fatal = handler.options.retry.fatal
        self._retry_on = handler.options.retry.retry_on
        self._read = envelope_of(handler.payload).from_bytes

    def takes(self, delivery: Delivery) -> bool:
        """Whether the declared filter matches it, and its body came with it.

        The lane is the handler's own, whatever comes.
        """
        if not delivery.data and delivery.bodiless:
            return False
        subject = delivery.subject
        if subject in self._matching or delivery.way == "lane":
            return True
        if not matches(self._surroundings.handler.subject, subject):
            return False
        if len(self._matching) < _SUBJECTS_REMEMBERED:
            self._matching.add(subject)
        return True

    def decode(self, delivery: Delivery, now: float) -> Run | Invalid:
        """The run that this delivery asks for, begun ``now``, or why it cannot be one."""
        try:
            envelope = self._read(delivery.data)
            if envelope.event_type != delivery.subject:
                raise WrongEventError(
                    f"event_type is {envelope.event_type!r}, the subject {delivery.subject!r}"
                )
        except BaseException as error:  # noqa: BLE001 - a validator of the user's may raise anything
            return Invalid(_as_exception(error))
        return Run(delivery, envelope, self._surroundings, now + self._timeout)

    def begin(self, run: Run) -> Waiting | None:
        """Call the handler and take its first step; None if it has returned already.

        Called within the context of the run.
        """
        CURRENT.set(run)
        CORRELATION_ID.set(run.correlation_id)
        return begin(self._work(run.payload, run), run)

    def _claimed(self, claims: Claims, payload: Any, run: Run) -> Coroutine[Any, Any, Any]:
        """The same, under a claim of the event."""
        return claims.call(run, lambda: self._plain(payload, run))

    async def _in_thread(self, payload: Any, run: Run) -> Any:
        loop = asyncio.get_running_loop()
        inside = contextvars.copy_context()
        called = partial(inside.run, _called, self._call, payload, run)
        returned = await _whole(loop.run_in_executor(self._threads, called))
        return await returned if inspect.isawaitable(returned) else returned

    def outcome(self, error: BaseException | None, *, timed_out: bool) -> Outcome:
        """What a run meant that ended with ``error`` (None: returned), or by its timeout."""
        if timed_out:
            return _timeout(self._surroundings.handler.name, self._timeout)
        if error is None:
            return DONE
        if isinstance(error, AlreadyHandled):
            return Duplicate()
        if not isinstance(error, Exception):
            return _retry_because(error)
        return outcome_of(_single(error), self._fatal, self._retry_on)


def _as_exception(error: BaseException) -> Exception:
    """The same; what would end the process, raised where an event is read, does not end it."""
    if isinstance(error, Exception):
        return error
    return RuntimeError(f"reading the event raised {type(error).__name__}")


def _called(call: Call, payload: Any, run: Run) -> Any:
    """Call it. A future cannot hold a StopIteration; a GeneratorExit would close who awaits it."""
    try:
        return call(payload, run)
    except (StopIteration, GeneratorExit) as error:
        raise RuntimeError(f"the handler raised {type(error).__name__}") from error


async def _whole(returned: asyncio.Future[Any]) -> Any:
    """Wait until the thread is back, however often this run is cancelled meanwhile."""
    while not returned.done():
        try:
            await asyncio.shield(returned)
        except asyncio.CancelledError:
            if returned.cancelled():
                raise
        except BaseException:  # noqa: BLE001 - it is raised below, from the future
            break
    return returned.result()


def _single(error: Exception) -> Exception:
    """The one exception inside of a group, as a task group wraps what a handler raised."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _timeout(handler: str, seconds: float) -> Retry:
    retry = Retry()
    retry.__cause__ = RequestTimeoutError(
        f"handler {handler} did not end within its timeout of {seconds:g} s",
        timeout_seconds=seconds,
        operation=handler,
    )
    return retry


def _retry_because(error: BaseException) -> Retry:
    retry = Retry()
    retry.__cause__ = error
    return retry
