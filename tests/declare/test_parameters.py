"""A handler's parameters are found by annotation; what does not fit is an error at import."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import Subjects
from glam_shared.messaging.events import MerchantCreatedPayload
from glam_worker import EventContext
from glam_worker.declare.registry import Registry
from glam_worker.errors import DeclarationError
from glam_worker.testing import event_context

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


class Other(BaseModel):
    number: int = 1


def mistake(function: Callable[..., Any]) -> DeclarationError:
    """The error that declaring the function raises."""
    with pytest.raises(DeclarationError) as caught:
        Registry().on(SUBJECT, Order)(function)
    return caught.value


async def unknown(order: Order, database: str) -> None: ...


async def missing(event: EventContext) -> None: ...


async def nothing() -> None: ...


async def unannotated(order: Order, event) -> None: ...  # type: ignore[no-untyped-def]


async def other_model(order: Other) -> None: ...


async def two_payloads(order: Order, again: Order) -> None: ...


async def two_events(order: Order, event: EventContext, again: EventContext) -> None: ...


async def keyword_only(order: Order, *, event: EventContext) -> None: ...


async def variadic(order: Order, *more: Any) -> None: ...


async def unresolvable(order: Orderr) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unknown, ("'database'", "(str)", "Order or EventContext")),
        (missing, ("no parameter for the payload", "annotated Order")),
        (nothing, ("no parameter for the payload", "annotated Order")),
        (unannotated, ("'event'", "without annotation", "Order or EventContext")),
        (other_model, ("'order' as Other", "Order", "make the two agree")),
        (two_payloads, ("two parameters annotated Order",)),
        (two_events, ("two parameters annotated EventContext",)),
        (keyword_only, ("event", "plain parameters")),
        (variadic, ("*more", "plain parameters")),
        (unresolvable, ("Orderr", "TYPE_CHECKING")),
    ],
)
def test_a_parameter_that_does_not_fit_is_named_with_the_fix(
    function: Callable[..., Any], words: tuple[str, ...]
) -> None:
    """A parameter that is unknown, missing, doubled or unannotated is an error that says so."""
    text = str(mistake(function))

    assert f"{function.__name__}()" in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("function", [unknown, missing, unannotated, other_model])
def test_the_error_names_file_and_line(function: Callable[..., Any]) -> None:
    """A declaration error begins with file and line of the function."""
    _, line = inspect.getsourcelines(function)
    where = mistake(function).where

    assert where is not None
    assert where.endswith(f"{Path(__file__).name}:{line}")
    assert str(mistake(function)).startswith(f"{where}: ")


async def payload_only(order: Order) -> str:
    return f"{order.number}"


async def payload_first(order: Order, event: EventContext) -> str:
    return f"{order.number}/{event.attempt}"


async def event_first(event: EventContext, order: Order) -> str:
    return f"{order.number}/{event.attempt}"


async def positional_only(order: Order, event: EventContext, /) -> str:
    return f"{order.number}/{event.attempt}"


@pytest.mark.parametrize(
    ("function", "returned"),
    [
        (payload_only, "5"),
        (payload_first, "5/3"),
        (event_first, "5/3"),
        (positional_only, "5/3"),
    ],
)
async def test_payload_and_event_come_in_any_order(
    function: Callable[..., Any], returned: str
) -> None:
    """Payload and EventContext are handed over by annotation, whatever their names and order."""
    registry = Registry()
    registry.on(SUBJECT, Order)(function)

    called = registry.handlers[0].call(Order(number=5), event_context(attempt=3))

    assert await called == returned


async def test_the_decorated_function_stays_a_plain_function() -> None:
    """What ``on`` decorates can be called as if it were not decorated."""
    seen: list[int] = []

    async def handle(order: Order) -> None:
        seen.append(order.number)

    declared = Registry().on(SUBJECT, Order)(handle)
    await declared(Order(number=2))

    assert declared is handle
    assert seen == [2]


def test_async_and_plain_functions_are_told_apart() -> None:
    """``def`` runs in a thread and ``async def`` on the loop, behind a decorator too."""

    def plain(order: Order) -> None: ...

    async def on_loop(order: Order) -> None: ...

    def traced(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(order: Order) -> Any:
            return function(order)

        return inner

    registry = Registry()
    for number, function in enumerate((plain, on_loop, traced(on_loop))):
        registry.on(SUBJECT, Order, name=f"h{number}")(function)

    assert [handler.is_async for handler in registry.handlers] == [False, True, True]


def test_a_catalogued_subject_takes_its_own_model_only() -> None:
    """A model other than the catalogue's is an error that names both."""

    async def handle(order: Order) -> None: ...

    with pytest.raises(DeclarationError) as caught:
        Registry().on(Subjects.MERCHANT_CREATED, Order)(handle)

    text = str(caught.value)
    assert "evt.merchant.created.v1 carries MerchantCreatedPayload" in text
    assert "names Order" in text


@pytest.mark.parametrize(
    "subject", ["evt.merchant.>", "evt.merchant.*.v1", "evt.merchant.created.*"]
)
def test_a_wildcard_takes_the_model_of_every_catalogued_subject_it_matches(subject: str) -> None:
    """A wildcard over a catalogued subject refuses any other model, and takes the right one."""

    async def wrong(order: Order) -> None: ...

    async def right(payload: MerchantCreatedPayload) -> None: ...

    with pytest.raises(DeclarationError, match=r"evt\.merchant\.created\.v1"):
        Registry().on(subject, Order)(wrong)
    Registry().on(subject, MerchantCreatedPayload)(right)


@pytest.mark.parametrize("payload", [dict, int, "Order", Order()])
def test_the_payload_is_a_pydantic_model(payload: Any) -> None:
    """Anything but a pydantic model is refused as payload."""
    with pytest.raises(DeclarationError, match="not a pydantic model"):
        Registry().on(SUBJECT, payload)(missing)


async def async_generator(order: Order) -> AsyncIterator[int]:
    yield 1


def generator(order: Order) -> Iterator[int]:
    yield 1


@functools.wraps(generator)
def wrapped_generator(order: Order) -> Iterator[int]:
    return generator(order)


@pytest.mark.parametrize("function", [async_generator, generator, wrapped_generator])
def test_a_generator_is_refused(function: Callable[..., Any]) -> None:
    """Calling a generator function runs nothing, so its events would be lost."""
    assert "is a generator" in mistake(function).problem


class Called:
    async def __call__(self, order: Order) -> None: ...


@pytest.mark.parametrize(
    "thing",
    [Called(), Called, functools.partial(payload_only), 5, "handle"],
    ids=["object", "class", "partial", "number", "text"],
)
def test_what_is_no_function_is_refused(thing: Any) -> None:
    """Only functions and methods can be decorated; anything else is an error that says so."""
    found = mistake(thing)

    assert "is no function; decorate a `def`" in found.problem
    assert (found.where or "").startswith("tests/declare/test_parameters.py:")
