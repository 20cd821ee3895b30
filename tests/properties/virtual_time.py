"""An event loop whose time passes in no time: it jumps to the next timer instead of waiting."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import selectors
import time
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from glam_worker import runtime


class _Jumping(selectors.SelectSelector):
    """Takes the time it is asked to wait for as passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += max(0.0, timeout or 0.0)
        return super().select(0)


class VirtualTime:
    """A loop of its own, and the runtime's clock for as long as it is ``installed``."""

    def __init__(self) -> None:
        self._selector = _Jumping()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        self.loop.time = self.now  # type: ignore[method-assign]
        self._replaced = [
            module
            for each in pkgutil.iter_modules(runtime.__path__)
            if hasattr(module := importlib.import_module(f"{runtime.__name__}.{each.name}"), "time")
        ]

    def now(self) -> float:
        """Seconds that have passed, and an hour: nothing is older than the clock."""
        return self._selector.now + 3600.0

    def install(self) -> None:
        """Let the runtime read this clock."""
        for module in self._replaced:
            module.time = SimpleNamespace(monotonic=self.now)  # type: ignore[attr-defined]

    def remove(self) -> None:
        """Give it the machine's clock again, and close the loop."""
        self.run(_all_ended())
        for module in self._replaced:
            module.time = time  # type: ignore[attr-defined]
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run until it has ended."""
        return self.loop.run_until_complete(work)


async def _all_ended() -> None:
    """What is left of processes that died ends with the test; its last acts may begin new tasks."""
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=5.0)
