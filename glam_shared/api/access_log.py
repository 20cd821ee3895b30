"""One line for each request."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from contextlib import nullcontext, suppress
from functools import lru_cache

from glam_shared.api.request_scope import RequestScope
from glam_shared.logging import JsonLineFormatter, ServiceLogger

MESSAGE = "Request"

_text = lru_cache(maxsize=1024)(json.dumps)


class AccessLog:
    """Writes the lines.

    The way through `logging` costs as much as a third of a small request. While the logger is just
    as `create_logger` made it, the same line is put together here; in any other set-up it goes
    through `logging`, handlers and filters of the host program included.
    """

    def __init__(self, logger: ServiceLogger) -> None:
        self._service_logger = logger
        self._logger = logging.getLogger(logger.name)
        self._name = json.dumps(logger.name)
        self._flush_is_due = False
        self._second = 0
        self._second_text = ""

    def write(
        self, method: str, route: str, status: int | None, duration_ms: float, ids: RequestScope
    ) -> None:
        """One line, now; *duration_ms* from arrival to the answer's last byte."""
        handler = self._only_handler()
        if handler is None or not ids.has_own_log_fields():
            fields = {
                "method": method, "route": route, "status": status, "duration_ms": duration_ms
            }  # fmt: skip
            self._service_logger.info(MESSAGE, extra=fields)
            return
        if not self._logger.isEnabledFor(logging.INFO):
            return
        line = (
            f'{{"timestamp": "{self._timestamp()}", "level": "INFO", "logger": {self._name}, '
            f'"message": "{MESSAGE}", "request_id": "{ids.request_id}", '
            f'"correlation_id": "{ids.correlation_id}", "method": "{method}", '
            f'"route": {_text(route)}, "status": {"null" if status is None else status}, '
            f'"duration_ms": {duration_ms}}}\n'
        )
        with handler.lock or nullcontext():
            try:
                sys.stdout.write(line)
            except (OSError, ValueError):
                return  # A full disk or a closed stdout must not cost the client its answer.
        if not self._flush_is_due:
            # One for all requests that end in this turn of the loop.
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        with suppress(OSError, ValueError):
            sys.stdout.flush()

    def _only_handler(self) -> logging.Handler | None:
        """The handler of `create_logger`, if nothing else can want the record."""
        logger, root = self._logger, logging.root
        if (
            len(logger.handlers) != 1
            or root.handlers
            or logger.filters
            or logger.parent is not root
        ):
            return None
        handler = logger.handlers[0]
        plain = not handler.level and not handler.filters
        return handler if plain and type(handler.formatter) is JsonLineFormatter else None

    def _timestamp(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"
