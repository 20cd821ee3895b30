"""The log of a worker process: no text that an event or an error brings costs a line."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from glam_worker import RetryPolicy
from glam_worker.observe.logging_setup import set_up_logging
from glam_worker.testing import WorkerFactory

UGLY = "a\r\nb\x00\ud800ü\u2028"


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """The set-up of pytest comes back after the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def logged(form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What an error with an ugly text leaves on stdout and stderr."""
    set_up_logging("INFO", form)
    try:
        raise ValueError(UGLY)
    except ValueError:
        logging.getLogger("shop").exception("failed %s", UGLY, extra={"error_message": UGLY})
    told = capsys.readouterr()
    return told.out, told.err


def test_a_line_for_machines_carries_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON line is one line, and reads back as what was logged."""
    out, err = logged("json", capsys)

    (line,) = out.splitlines()
    read = json.loads(line)
    assert read["message"] == f"failed {UGLY}"
    assert read["error_message"] == UGLY
    assert "ValueError" in read["exception"]
    assert err == ""


def test_a_line_for_people_carries_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    """What the terminal cannot show is escaped, and nothing is lost."""
    out, err = logged("text", capsys)

    assert "failed a" in out
    assert r"\ud800" in out
    assert "ValueError" in out
    assert err == ""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_process_that_is_one_of_several_is_named_in_each_line(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines of several processes come out of one pipe."""
    set_up_logging("INFO", form, pid=4711)
    logging.getLogger("shop").info("works")
    line = capsys.readouterr().out
    assert ('"pid": 4711' if form == "json" else "works  pid=4711") in line

    set_up_logging("INFO", form)
    logging.getLogger("shop").info("works")
    assert "pid" not in capsys.readouterr().out


class Order(BaseModel):
    number: int = 1


def fail() -> None:
    """A function of the user's."""
    raise LookupError("no such shop")


async def on_the_loop(order: Order) -> None:
    """Fails on the event loop."""
    fail()


def in_a_thread(order: Order) -> None:
    """Fails in a thread."""
    fail()


@pytest.mark.parametrize("handler", [on_the_loop, in_a_thread])
async def test_a_traceback_for_people_begins_in_the_users_code(
    worker: WorkerFactory, capsys: pytest.CaptureFixture[str], handler: Callable[[Order], Any]
) -> None:
    """How the worker came to call the handler is left out."""
    worker.on("evt.order.placed.v1", Order, retry=RetryPolicy(attempts=1))(handler)
    set_up_logging("INFO", "text")
    async with worker() as bench:
        await bench.finished(await bench.publish("evt.order.placed.v1", Order()))

    out = capsys.readouterr().out
    files = re.findall(r'File "(.*?)", line \d+, in (\w+)', out)
    assert files == [(__file__, handler.__name__), (__file__, "fail")]
    assert "LookupError: no such shop" in out
