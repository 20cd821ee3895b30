"""The ids of the request in hand, and the context that carries them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, TypeAlias

from glam_shared.correlation import get_correlation_context, set_correlation_context
from glam_shared.logging import _request_context

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

CORRELATION_HEADER = b"x-correlation-id"
REQUEST_HEADER = b"x-request-id"

_request_id: ContextVar[str | None] = ContextVar("glam_request_id", default=None)

# Nothing that could break a log line, a header or a subject.
_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def new_request_id() -> str:
    """A fresh request id: ``req_`` and 12 hexadecimal digits."""
    return f"req_{secrets.token_hex(6)}"


def get_request_id() -> str | None:
    """The id of the request that this task works for; None outside a request."""
    return _request_id.get()


def own_id(name: bytes, found: Mapping[bytes, bytes], headers: Headers) -> str | None:
    """The id in the header *name* if it is sane and was sent once; *found* are the *headers*."""
    value = found.get(name)
    if value is None or not _SANE.fullmatch(value):
        return None
    sent_once = sum(key == name for key, _ in headers) == 1
    return value.decode("ascii") if sent_once else None


class RequestScope:
    """Work for a request inside the block; what was current before comes back after it.

    A class, not a generator: every request passes here, and this is five times as fast.
    """

    __slots__ = ("_before", "correlation_id", "log_fields", "request_id")

    def __init__(self, correlation_id: str, request_id: str) -> None:
        self.correlation_id = correlation_id
        self.request_id = request_id
        self.log_fields: Mapping[str, Any] = MappingProxyType({"request_id": request_id})

    def __enter__(self) -> RequestScope:
        self._before = get_correlation_context(), _request_id.get(), _request_context.get()
        set_correlation_context(self.correlation_id)
        _request_id.set(self.request_id)
        _request_context.set(self.log_fields)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        correlation_id, request_id, log_fields = self._before
        set_correlation_context(correlation_id)
        _request_id.set(request_id)
        _request_context.set(log_fields)

    @property
    def has_own_log_fields(self) -> bool:
        """Whether the lines of this task carry just our fields, and the service added none."""
        return (
            _request_context.get() is self.log_fields
            and get_correlation_context() == self.correlation_id
        )
