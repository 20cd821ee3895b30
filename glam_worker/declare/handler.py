"""A declared function with its frozen options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from pydantic import BaseModel

from glam_shared.messaging import Subjects, payload_for
from glam_worker.declare.binding import Call, bind
from glam_worker.declare.filters import check_filter, is_wildcard, matches
from glam_worker.declare.mistakes import Checks, place_of
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
    subject: object,
    payload: type[BaseModel],
    name: object,
    options: Mapping[str, Any],
) -> Handler:
    """A checked handler. Raises DeclarationError, for every mistake, with file and line."""
    with Checks(lambda: place_of(function)) as checks, checks.one():
        _check_function(function)
    with Checks(lambda: place_of(function)) as checks:
        with checks.one():
            known = HandlerOptions(**options)
        with checks.one():
            chosen = _checked_name(function.__name__ if name is None else name)
        with checks.one():
            _check_payload(subject, payload)
        if _is_model(payload):
            with checks.one():
                call = bind(function, payload)
    return Handler(
        name=chosen,
        subject=str(subject),
        payload=payload,
        function=function,
        call=call,
        options=known,
        where=place_of(function),
    )


def declare_listener(
    function: Callable[..., Any],
    call: Call,
    *,
    service: str,
    name: str,
    subject: str,
    payload: type[BaseModel],
    options: Callable[[], HandlerOptions],
) -> Handler:
    """A checked handler of a class: ``function`` is shown, ``call`` is called."""
    with Checks(lambda: place_of(function)) as checks:
        with checks.one():
            known = options()
        with checks.one():
            _check_payload(subject, payload)
        with checks.one():
            chosen = _checked_name(name)
        with checks.one():
            owner = _checked_name(service, "service")
    return Handler(
        name=chosen,
        subject=str(subject),
        payload=payload,
        function=function,
        call=call,
        options=known,
        where=place_of(function),
        service=owner,
    )


def _check_function(function: object) -> None:
    if not inspect.isroutine(function):
        raise DeclarationError(f"{function!r} is no function; decorate a `def` or an `async def`")
    inner = inspect.unwrap(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise DeclarationError(
            f"{function.__name__}() is a generator, and calling it would run nothing; "
            "remove the `yield`"
        )


def _is_model(payload: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(payload, type) and issubclass(payload, BaseModel)


def _checked_name(name: object, whose: str = "handler") -> str:
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise DeclarationError(
            f"{whose} name {name!r} is not allowed; it becomes part of the durable's name: "
            "1 to 64 of A-Z a-z 0-9 _ -"
        )
    return name


def _check_payload(subject: object, payload: object) -> None:
    if isinstance(subject, type) and isinstance(payload, str):
        raise DeclarationError(
            f"subject and payload are the wrong way round; write @on({payload!r}, "
            f"{subject.__name__})"
        )
    if not isinstance(subject, str):
        raise DeclarationError(
            f"subject {subject!r} is no text; it is one such as 'evt.order.placed.v1'"
        )
    with Checks() as checks:
        problem = check_filter(subject)
        if problem:
            checks.wrong(problem)
        if not _is_model(payload):
            checks.wrong(
                f"payload {getattr(payload, '__name__', repr(payload))} is not a pydantic model; "
                "declare one with the fields of the event's data, such as "
                "`class OrderPlaced(BaseModel): order_id: str`"
            )
        elif not problem:
            _check_catalogue(subject, payload)


def _check_catalogue(subject: str, payload: type[BaseModel]) -> None:
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
