"""What is kept of an error for a time when the process that met it is gone."""

from __future__ import annotations

from dataclasses import dataclass

from glam_shared.messaging.headers import one_line
from glam_shared.messaging.model_errors import error_text
from glam_worker.traces import users_traceback

MESSAGE_BYTES = 1024
TRACE_BYTES = 8192


class Recalled(Exception):
    """An error of an earlier run; its class has the name of the one that was raised."""

    def __init__(self, message: str, trace: str) -> None:
        self.trace = trace
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, told on a line each."""

    error: str
    """The name of its type."""
    message: str
    trace: str

    @classmethod
    def of(cls, cause: BaseException) -> Failure:
        """What is kept of ``cause``."""
        return cls(
            type(cause).__name__,
            one_line(error_text(cause), MESSAGE_BYTES),
            one_line(trace_of(cause), TRACE_BYTES, keep="end"),
        )

    def recalled(self) -> Recalled:
        """An error that tells the same."""
        kind: type[Recalled] = type(self.error.replace("\0", "") or "Exception", (Recalled,), {})
        return kind(self.message, self.trace)


def trace_of(cause: BaseException) -> str:
    """The traceback of an error; of one that cannot even be shown, its type."""
    if isinstance(cause, Recalled):
        return cause.trace
    try:
        return users_traceback(cause)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return type(cause).__name__
