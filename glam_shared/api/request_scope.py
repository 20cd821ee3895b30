"""The ids of the request in hand, and the context that carries them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeAlias

from glam_shared.correlation import CORRELATION_ID
from glam_shared.logging import REQUEST_CONTEXT

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

CORRELATION_HEADER = b"x-correlation-id"
REQUEST_HEADER = b"x-request-id"

_request_id: ContextVar[str | None] = ContextVar("glam_request_id", default=None)

# Nothing that could break a log line, a header or a subject.
_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def new_request_id() -> str:
    """A fresh request id: ``req_`` and 12 hexadecimal digits."""
    return f"req_{os.urandom(6).hex()}"


def get_request_id() -> str | None:
    """The id of the request that this task works for; None outside a request."""
    return _request_id.get()


def ids_of(found: Mapping[bytes, bytes], headers: Headers) -> tuple[str, str]:
    """(correlation id, request id) of a request with these *headers*, *found* by name.

    The client's if sane and sent once, else new.
    """
    # As `new_correlation_id` and `new_request_id`, from one reading of random bytes.
    fresh = os.urandom(12).hex()
    correlation_id, request_id = f"corr_{fresh[:12]}", f"req_{fresh[12:]}"
    if CORRELATION_HEADER in found:
        correlation_id = _own_id(CORRELATION_HEADER, found, headers) or correlation_id
    if REQUEST_HEADER in found:
        request_id = _own_id(REQUEST_HEADER, found, headers) or request_id
    return correlation_id, request_id


def _own_id(name: bytes, found: Mapping[bytes, bytes], headers: Headers) -> str | None:
    value = found[name]
    if not _SANE.fullmatch(value) or [key for key, _ in headers].count(name) > 1:
        return None
    return value.decode("ascii")


class RequestScope:
    """Work for a request inside the block; what was current before comes back after it."""

    __slots__ = ("_tokens", "correlation_id", "log_fields", "request_id")

    def __init__(self, correlation_id: str, request_id: str) -> None:
        self.correlation_id = correlation_id
        self.request_id = request_id
        self.log_fields: Mapping[str, Any] = {"request_id": request_id}

    def __enter__(self) -> RequestScope:
        self._tokens = (
            CORRELATION_ID.set(self.correlation_id),
            _request_id.set(self.request_id),
            REQUEST_CONTEXT.set(self.log_fields),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        correlation_id, request_id, log_fields = self._tokens
        CORRELATION_ID.reset(correlation_id)
        _request_id.reset(request_id)
        REQUEST_CONTEXT.reset(log_fields)

    def has_own_log_fields(self) -> bool:
        """Whether the lines of this task carry just our fields, and the service added none."""
        return (
            REQUEST_CONTEXT.get() is self.log_fields and CORRELATION_ID.get() is self.correlation_id
        )
