"""JetStream's own requests, as raw JSON: nats-py's classes lose fields they do not know."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from glam_shared.messaging.broker_errors import ApiError, BrokerError, ConnectionLost, NotFound
from glam_shared.messaging.connection import Connection
from glam_shared.messaging.reply_mux import ReplyMux
from glam_shared.messaging.server_clock import ServerClock

_NOT_FOUND = 404
_NAMES_DOMAIN = "STREAM.INFO."
"""Few answers name the domain of the server."""


class JetStreamApi:
    """Asks `$JS.API`, or a domain's, and notes the server's time from the answers."""

    def __init__(self, connection: Connection, mux: ReplyMux, clock: ServerClock) -> None:
        self._connection = connection
        self._mux = mux
        self._clock = clock
        self.prefix = "$JS.API"
        self.answers_as: str | None = None
        """The domain its servers say they are, empty for none; None until one has said it."""

    def use_domain(self, domain: str | None) -> None:
        """Ask this JetStream domain; None is the account's own."""
        self.prefix = "$JS.API" if domain is None else f"$JS.{domain}.API"
        self.answers_as = None

    async def call(
        self, operation: str, body: Mapping[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        """The answer to *operation*, such as `STREAM.INFO.ORDERS`.

        Raises ApiError (NotFound for code 404), NoAnswer, NobodyListens, PermissionDenied,
        ConnectionLost.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        if not await self._connection.wait_up(timeout):
            raise ConnectionLost(f"{operation}: NATS is away: {self._connection.problem}.")
        asked = time.monotonic()
        payload = b"" if body is None else json.dumps(body).encode()
        subject = f"{self.prefix}.{operation}"
        said = await self._mux.ask(
            self._connection.client, subject, payload, max(deadline - loop.time(), 0.0)
        )
        answer = _read(operation, said)
        self._clock.hear(_moment(answer), asked)
        if operation.startswith(_NAMES_DOMAIN):
            self.answers_as = str(answer.get("domain", ""))
        return answer


def _read(operation: str, data: bytes) -> dict[str, Any]:
    try:
        answer = from_json(data)
    except ValueError as error:
        raise BrokerError(f"{operation}: the answer is not JSON.", cause=error) from error
    if not isinstance(answer, dict):
        raise BrokerError(f"{operation}: the answer is not a JSON object.")
    if "error" in answer:
        raise api_error(operation, answer["error"])
    return answer


def _moment(answer: Mapping[str, Any]) -> object:
    """When it was answered: lists have no time of their own, but what they list has."""
    for told in (answer, *_last(answer.get("streams")), *_last(answer.get("consumers"))):
        if "ts" in told:
            return told["ts"]
    return None


def _last(listed: object) -> list[dict[str, Any]]:
    items = listed[-1:] if isinstance(listed, list) else []
    return [item for item in items if isinstance(item, dict)]


def api_error(operation: str, error: Mapping[str, Any]) -> ApiError:
    """The error JetStream put into an answer."""
    code = int(error.get("code", 0))
    kind = NotFound if code == _NOT_FOUND else ApiError
    return kind(
        operation,
        code=code,
        err_code=int(error.get("err_code", 0)),
        description=str(error.get("description", "")),
    )
