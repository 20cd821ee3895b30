"""The bearer token of a request."""

from __future__ import annotations

from starlette.requests import Request

AUTHORIZATION = b"authorization"


class NoBearerTokenError(Exception):
    """Why a request carries no usable token; for the log only."""


def bearer_token(request: Request) -> str:
    """The token after ``Authorization: Bearer``; raises NoBearerTokenError with the reason."""
    found = [value for name, value in request.scope["headers"] if name == AUTHORIZATION]
    if len(found) != 1:
        raise NoBearerTokenError(f"{len(found)} Authorization headers")
    value: bytes = found[0]
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer":
        raise NoBearerTokenError("another scheme than Bearer")
    try:
        return token.strip(b" ").decode("ascii")
    except UnicodeDecodeError:
        raise NoBearerTokenError("token is not ASCII") from None
