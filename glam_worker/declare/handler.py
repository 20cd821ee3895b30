"""A declared function with its frozen options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from glam_shared.messaging import Subjects, payload_for
from glam_worker.declare.binding import Call, bind
from glam_worker.declare.filters import check_filter, is_wildcard, matches
from glam_worker.declare.options import NAME, HandlerOptions
from glam_worker.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Handler:
    """What ``@on`` declares: a subject, a payload, a function, and how to work it."""

    name: str
    """Part of the durable's name: renaming it starts another consumer (see ``previously``)."""
    subject: str
    """The filter of its consumer."""
    payload: type[BaseModel]
    """The model that ``data`` of the envelope must fit."""
    function: Callable[..., Any] = field(repr=False)
    """The user's function, untouched."""
    call: Call = field(repr=False, compare=False)
    """The function with its parameters as (payload, event)."""
    options: HandlerOptions
    where: str
    """``file:line`` of the function."""
    service: str = ""
    """The service whose durable it works; empty until a worker takes it up."""

    @property
    def module(self) -> str:
        """The module it is declared in."""
        return self.function.__module__

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop; otherwise it runs in a thread."""
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))


def declare(
    function: Callable[..., Any],
    subject: str,
    payload: type[BaseModel],
    name: str | None,
    options: HandlerOptions,
) -> Handler:
    """A checked handler. Raises DeclarationError with the function's file and line."""
    where = place_of(function)
    try:
        _check_function(function)
        _check_payload(str(subject), payload)
        return Handler(
            name=_checked_name(name or function.__name__),
            subject=str(subject),
            payload=payload,
            function=function,
            call=bind(function, payload),
            options=options,
            where=where,
        )
    except DeclarationError as error:
        raise DeclarationError(error.problem, where=where) from error.__cause__


def declare_listener(
    function: Callable[..., Any],
    call: Call,
    *,
    service: str,
    name: str,
    subject: str,
    payload: type[BaseModel],
    options: HandlerOptions,
) -> Handler:
    """A checked handler of a class: ``function`` is shown, ``call`` is called."""
    where = place_of(function)
    try:
        _check_payload(str(subject), payload)
        return Handler(
            name=_checked_name(name),
            subject=str(subject),
            payload=payload,
            function=function,
            call=call,
            options=options,
            where=where,
            service=_checked_name(service),
        )
    except DeclarationError as error:
        raise DeclarationError(error.problem, where=where) from None


def place_of(function: Callable[..., Any]) -> str:
    """``file:line`` of a function, relative to the working directory where that is shorter."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return f"{function!r}"
    path = Path(code.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{code.co_firstlineno}"


def _check_function(function: object) -> None:
    if not inspect.isroutine(function):
        raise DeclarationError(f"{function!r} is no function; decorate a `def` or an `async def`")
    inner = inspect.unwrap(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise DeclarationError(
            f"{function.__name__}() is a generator, and calling it would run nothing; "
            "remove the `yield`"
        )


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise DeclarationError(
            f"handler name {name!r} is not allowed; it becomes part of the durable's name: "
            "1 to 64 of A-Z a-z 0-9 _ -"
        )
    return name


def _check_payload(subject: str, payload: object) -> None:
    problem = check_filter(subject)
    if problem:
        raise DeclarationError(problem)
    if not (isinstance(payload, type) and issubclass(payload, BaseModel)):
        raise DeclarationError(f"payload {payload!r} is not a pydantic model")
    for catalogued in _catalogued(subject):
        wanted = payload_for(catalogued)
        if wanted is not None and payload is not wanted:
            raise DeclarationError(
                f"subject {catalogued!s} carries {wanted.__name__} by the catalogue, but the "
                f"declaration names {payload.__name__}; declare it with {wanted.__name__}"
            )


def _catalogued(subject: str) -> list[str]:
    if not is_wildcard(subject):
        return [subject]
    return [str(member) for member in Subjects if matches(subject, str(member))]
