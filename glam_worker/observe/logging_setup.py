"""The process's log: JSON lines for machines or lines for people, with the run's names in both."""

from __future__ import annotations

import logging
import os
import sys
from types import TracebackType
from typing import Any, ClassVar, Literal, TypeAlias

from glam_shared.logging import JsonLineFormatter
from glam_worker.runtime.run import CURRENT, Run
from glam_worker.traces import users_traceback

ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

_SHARED_FIELDS = "glam_fields"


class RunFields(logging.Filter):
    """Adds the names of the run to what is logged inside of a handler, and to all the process."""

    def __init__(self, pid: int | None) -> None:
        super().__init__()
        self._process = {} if pid is None else {"pid": pid}

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record is given its fields."""
        run = CURRENT.get()
        fields = self._process if run is None else self._process | _fields(run)
        if fields:
            _add(record, fields)
        return True


def _fields(run: Run) -> dict[str, Any]:
    return {
        "service": run.service,
        "handler": run.handler.name,
        "subject": run.subject,
        "event_id": run.event_id,
        "correlation_id": run.correlation_id,
        "attempt": run.attempt,
        "sequence": run.sequence,
    }


def _add(record: logging.LogRecord, fields: dict[str, Any]) -> None:
    own = record.__dict__.get(_SHARED_FIELDS)
    if own is not None:
        record.__dict__[_SHARED_FIELDS] = fields | own
    for name, value in fields.items():
        record.__dict__.setdefault(name, value)


class _PlainFormatter(logging.Formatter):
    """One line for people: the message, then what tells the event."""

    _SHOWN = (
        *("pid", "handler", "subject", "sequence", "attempt"),
        *("reason", "error", "error_message", "event_id"),
    )

    def format(self, record: logging.LogRecord) -> str:
        known = record.__dict__ | record.__dict__.get(_SHARED_FIELDS, {})
        fields = " ".join(f"{name}={known[name]}" for name in self._SHOWN if known.get(name))
        text, separator, trace = super().format(record).partition("\n")
        line = f"{text}  {fields}{separator}{trace}" if fields else f"{text}{separator}{trace}"
        return _printable(line)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the name that logging calls
        """From the user's first line on."""
        error = ei[1]
        return super().formatException(ei) if error is None else users_traceback(error).rstrip()


def _printable(line: str) -> str:
    """Escape what the output cannot encode: one character must not cost the line."""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


class _ColouredFormatter(_PlainFormatter):
    """The same for a terminal: what needs attention stands out."""

    _COLOURS: ClassVar = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = self._COLOURS.get(record.levelname)
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def set_up_logging(level: str, form: Literal["json", "text"], pid: int | None = None) -> None:
    """Send the root logger's lines to stdout in one form; replaces what was set up before.

    ``pid`` is said in each line: that of a process which is one of several.
    """
    handler = _people() if form == "text" else _machines()
    handler.addFilter(RunFields(pid))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def _machines() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLineFormatter())
    return handler


def _people() -> logging.Handler:
    people = logging.StreamHandler(sys.stdout)
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    form = _ColouredFormatter if coloured else _PlainFormatter
    people.setFormatter(form("%(asctime)s %(levelname)-7s %(message)s"))
    return people
