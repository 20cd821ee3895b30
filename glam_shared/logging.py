"""Log lines of services: one JSON object a line on stdout, with the context of the task."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from glam_shared.correlation import get_correlation_context
from glam_shared.json_safe import json_safe, json_text

__all__ = ["REQUEST_CONTEXT", "JsonLineFormatter", "ServiceLogger", "create_logger"]

_FIELDS = "glam_fields"
_OWN_KEYS = frozenset({"timestamp", "level", "logger", "message", "exception", "stack"})
_RECORD_KEYS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

REQUEST_CONTEXT: ContextVar[Mapping[str, Any]] = ContextVar(
    "glam_request_context", default=MappingProxyType({})
)
"""The fields of every line of the current task; set whole, never changed in place."""


class JsonLineFormatter(JsonFormatter):
    """One JSON object: timestamp, level, logger, message, what the caller added, the context.

    A value that JSON does not know becomes text; a field that is named like one of the line's own
    keys is written as `extra_<name>`.
    """

    def __init__(self) -> None:
        super().__init__(json_serializer=partial(json.dumps, allow_nan=False))

    def format(self, record: logging.LogRecord) -> str:
        """The line, whatever the record carries."""
        line = _head(record)
        for key, value in {**_context(), **_caller_fields(record)}.items():
            line[f"extra_{key}" if key in _OWN_KEYS else key] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return self._serialize(line)

    def _serialize(self, line: dict[str, Any]) -> str:
        try:
            return self.serialize_log_record(line)
        except Exception:  # noqa: BLE001 - foreign objects raise what they like when asked for text
            return self.serialize_log_record(json_safe(line))


def _head(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {
        "timestamp": moment.replace("+00:00", "Z"),
        "level": record.levelname,
        "logger": record.name,
        "message": _message(record),
    }


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit must not cost the line
        return f"{json_text(record.msg)} {json_safe(record.args)}"


def _context() -> dict[str, Any]:
    context = dict(REQUEST_CONTEXT.get())
    correlation_id = get_correlation_context()
    if correlation_id is not None:
        context["correlation_id"] = correlation_id
    return context


def _caller_fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = record.__dict__.get(_FIELDS)
    if fields is not None:
        return dict(fields)
    return {key: value for key, value in record.__dict__.items() if key not in _RECORD_KEYS}


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to the stdout of the moment, unless the host program shows the record already."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(JsonLineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        if not _shown_by_host(logging.getLogger(record.name)):
            self.stream = sys.stdout
            super().emit(record)


def _shown_by_host(logger: logging.Logger | None) -> bool:
    """Whether a handler of the host program takes *logger*'s records to the console."""
    while logger is not None:
        if any(_is_console(handler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _is_console(handler: logging.Handler) -> bool:
    if isinstance(handler, _StdoutHandler) or not isinstance(handler, logging.StreamHandler):
        return False
    consoles = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return any(handler.stream is console for console in consoles)


class ServiceLogger:
    """A service's way to log: the standard levels, fields by `extra`, a context per task."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def name(self) -> str:
        """The service's name."""
        return self._logger.name

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        """For whoever looks for a fault."""
        self._write(logging.DEBUG, msg, args, **options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        """What happened, as expected."""
        self._write(logging.INFO, msg, args, **options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        """What somebody should look at."""
        self._write(logging.WARNING, msg, args, **options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        """What failed."""
        self._write(logging.ERROR, msg, args, **options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        """What stops the service."""
        self._write(logging.CRITICAL, msg, args, **options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        """What failed, with the exception in hand."""
        self._write(logging.ERROR, msg, args, **{"exc_info": True, **options})

    def set_request_context(self, **fields: Any) -> None:
        """Add *fields* to every line of the current task, and of tasks it starts from now on."""
        REQUEST_CONTEXT.set(MappingProxyType({**REQUEST_CONTEXT.get(), **fields}))

    def clear_request_context(self) -> None:
        """Forget the fields of the current task."""
        REQUEST_CONTEXT.set(MappingProxyType({}))

    def _write(
        self,
        level: int,
        msg: object,
        args: tuple[object, ...],
        *,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        # Two frames lie between the caller and logging: this one and the level's method.
        options["stacklevel"] = options.get("stacklevel", 1) + 2
        self._logger.log(level, msg, *args, extra=_record_fields(extra), **options)


def _record_fields(extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """All of *extra* for our formatter; for the host's, what logging lets be an attribute."""
    fields = {str(key): value for key, value in (extra or {}).items()}
    attributes = {key: value for key, value in fields.items() if key not in _RECORD_KEYS}
    return {**attributes, _FIELDS: fields}


def create_logger(service_name: str) -> ServiceLogger:
    """The logger of *service_name*; the same service twice gets one handler.

    A logger that the host program gave handlers or a level keeps them. A host program that shows
    records on the console itself does so in its own form; other handlers get the records as well.
    """
    logger = logging.getLogger(service_name)
    if not logger.handlers:
        logger.addHandler(_StdoutHandler())
    if logger.level == logging.NOTSET and not _shown_by_host(logger):
        logger.setLevel(logging.INFO)
    return ServiceLogger(logger)
