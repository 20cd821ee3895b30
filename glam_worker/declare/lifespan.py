"""What a module sets up before its handlers get work and takes down after drain."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from glam_worker.declare.mistakes import place_of
from glam_worker.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Lifespan:
    """The ``@lifespan`` of one module."""

    module: str
    where: str
    enter: Callable[[], AbstractAsyncContextManager[Any]] = field(repr=False)
    """Makes the context manager; what it yields is ``EventContext.state``."""


def declare_lifespan(
    function: Callable[[], AsyncIterator[Any] | AbstractAsyncContextManager[Any]],
) -> Lifespan:
    """A checked lifespan: an async generator function that yields once, or a context manager's.

    Raises DeclarationError with the function's file and line.
    """
    where = place_of(function)
    if inspect.signature(function).parameters:
        raise DeclarationError(f"lifespan {function.__name__}() takes no parameters", where=where)
    if inspect.isasyncgenfunction(function):
        return Lifespan(function.__module__, where, contextlib.asynccontextmanager(function))
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        return Lifespan(function.__module__, where, function)  # type: ignore[arg-type]
    raise DeclarationError(
        f"lifespan {function.__name__}() is not an async generator; write `async def` with one "
        "`yield`",
        where=where,
    )
