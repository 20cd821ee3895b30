"""Webhooks: what the sender says about one, and the proof that the sender sent it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from glam_shared.api.documented import Header, reads
from glam_shared.api.json_body import leave_body_unchecked
from glam_shared.api.service_context import service_logger
from glam_shared.errors import ConfigurationError, DomainError, UnauthorizedError
from glam_shared.messaging.strict_json import InvalidJsonError, check_json

SHOPIFY_SIGNATURE = "X-Shopify-Hmac-Sha256"
DEFAULT_MAX_BODY = 1024 * 1024

# Printable ASCII: both end up in events and log lines of other services.
_HEADER_TEXT = re.compile(r"[!-~]{1,256}")
_SEPARATORS = str.maketrans("/_", "..")


@dataclass(frozen=True, slots=True)
class WebhookHeaders:
    """What the headers say; only to be believed once the signature is verified."""

    topic: str
    webhook_id: str | None

    @property
    def event_type(self) -> str:
        """The topic with ``/`` and ``_`` turned into ``.``."""
        return self.topic.translate(_SEPARATORS)

    @property
    def event_id(self) -> str:
        """The id of this webhook's event: the same at every redelivery, shaped like a uuid4.

        Raises DomainError (400 ``MISSING_WEBHOOK_ID``) for a webhook without an id.
        """
        if self.webhook_id is None:
            raise DomainError("The webhook has no id", code="MISSING_WEBHOOK_ID")
        # "\0" cannot stand in either part, so no two webhooks share a text.
        text = f"webhook\0{self.topic}\0{self.webhook_id}"
        return str(UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def webhook_headers(
    topic: str = "X-Webhook-Topic", webhook_id: str = "X-Webhook-Id"
) -> Callable[[Request], Awaitable[WebhookHeaders]]:
    """A dependency that reads topic and id from headers of these names.

    400 ``MISSING_WEBHOOK_TOPIC``, ``INVALID_WEBHOOK_TOPIC`` or ``INVALID_WEBHOOK_ID``: each may be
    sent once, as 1 to 256 characters of printable ASCII; the id may be missing.
    """

    text = {"pattern": f"^{_HEADER_TEXT.pattern}$"}

    @reads(
        Header(topic, "What the webhook is about", schema=text),
        Header(webhook_id, "The same at every redelivery", required=False, schema=text),
    )
    async def read(request: Request) -> WebhookHeaders:
        found = _single(request, topic, "INVALID_WEBHOOK_TOPIC")
        if found is None:
            raise DomainError(f"{topic} is missing", code="MISSING_WEBHOOK_TOPIC")
        return WebhookHeaders(found, _single(request, webhook_id, "INVALID_WEBHOOK_ID"))

    return read


WebhookHeadersDep = Annotated[WebhookHeaders, Depends(webhook_headers())]
"""Topic and id from ``X-Webhook-Topic`` (required) and ``X-Webhook-Id``; otherwise 400."""


def _single(request: Request, name: str, code: str) -> str | None:
    found = [value.strip() for value in request.headers.getlist(name)]
    if not any(found):
        return None
    if len(found) > 1 or not _HEADER_TEXT.fullmatch(found[0]):
        message = f"{name} must be sent once, as 1 to 256 characters of printable ASCII"
        raise DomainError(message, code=code)
    return found[0]


def verify_webhook_signature(
    secret: str | Sequence[str],
    *,
    header: str = SHOPIFY_SIGNATURE,
    max_body: int = DEFAULT_MAX_BODY,
) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that gives the raw body once its HMAC-SHA256 (base64, in *header*) is right.

    The body is hashed while it streams in. 413 ``BODY_TOO_LARGE`` as soon as it exceeds *max_body*
    bytes; 401 ``INVALID_WEBHOOK_SIGNATURE`` for a signature that is missing, repeated or wrong.
    During a rotation *secret* is a sequence; each secret is tried.

    A route that declares a body model beside it has its body read before: take the body from here,
    or the cap comes too late. Raises ConfigurationError when a secret is missing.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets or not all(secrets):
        raise ConfigurationError("verify_webhook_signature was given no secret, or an empty one.")
    keys = tuple(one.encode() for one in secrets)
    name = header.lower().encode("ascii")

    @reads(Header(header, "HMAC-SHA256 of the raw body, base64"), json_body=True)
    async def verify(request: Request) -> bytes:
        given = _signature(request, name)
        macs = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]
        body = await _read_capped(request, max_body, macs)
        expected = [base64.b64encode(mac.digest()) for mac in macs]
        # A list, not a generator: every secret is compared, whichever matches.
        if not any([hmac.compare_digest(one, given) for one in expected]):  # noqa: C419
            raise _refused(request, "wrong signature")
        return body

    return verify


def parse_webhook_body(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*; 400 ``INVALID_WEBHOOK_BODY`` for anything else.

    As strict as the reader of an event: what passes here can be published.
    """
    try:
        check_json(body)
        found = json.loads(body)
    except (InvalidJsonError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, InvalidJsonError) else "cannot be read"
        raise DomainError(f"The body is not JSON: {reason}", code="INVALID_WEBHOOK_BODY") from None
    if not isinstance(found, dict):
        raise DomainError("The body is not a JSON object", code="INVALID_WEBHOOK_BODY")
    return found


def _signature(request: Request, name: bytes) -> bytes:
    found: list[bytes] = [value for key, value in request.scope["headers"] if key == name]
    if len(found) != 1:
        raise _refused(request, f"{len(found)} signatures")
    return found[0].strip()


async def _read_capped(request: Request, max_body: int, macs: Sequence[hmac.HMAC]) -> bytes:
    """The whole body, fed to *macs* piece by piece; 413 at the first byte beyond *max_body*."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > max_body:
        raise _too_large(max_body)
    leave_body_unchecked(request.scope)
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > max_body:
            raise _too_large(max_body)
        body += chunk
        for mac in macs:
            mac.update(chunk)
    # The stream can be read once; `request.body()` and `.json()` of the route find it here.
    request._body = bytes(body)
    return request._body


def _too_large(max_body: int) -> DomainError:
    message = f"The body is larger than {max_body} bytes"
    return DomainError(message, code="BODY_TOO_LARGE", status=413)


def _refused(request: Request, reason: str) -> UnauthorizedError:
    logger = service_logger(request.scope)
    logger.warning("Webhook not authenticated", extra={"reason": reason})
    return UnauthorizedError(
        "The webhook's signature is not valid", code="INVALID_WEBHOOK_SIGNATURE"
    )
