"""The set of handlers, and the decorators that add to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from pydantic import BaseModel

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler, declare
from glam_worker.declare.lifespan import Lifespan, declare_lifespan
from glam_worker.declare.mistakes import noting
from glam_worker.declare.misuse import explained
from glam_worker.declare.retry import RetryPolicy
from glam_worker.errors import DeclarationError

if TYPE_CHECKING:
    from glam_shared.messaging import JetStreamClient

P = TypeVar("P", bound=BaseModel)
R = TypeVar("R", bound="Awaitable[None] | None")
L = TypeVar("L", bound=Callable[[], Any])


class Registry:
    """Handlers and lifespans, in the order they were declared.

    One for the process stands behind ``glam_worker.on``; make others for tests and for programs
    that embed several workers.
    """

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._lifespans: dict[str, Lifespan] = {}
        self._client: JetStreamClient | None = None

    def client(self) -> JetStreamClient:
        """The client that listeners of this registry are made with; the worker connects it."""
        if self._client is None:
            from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads nats

            self._client = JetStreamClient()
        return self._client

    @property
    def given_client(self) -> JetStreamClient | None:
        """The client that its listeners were made with, if there are any."""
        return self._client

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """All handlers; names are unique."""
        return tuple(self._handlers)

    @property
    def lifespans(self) -> tuple[Lifespan, ...]:
        """All lifespans; at most one of each module."""
        return tuple(self._lifespans.values())

    def add(self, handler: Handler) -> None:
        """Add a handler; the same declaration of a module imported twice replaces itself.

        Raises DeclarationError, which names both places, for a second handler of one name.
        """
        for position, other in enumerate(self._handlers):
            if other.name != handler.name:
                continue
            if _same_place(other, handler):
                self._handlers[position] = handler
                return
            if handler.module == other.module or self is not PROCESS:
                raise _twice(handler, other)
        self._handlers.append(handler)

    @explained
    def on(  # noqa: PLR0913 - one keyword for each option of a declaration
        self,
        subject: str,
        payload: type[P],
        *,
        name: str | None = None,
        concurrency: int | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeout: float = 30.0,
        ack_wait: float = 30.0,
        stream: str | None = None,
        start: Literal["all", "new"] | datetime = "all",
        idempotent: bool | float = False,
        previously: str | Iterable[str] = (),
    ) -> Declares[P]:
        """Declare the decorated function as the handler of ``subject``.

        The function stays as it is. It may be ``async def`` (runs on the loop) or ``def`` (runs in
        a thread); it takes the payload and, if it wants, an ``EventContext``, found by annotation.
        Options: see ``HandlerOptions`` for units, defaults and what each does to the server.

        Raises DeclarationError, with file and line, when subject, payload, options or parameters
        do not fit.
        """
        given = {
            "concurrency": concurrency,
            "retry": retry,
            "timeout": timeout,
            "ack_wait": ack_wait,
            "stream": stream,
            "start": start,
            "idempotent": idempotent,
            "previously": previously,
        }
        return Declares(self, subject, payload, name, given)

    def lifespan(self, function: L) -> L:
        """Enter the decorated async context manager before this module's handlers get work.

        It is left after drain. What it yields is ``EventContext.state``. At most one a module.
        """
        with noting():
            declared = declare_lifespan(function)
            other = self._lifespans.get(declared.module)
            if other is not None and other.where != declared.where:
                raise DeclarationError(
                    f"module {declared.module} has a lifespan already, at {other.where}; "
                    "keep one of the two",
                    where=declared.where,
                )
            self._lifespans[declared.module] = declared
        return function

    def lifespan_of(self, handler: Handler) -> Lifespan | None:
        """The lifespan of the handler's module, or of the nearest package around it."""
        module = handler.module
        while module:
            if module in self._lifespans:
                return self._lifespans[module]
            module = module.rpartition(".")[0]
        return None

    def served_by(self, service: str) -> Registry:
        """The same, with every handler that names no service of its own given to ``service``."""
        served = Registry()
        served._lifespans = dict(self._lifespans)
        served._client = self._client
        served._handlers = [
            handler if handler.service else replace(handler, service=service)
            for handler in self._handlers
        ]
        return served

    def of(self, modules: Iterable[ModuleType]) -> Registry:
        """What these modules declare, with their submodules and what they import by name.

        Raises DeclarationError, which names both places, for two handlers of one name.
        """
        chosen = Registry()
        chosen._lifespans = dict(self._lifespans)
        for handler in self.handlers_of(tuple(modules)):
            chosen.add(handler)
        return chosen

    def handlers_of(self, modules: tuple[ModuleType, ...]) -> list[Handler]:
        """The handlers that stand in these modules."""
        return [handler for handler in self._handlers if _stands_in(handler, modules)]


def _stands_in(handler: Handler, modules: tuple[ModuleType, ...]) -> bool:
    return any(
        f"{handler.module}.".startswith(f"{module.__name__}.")
        or any(value is handler.function for value in vars(module).values())
        for module in modules
    )


def _same_place(one: Handler, other: Handler) -> bool:
    return (one.where, one.function.__qualname__) == (other.where, other.function.__qualname__)


def _twice(handler: Handler, other: Handler) -> DeclarationError:
    return DeclarationError(
        f"handler {handler.name!r} is declared twice, here and at {other.where}; "
        "each has a durable of its own, so give one of them another name=",
        where=handler.where,
    )


class Declares(Generic[P]):
    """The decorator that ``on`` returns; typed, so mypy rejects a function that does not fit."""

    def __init__(
        self,
        registry: Registry,
        subject: str,
        payload: type[P],
        name: str | None,
        options: dict[str, Any],
    ) -> None:
        self._registry = registry
        self._subject = subject
        self._payload = payload
        self._name = name
        self._options = options

    @overload
    def __call__(self, function: Callable[[P], R], /) -> Callable[[P], R]: ...
    @overload
    def __call__(
        self, function: Callable[[P, EventContext], R], /
    ) -> Callable[[P, EventContext], R]: ...
    @overload
    def __call__(
        self, function: Callable[[EventContext, P], R], /
    ) -> Callable[[EventContext, P], R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Add the function to the registry and return it unchanged."""
        with noting():
            self._registry.add(
                declare(function, self._subject, self._payload, self._name, self._options)
            )
        return function


PROCESS = Registry()
"""What ``glam_worker.on`` and ``glam_worker.lifespan`` add to."""

on = PROCESS.on
lifespan = PROCESS.lifespan
