"""``@on`` used wrongly: every mistake is told, with its place and the fix."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker.declare.mistakes import collecting_mistakes
from glam_worker.declare.registry import Registry
from glam_worker.errors import DeclarationError

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def place(order: Order) -> None: ...


def told(*given: Any, function: Any = place, **named: Any) -> list[str]:
    """What is said of a declaration that is wrong."""
    on: Any = Registry().on
    with pytest.raises(DeclarationError) as caught:
        on(*given, **named)(function)
    assert all("test_misuse.py:" in str(mistake.where) for mistake in caught.value.each)
    return [mistake.problem for mistake in caught.value.each]


def test_a_decorator_without_parentheses_is_shown_what_to_write() -> None:
    """The function stands where the subject should."""
    (said,) = told(place)
    assert said.startswith("@on stands without subject and payload; write @on(")
    assert said.endswith("above place()")


@pytest.mark.parametrize(
    ("given", "named", "said"),
    [
        ((SUBJECT,), {}, ["@on has no payload; write"]),
        ((), {}, ["@on has no subject; write", "@on has no payload; write"]),
        ((), {"payload": Order}, ["@on has no subject; write"]),
        ((SUBJECT, Order, 5), {}, ["found 5 as a third argument"]),
        ((SUBJECT, Order), {"subject": SUBJECT}, ["subject twice"]),
        ((SUBJECT, Order), {"timout": 5}, ["no option timout=; did you mean timeout=?"]),
        ((SUBJECT, Order), {"colour": 1}, ["no option colour=; there are name, concurrency"]),
        ((SUBJECT,), {"a": 1, "b": 2}, ["option a=", "option b=", "no payload"]),
        ((Order, SUBJECT), {}, ["the wrong way round; write @on('evt.order.placed.v1', Order)"]),
        ((5, Order), {}, ["subject 5 is no text"]),
        ((SUBJECT, dict), {}, ["payload dict is not a pydantic model; declare one"]),
        ((SUBJECT, "Order"), {}, ["payload 'Order' is not a pydantic model; declare one"]),
        ((SUBJECT, Order), {"name": ""}, ["handler name '' is not allowed"]),
    ],
)
def test_a_wrong_call_is_told_in_words(
    given: tuple[Any, ...], named: dict[str, Any], said: list[str]
) -> None:
    """Missing, doubled, unknown or swapped: each is one mistake with its fix."""
    problems = told(*given, **named)
    assert len(problems) == len(said)
    for problem, part in zip(problems, said, strict=True):
        assert part in problem


def test_all_mistakes_of_one_declaration_are_told() -> None:
    """Options, name, subject and parameters are checked together, not one by one."""

    async def wrong(order: Order, colour, size: int) -> None:  # type: ignore[no-untyped-def]
        ...

    problems = told(
        "evt", Order, function=wrong, name="a b", concurrency=0, timeout=-1, previously="x y"
    )
    for part in (
        *("previously=", "concurrency=0", "timeout=-1", "name 'a b'"),
        *("one token only", "'colour' without annotation", "unknown parameter 'size'"),
    ):
        assert sum(part in problem for problem in problems) == 1
    assert len(problems) == 7


def test_a_misuse_does_not_hide_the_other_mistakes_of_its_module() -> None:
    """While mistakes are collected, the module goes on; what was misused declares nothing."""
    registry: Any = Registry()
    with collecting_mistakes() as mistakes:
        assert registry.on(place) is place
        assert registry.on(SUBJECT)(place) is place
        registry.on(SUBJECT, Order, concurrency=0)(place)
    assert len(mistakes) == 3
    assert registry.handlers == ()
