"""The registry: which handlers there are, and what is said of names that collide."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_worker.declare.registry import PROCESS, Registry
from glam_worker.errors import (
    DeclarationError,
    DeclarationErrors,
    ModuleLoadError,
    ModuleRaisedError,
)
from glam_worker.loader import load, passed_over, service_of

SUBJECT = "evt.order.placed.v1"

HEAD = """
from pydantic import BaseModel
from glam_worker import EventContext, lifespan, on

class Order(BaseModel):
    number: int = 1

"""
HANDLER = """
@on("evt.order.placed.v1", Order)
async def {name}(order: Order) -> None: ...
"""


class Order(BaseModel):
    number: int = 1


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to write modules into; what they declare is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    handlers, lifespans = list(PROCESS._handlers), dict(PROCESS._lifespans)
    modules = set(sys.modules)
    yield tmp_path
    PROCESS._handlers[:], PROCESS._lifespans = handlers, lifespans
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    """A module of the shop."""
    file = folder / f"{name.replace('.', '/')}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + text)
    importlib.invalidate_caches()


def test_two_handlers_of_one_name_are_an_error_that_names_both_places() -> None:
    """The second handler of a name is refused, with file and line of both."""
    registry = Registry()

    @registry.on(SUBJECT, Order, name="place")
    async def one(order: Order) -> None: ...

    with pytest.raises(DeclarationError) as caught:

        @registry.on(SUBJECT, Order, name="place")
        async def two(order: Order) -> None: ...

    (first,) = registry.handlers
    assert first.where in caught.value.problem
    assert caught.value.where is not None
    assert caught.value.where != first.where
    assert "name=" in caught.value.problem


def test_two_handlers_of_one_subject_are_two_handlers() -> None:
    """A subject may have several handlers: each is a consumer of its own."""
    registry = Registry()

    @registry.on(SUBJECT, Order)
    async def one(order: Order) -> None: ...

    @registry.on(SUBJECT, Order)
    async def two(order: Order) -> None: ...

    assert [handler.name for handler in registry.handlers] == ["one", "two"]


def test_names_may_repeat_in_modules_that_are_not_worked_together(shop: Path) -> None:
    """Two services' modules in one process may each have a handler of the same name."""
    write(shop, "kit_orders", HANDLER.format(name="handle"))
    write(shop, "kit_mails", HANDLER.format(name="handle"))

    orders, mails = load(["kit_orders"]), load(["kit_mails"])

    assert [handler.module for handler in orders.handlers] == ["kit_orders"]
    assert [handler.module for handler in mails.handlers] == ["kit_mails"]


def test_names_that_repeat_in_the_modules_worked_together_are_an_error(shop: Path) -> None:
    """One worker with two modules refuses a name that both have, and names both places."""
    write(shop, "kit_orders", HANDLER.format(name="handle"))
    write(shop, "kit_mails", HANDLER.format(name="handle"))

    with pytest.raises(DeclarationErrors) as caught:
        load(["kit_orders", "kit_mails"])

    assert "kit_orders.py:9" in str(caught.value)
    assert "kit_mails.py:9" in str(caught.value)


def test_a_module_that_is_imported_twice_declares_once(shop: Path) -> None:
    """A reload replaces the handler instead of complaining about its name."""
    write(shop, "kit_orders", HANDLER.format(name="handle"))
    load(["kit_orders"])
    importlib.reload(sys.modules["kit_orders"])

    registry = load(["kit_orders"])

    (handler,) = registry.handlers
    assert handler.function is sys.modules["kit_orders"].handle


