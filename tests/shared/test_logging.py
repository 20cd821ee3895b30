"""Log lines: JSON, complete, and never in the host program's way."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from glam_shared import ServiceLogger, correlation_scope, create_logger
from glam_shared.logging import JsonLineFormatter

Captured = pytest.CaptureFixture[str]
HEAD = {"timestamp", "level", "logger", "message"}


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[ServiceLogger]:
    """A service's logger that leaves nothing behind."""
    name = f"service.{request.node.name}"
    logger = create_logger(name)
    yield logger
    logger.clear_request_context()
    logging.getLogger(name).handlers.clear()


def lines(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_when_what_who_and_why(log: ServiceLogger, capsys: Captured) -> None:
    """A line has timestamp (UTC, milliseconds), level, logger, message and nothing uncalled for."""
    log.info("synced %d items", 3)

    (line,) = lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert {"level": "INFO", "logger": log.name, "message": "synced 3 items"} == line


def test_a_line_carries_fields_context_and_correlation_id(
    log: ServiceLogger, capsys: Captured
) -> None:
    """The extra fields, the request context and the correlation id are on the line, no other."""
    log.set_request_context(request_id="req_1", shop="s1")
    log.set_request_context(shop="s2")
    with correlation_scope("corr_1"):
        log.warning("m", extra={"items": 0, "note": ""})

    (line,) = lines(capsys)
    added = {
        "request_id": "req_1",
        "shop": "s2",
        "correlation_id": "corr_1",
        "items": 0,
        "note": "",
    }
    assert added == {key: line[key] for key in line.keys() - HEAD}


def test_every_level_has_its_method(log: ServiceLogger, capsys: Captured) -> None:
    """debug is silent by default; the other methods write their level."""
    for method in ("debug", "info", "warning", "error", "critical"):
        getattr(log, method)("m")

    assert ["INFO", "WARNING", "ERROR", "CRITICAL"] == [line["level"] for line in lines(capsys)]


def test_an_exception_comes_with_its_traceback(log: ServiceLogger, capsys: Captured) -> None:
    """`exception` writes the traceback of the exception in hand, on the same line."""
    try:
        int("no way")
    except ValueError:
        log.exception("failed")

    (line,) = lines(capsys)
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert "ValueError: invalid literal for int() with base 10: 'no way'" in line["exception"]


class Wordless:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Wordless(),
        float("nan"),
        float("-inf"),
        b"\xff\x00",
        "\ud800",
        "\x00\n",
        {("a", 1): {2}},
        10**5000,
        UUID(int=1),
        Decimal("0.10"),
        ValueError("x"),
        [[[Wordless()]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_breaks_the_line(log: ServiceLogger, capsys: Captured, value: Any) -> None:
    """Whatever is logged, the line is one line of strict JSON and the other fields are on it."""
    log.info("m", extra={"value": value, "other": 1})

    printed = capsys.readouterr()
    line = json.loads(printed.out, parse_constant=pytest.fail)
    assert ("m", 1) == (line["message"], line["other"])
    assert line["value"] is not None
    assert "" == printed.err


def test_a_value_that_contains_itself_does_not_break_the_line(
    log: ServiceLogger, capsys: Captured
) -> None:
    """A cycle is cut."""
    cycle: list[Any] = [1]
    cycle.append(cycle)

    log.info("m", extra={"cycle": cycle})

    assert [1, "<cut>"] == lines(capsys)[0]["cycle"]


@pytest.mark.parametrize("key", ["name", "message", "args", "exc_info", "level", "asctime", "msg"])
def test_a_field_named_like_a_records_attribute_does_not_raise(
    log: ServiceLogger, capsys: Captured, key: str
) -> None:
    """A field whose name collides is on the line, and the line's own keys are not lost."""
    log.info("hello", extra={key: "mine"})

    (line,) = lines(capsys)
    assert ("hello", "INFO", log.name) == (line["message"], line["level"], line["logger"])
    assert "mine" in line.values()


def test_arguments_that_do_not_fit_cost_no_line() -> None:
    """A message whose arguments do not fit it is written beside them."""
    record = logging.makeLogRecord({"msg": "%d items", "args": ("three",)})

    assert "%d items ['three']" == json.loads(JsonLineFormatter().format(record))["message"]


def test_a_second_create_logger_adds_no_second_handler(
    log: ServiceLogger, capsys: Captured
) -> None:
    """The same service's logger, created again, writes each line once."""
    create_logger(log.name)
    create_logger(log.name).info("once")

    assert ["once"] == [line["message"] for line in lines(capsys)]


async def test_request_context_is_per_task(log: ServiceLogger, capsys: Captured) -> None:
    """Concurrent requests see their own context only, and clearing one leaves the other."""
    both_set, one_cleared = asyncio.Barrier(2), asyncio.Event()

    async def first() -> None:
        log.set_request_context(request_id="first")
        await both_set.wait()
        log.clear_request_context()
        one_cleared.set()
        log.info("a")

    async def second() -> None:
        log.set_request_context(request_id="second")
        await both_set.wait()
        await one_cleared.wait()
        log.info("b")

    await asyncio.gather(first(), second())
    log.info("c")

    found = [(line["message"], line.get("request_id")) for line in lines(capsys)]
    assert [("a", None), ("b", "second"), ("c", None)] == found


def test_a_console_of_the_host_program_shows_each_line_once(
    log: ServiceLogger, capsys: Captured
) -> None:
    """A host program that logs to the console itself gets the record, in its own form, once."""
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.Formatter("host: %(message)s %(items)s"))
    logging.getLogger().addHandler(console)
    try:
        log.warning("m", extra={"items": 3})
    finally:
        logging.getLogger().removeHandler(console)

    assert "host: m 3\n" == capsys.readouterr().out


def test_the_host_programs_set_up_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Creating a logger changes neither the root logger nor a level or handler set before."""
    root, mine = logging.getLogger(), logging.getLogger("service.configured")
    mine.setLevel(logging.ERROR)
    handler = logging.NullHandler()
    mine.addHandler(handler)
    before = (root.level, list(root.handlers))

    create_logger("service.configured").error("m")

    assert before == (root.level, list(root.handlers))
    assert (logging.ERROR, [handler]) == (mine.level, mine.handlers)
    assert ["m"] == caplog.messages


def test_the_formatter_writes_plain_records_with_the_callers_fields_only() -> None:
    """A record of the standard logging module yields its `extra`, not the record's attributes."""
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "m", "mine": 1})

    line = json.loads(JsonLineFormatter().format(record))

    assert {"level", "logger", "message", "mine", "timestamp"} == line.keys()


def test_host_formatters_see_the_callers_place(
    log: ServiceLogger, caplog: pytest.LogCaptureFixture
) -> None:
    """A record names the function that logged, not the wrapper."""
    log.info("m")

    assert ["test_host_formatters_see_the_callers_place"] == [
        record.funcName for record in caplog.records
    ]
