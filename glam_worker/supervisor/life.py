"""The life of the parent: children are started, kept, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from typing import Any

from glam_worker.observe.endpoint import Endpoint
from glam_worker.observe.logging_setup import set_up_logging
from glam_worker.settings import Settings
from glam_worker.supervisor.answers import Answers
from glam_worker.supervisor.child import Child, manner_of
from glam_worker.supervisor.handover import handed_over
from glam_worker.supervisor.link import STOP_MARGIN
from glam_worker.supervisor.place import Place

_WRONG = 2
_FAILED = 1
_HURRY = 3.0
"""Seconds for children to write what must be written, when they are told to end now."""

_log = logging.getLogger("glam_worker.supervisor")


def supervise(modules: Sequence[str], settings: Settings, service: str) -> int:
    """Keep ``settings.processes`` children at work until SIGTERM or SIGINT; the exit code.

    The modules are imported in the children only: the parent stays small, and what they do when
    they are imported happens once in each child.
    Raises EndpointError before any child is started when the endpoint's address cannot be had.
    """
    set_up_logging(settings.log_level, settings.log_format)
    return asyncio.run(_run(modules, settings, service))


async def _run(modules: Sequence[str], settings: Settings, service: str) -> int:
    return await Supervisor(modules, settings, service).run()


class Supervisor:
    """Keeps N children at work.

    * The first child goes ahead, the others follow once it works: what is wrong for one is wrong
      for all, and is said once.
    * A child that says it ends with 2 (wrong declaration or configuration), or with 1 (it cannot
      start) before any worked, ends the whole with that code; so does one that says 1 as the last
      that worked, where ``disconnected_budget`` asks for an end. Every other death is followed by a
      replacement, whatever its exit code: that may be a handler's doing.
    * First signal: children stop in order. Second signal, or ``shutdown_grace`` and ``STOP_MARGIN``
      seconds later: they are told to end now, and killed 3 seconds after that.
    """

    def __init__(self, modules: Sequence[str], settings: Settings, service: str) -> None:
        self._modules = modules
        self._settings = settings
        self._handed_over = handed_over(settings)
        numbers = range(1, settings.processes + 1)
        self._places = [Place(number, service, self._spawn, self._gone) for number in numbers]
        self._answers = Answers(service, self._places)
        self._code = 0
        self._worked = asyncio.Event()
        self._told = asyncio.Event()
        self._now = asyncio.Event()

    async def run(self) -> int:
        """Start, wait for the signal, stop; the exit code."""
        self._listen()
        with self._endpoint():
            keeping = asyncio.ensure_future(self._keep_all())
            try:
                await self._until_told(keeping)
            finally:
                await self._stop(keeping)
        return self._code

    # --- keep ---

    async def _keep_all(self) -> None:
        first, *others = self._places
        async with asyncio.TaskGroup() as group:
            group.create_task(self._turn())
            group.create_task(first.keep(self._worked.set))
            await self._worked.wait()
            for place in others:
                group.create_task(place.keep(self._worked.set))

    async def _turn(self) -> None:
        while True:
            self._answers.turn()
            await asyncio.sleep(1.0)

    async def _spawn(self) -> Child:
        return await Child.spawn(self._modules, self._handed_over)

    def _gone(self, place: Place, child: Child) -> bool:
        self._answers.keep(child.exposition)
        said = child.last_word
        over = said == _WRONG or (said == _FAILED and self._for_good(place))
        if said and over and not self._told.is_set():
            self._code = said
            self._told.set()
        return over

    def _for_good(self, failed: Place) -> bool:
        """Whether a place's failure is that of all."""
        if not self._worked.is_set():
            return True
        others = (place for place in self._places if place is not failed)
        working = any(place.child and place.child.started for place in others)
        return self._settings.disconnected_budget > 0 and not working

    # --- stop ---

    async def _until_told(self, keeping: asyncio.Future[None]) -> None:
        told = asyncio.ensure_future(self._told.wait())
        ends: list[asyncio.Future[Any]] = [told, keeping]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if keeping.done():
            keeping.result()

    async def _stop(self, keeping: asyncio.Future[None]) -> None:
        self._answers.stopping = True
        keeping.cancel()
        await asyncio.wait([keeping])
        ending = [self._ending(place) for place in self._places]
        limit = self._settings.shutdown_grace + STOP_MARGIN
        now = asyncio.ensure_future(self._now.wait())
        everyone = asyncio.gather(*ending)
        ends: list[asyncio.Future[Any]] = [asyncio.shield(everyone), now]
        await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        now.cancel()
        if not everyone.done():
            await self._hurry(everyone)
        for place in self._places:
            if place.child is not None:
                _log.warning("%s has not stopped and is killed", place.name)
                place.child.kill()
        await everyone
        _log.info("stopped")

    async def _hurry(self, everyone: asyncio.Future[Any]) -> None:
        for place in self._places:
            if place.child is not None:
                place.child.hurry()
        await asyncio.wait([everyone], timeout=_HURRY)

    async def _ending(self, place: Place) -> None:
        """Until the place's child, if there is one, has stopped."""
        child = place.child
        if child is None:
            return
        place.state = "stopping"
        child.stop()
        code = await child.ended()
        self._answers.keep(child.exposition)
        ordinary = logging.DEBUG if code == 0 else logging.WARNING
        _log.log(ordinary, "%s %s", place.name, manner_of(code))
        place.child = None

    # --- around ---

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        (self._now if self._told.is_set() else self._told).set()

    def _endpoint(self) -> contextlib.AbstractContextManager[object]:
        settings = self._settings
        if not settings.http_port:
            return contextlib.nullcontext()
        endpoint = Endpoint(settings.http_host, settings.http_port, self._answers.probes())
        _log.info("metrics and probes at http://%s:%d", settings.http_host, endpoint.port)
        return contextlib.closing(endpoint)
