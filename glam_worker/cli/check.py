"""``glam-worker check``."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from glam_worker.cli.failing import code_of, each_of, explained
from glam_worker.cli.options import Json, Modules, Service
from glam_worker.cli.printing import document, note, table_or_blocks

if TYPE_CHECKING:
    from glam_shared.errors import GlamBaseError
    from glam_worker.cli.checking import Checked
    from glam_worker.declare.handler import Handler
    from glam_worker.settings import Settings

_HEADERS = (
    *("handler", "durable", "subject", "payload"),
    *("concurrency", "retry", "runs", "where"),
)


def check(modules: Modules, service: Service = None, as_json: Json = False) -> None:
    """Check what MODULE declares, and list its handlers. Needs no server.

    Every mistake is told with file and line; the exit code is 2 then.

    Example: glam-worker check myservice.handlers
    """
    from glam_shared.errors import GlamBaseError  # noqa: PLC0415 - --help stays quick
    from glam_worker.cli.checking import all_checked  # noqa: PLC0415

    with explained():
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what the user's modules print
                found, settings = all_checked(modules, service)
            found = replace(found, warnings=(*found.warnings, *_of_files(settings)))
        except GlamBaseError as error:
            if not as_json:
                raise
            document(_failed(error))
            raise typer.Exit(code_of(error)) from None
        _print(found, settings, as_json=as_json)


def _print(found: Checked, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        document(_described(found, settings))
        return
    table_or_blocks(
        _HEADERS, [_row(handler, found, settings) for handler in found.registry.handlers]
    )
    for warning in found.warnings:
        note(f"glam-worker: warning: {warning}")


def _of_files(settings: Settings) -> list[str]:
    """No mistakes: where a service is checked, its secrets need not be."""
    if settings.embedded:
        return []
    return [f"{line}; `run` would end with it" for line in settings.wrong_files()]


def _row(handler: Handler, found: Checked, settings: Settings) -> list[object]:
    from glam_worker.cli.wording import retry_in_words  # noqa: PLC0415
    from glam_worker.topology.specs import durable_of  # noqa: PLC0415

    return [
        handler.name,
        durable_of(handler.service, handler.name),
        handler.subject,
        handler.payload.__name__,
        handler.options.concurrency or settings.concurrency,
        retry_in_words(handler.options.retry),
        _kind(handler),
        handler.where,
    ]


def _kind(handler: Handler) -> str:
    return "async" if handler.is_async else "sync"


def _described(found: Checked, settings: Settings) -> dict[str, Any]:
    return {
        "service": found.service,
        "handlers": [_handler(handler, found, settings) for handler in found.registry.handlers],
        "warnings": list(found.warnings),
        "problems": [],
    }


def _handler(handler: Handler, found: Checked, settings: Settings) -> dict[str, Any]:
    from glam_worker.topology.specs import durable_of  # noqa: PLC0415

    options, retry = handler.options, handler.options.retry
    return {
        "handler": handler.name,
        "durable": durable_of(handler.service, handler.name),
        "lane": durable_of(handler.service, handler.name, "lane"),
        "subject": handler.subject,
        "stream": options.stream,
        "payload": f"{handler.payload.__module__}.{handler.payload.__qualname__}",
        "concurrency": options.concurrency or settings.concurrency,
        "timeout": options.timeout,
        "ack_wait": options.ack_wait,
        "start": options.start,
        "idempotent": options.remembered_for,
        "previously": list(options.previously),
        "retry": {
            "attempts": retry.attempts,
            "delays": [retry.delay(number) for number in range(1, min(retry.attempts, 1000))],
            "jitter": retry.jitter,
        },
        "runs": _kind(handler),
        "where": handler.where,
    }


def _failed(error: GlamBaseError) -> dict[str, Any]:
    return {
        "service": None,
        "handlers": [],
        "warnings": [],
        "problems": [_problem(problem) for problem in each_of(error)],
    }


def _problem(problem: GlamBaseError) -> dict[str, Any]:
    from glam_worker.traces import users_traceback  # noqa: PLC0415

    cause = problem.__cause__
    return {
        "where": getattr(problem, "where", None),
        "problem": getattr(problem, "problem", str(problem)),
        "traceback": None if cause is None else users_traceback(cause),
    }
