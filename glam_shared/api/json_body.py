"""JSON bodies, read as strictly as events are."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import Message, Receive, Scope

from glam_shared.messaging.strict_json import InvalidJsonError, check_json

_UNCHECKED = "glam_unchecked_body"


def is_json(content_type: bytes) -> bool:
    """Whether a body of this type is JSON: ``application/json`` or ``application/*+json``."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind.startswith(b"application/") and kind.endswith((b"/json", b"+json"))


def leave_body_unchecked(scope: Scope) -> None:
    """Let this request's body pass: whoever reads it verifies it before anything parses it."""
    scope.setdefault("state", {})[_UNCHECKED] = True


class StrictJsonBody:
    """Hands a body on piece by piece, and refuses it at its last one unless it is strict JSON.

    Python's `json` takes NaN, lone surrogates and numbers beyond a float: values that no answer
    and no event can carry, so that they would fail later, as an error of ours.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._pieces: list[bytes] = []

    async def __call__(self) -> Message:
        """The next message; HTTPException (422 ``VALIDATION_ERROR``) if the body is no JSON."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._check()
        return message

    def _check(self) -> None:
        body = b"".join(self._pieces)
        self._pieces.clear()
        if not body or self._scope["state"].get(_UNCHECKED):
            return
        try:
            check_json(body)
        except InvalidJsonError as error:
            raise _refused(str(error)) from None


def _refused(reason: str) -> HTTPException:
    found = {"field": "body", "message": f"not JSON: {reason}", "type": "json_invalid"}
    return HTTPException(
        422,
        {
            "code": "VALIDATION_ERROR",
            "message": "Request validation failed",
            "details": {"errors": [found]},
        },
    )