def test_every_mistake_of_a_load_is_told(shop: Path) -> None:
    """Loading goes on after a wrong declaration, so that all are told at once."""
    write(
        shop,
        "kit_orders",
        '@on("dlq.order", Order)\nasync def one(order: Order) -> None: ...\n'
        '@on("evt.order.a", Order, concurrency=0)\nasync def two(order: Order) -> None: ...\n'
        '@on("evt.order.b", Order)\nasync def three(order) -> None: ...\n'
        '@on("evt.order.c", Order)\nasync def fine(order: Order) -> None: ...\n',
    )

    with pytest.raises(DeclarationErrors) as caught:
        load(["kit_orders"])

    told = [str(mistake) for mistake in caught.value.mistakes]
    assert [text.partition(": ")[0] for text in told] == [
        "kit_orders.py:8",
        "kit_orders.py:10",
        "kit_orders.py:12",
    ]
    assert "dlq.>" in told[0]
    assert "concurrency=0" in told[1]
    assert "without annotation" in told[2]


def test_a_package_has_the_handlers_of_its_submodules(shop: Path) -> None:
    """Naming a package works what its imported modules declare."""
    write(shop, "kit_shop.orders", HANDLER.format(name="handle"))
    write(shop, "kit_shop.__init__", "from kit_shop import orders\n")

    assert [handler.module for handler in load(["kit_shop"]).handlers] == ["kit_shop.orders"]
    assert service_of(["kit_shop.orders"]) == "kit_shop"


def test_a_handler_imported_by_name_is_worked(shop: Path) -> None:
    """``from orders import handle`` in a named module is enough to work the handler."""
    write(shop, "kit_orders", HANDLER.format(name="handle"))
    write(shop, "kit_all", "from kit_orders import handle\n")

    assert [handler.name for handler in load(["kit_all"]).handlers] == ["handle"]


def test_handlers_imported_along_the_way_are_passed_over_and_known(shop: Path) -> None:
    """What another module declares is not worked, and can be told of."""
    write(shop, "kit_orders", HANDLER.format(name="handle"))
    write(shop, "kit_mails", "import kit_orders\n" + HANDLER.format(name="send"))

    registry = load(["kit_mails"])

    assert [handler.name for handler in registry.handlers] == ["send"]
    passed = [handler for handler in passed_over(registry) if handler.module == "kit_orders"]
    assert [handler.name for handler in passed] == ["handle"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kit_nowhere", "'kit_nowhere' is not found"),
        ("kit_empty", "declares no handler"),
        ("kit_orders.py", "give it as a module: kit_orders"),
        ("./kit/orders.py", "kit.orders"),
        ("", "not a module's name"),
        (".orders", "not a module's name"),
    ],
)
def test_a_module_that_cannot_be_worked_is_named(shop: Path, name: str, words: str) -> None:
    """A missing or empty module is an error with the likely fix."""
    write(shop, "kit_empty", "")

    with pytest.raises(ModuleLoadError) as caught:
        load([name])

    assert words in str(caught.value)


def test_an_error_inside_of_a_users_module_is_not_hidden(shop: Path) -> None:
    """What a module raises while it is imported is kept as the cause, with its traceback."""
    write(shop, "kit_broken", "import not_there_at_all\n")

    with pytest.raises(ModuleRaisedError, match="kit_broken") as caught:
        load(["kit_broken"])

    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert "kit_broken.py" in "".join(traceback.format_exception(caught.value.__cause__))


def test_a_module_has_one_lifespan() -> None:
    """A second lifespan of a module is refused, with both places."""
    registry = Registry()

    @registry.lifespan
    async def one() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(DeclarationError) as caught:

        @registry.lifespan
        async def two() -> AsyncIterator[int]:
            yield 2

    assert "has a lifespan already, at " in str(caught.value)
    assert str(caught.value).count("test_registry.py:") == 2


def test_a_lifespan_is_an_async_generator_without_parameters() -> None:
    """A plain function, and one with parameters, are refused with the fix."""
    registry = Registry()

    with pytest.raises(DeclarationError, match="`yield`"):

        @registry.lifespan
        async def plain() -> None: ...

    with pytest.raises(DeclarationError, match="takes no parameters"):

        @registry.lifespan  # type: ignore[type-var]
        async def greedy(database: str) -> AsyncIterator[int]:
            yield 1
