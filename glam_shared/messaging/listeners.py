"""A list of functions to call, none of which can disturb the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Listeners(Generic[_T]):
    """Called in the order in which they came; what one raises is logged and goes no further."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[_T], None]] = []

    def add(self, listener: Callable[[_T], None]) -> Callable[[], None]:
        """Call *listener* from now on; the answer is the function that ends it."""
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def tell(self, fact: _T) -> None:
        """Call them all with *fact*."""
        for listener in tuple(self._listeners):
            try:
                listener(fact)
            except Exception:  # noqa: BLE001 - a listener is not ours
                _log.exception("A listener of the NATS connection failed; the others go on.")
