"""Webhooks: only the sender's own bytes get through, and no more of them than allowed."""

# No `annotations` of the future here: FastAPI could not find the dependencies made in a fixture.
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Request

from glam_shared.api import (
    WebhookHeaders,
    WebhookHeadersDep,
    parse_webhook_body,
    verify_webhook_signature,
    webhook_headers,
)
from glam_shared.errors import ConfigurationError, DomainError

SECRET = "webhook-secret"
CAP = 1000

Lines = Callable[[], list[dict[str, Any]]]


def signature(body: bytes, secret: str = SECRET) -> str:
    """What Shopify would put into X-Shopify-Hmac-Sha256."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def signed(body: bytes, **more: str) -> dict[str, str]:
    """The headers of a good webhook with this body."""
    return {
        "X-Shopify-Hmac-Sha256": signature(body),
        "X-Webhook-Topic": "orders/create",
        "X-Webhook-Id": "w-1",
        "Content-Type": "application/json",
        **more,
    }


@pytest.fixture
def hooks(app: FastAPI) -> FastAPI:
    """An application that takes webhooks."""
    verified = verify_webhook_signature([SECRET, "other-secret"], max_body=CAP)

    @app.post("/hooks")
    async def hook(
        headers: WebhookHeadersDep, body: Annotated[bytes, Depends(verified)], request: Request
    ) -> dict[str, Any]:
        assert body == await request.body()
        return {"event_type": headers.event_type, "size": len(body)}

    return app


async def test_a_signed_webhook_gets_through(hooks: FastAPI, client: httpx.AsyncClient) -> None:
    """The raw body is verified as it is, and the route can still read it."""
    body = b'{"id": 1,  "odd":\t"spacing"}'

    answer = await client.post("/hooks", content=body, headers=signed(body))

    assert {"event_type": "orders.create", "size": len(body)} == answer.json()


async def test_either_secret_of_a_rotation_will_do(
    hooks: FastAPI, client: httpx.AsyncClient
) -> None:
    """A signature of the second secret is as good as one of the first."""
    headers = signed(b"{}", **{"X-Shopify-Hmac-Sha256": signature(b"{}", "other-secret")})

    assert 200 == (await client.post("/hooks", content=b"{}", headers=headers)).status_code


@pytest.mark.parametrize(
    "signatures",
    [
        [],
        [""],
        [signature(b"{} ")],
        [signature(b"{}", "no secret of ours")],
        [signature(b"{}").lower()],
        [signature(b"{}").rstrip("=")],
        [hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()],
        [signature(b"{}"), signature(b"{}")],
        [signature(b"{}"), "x"],
        [signature(b"{}") + ", " + signature(b"{}")],
        ["\u00e9" * 44],
        ["A" * 100_000],
    ],
    ids=[
        "none", "empty", "of another body", "of another secret", "in lower case", "unpadded",
        "in hex", "twice", "and another", "joined", "not ASCII", "long",
    ],
)  # fmt: skip
async def test_a_wrong_signature_is_401(
    hooks: FastAPI, client: httpx.AsyncClient, lines: Lines, signatures: list[str]
) -> None:
    """Missing, wrong or repeated: one 401, the reason in the log only."""
    good = [(name, value) for name, value in signed(b"{}").items() if "Hmac" not in name]
    sent = [(b"X-Shopify-Hmac-Sha256", value.encode("latin-1")) for value in signatures]
    headers = [(name.encode(), value.encode()) for name, value in good] + sent

    answer = await client.post("/hooks", content=b"{}", headers=headers)

    assert (401, "INVALID_WEBHOOK_SIGNATURE") == (
        answer.status_code,
        answer.json()["error"]["code"],
    )
    assert {"code", "message"} == set(answer.json()["error"])
    assert "Webhook not authenticated" in [line["message"] for line in lines()]


async def test_nothing_is_parsed_before_it_is_verified(
    hooks: FastAPI, client: httpx.AsyncClient
) -> None:
    """A body that is no JSON is judged by its signature: wrong 401, right 200 for the raw bytes."""
    bad = await client.post("/hooks", content=b"{NaN", headers=signed(b"other"))
    good = await client.post("/hooks", content=b"{NaN", headers=signed(b"{NaN"))

    assert [401, 200] == [bad.status_code, good.status_code]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("X-Webhook-Topic", None, "MISSING_WEBHOOK_TOPIC"),
        ("X-Webhook-Topic", b"", "MISSING_WEBHOOK_TOPIC"),
        ("X-Webhook-Topic", b"x" * 257, "INVALID_WEBHOOK_TOPIC"),
        ("X-Webhook-Topic", b"a b", "INVALID_WEBHOOK_TOPIC"),
        ("X-Webhook-Topic", b"caf\xe9", "INVALID_WEBHOOK_TOPIC"),
        ("X-Webhook-Topic", b"a\x00b", "INVALID_WEBHOOK_TOPIC"),
        ("X-Webhook-Id", b"x" * 257, "INVALID_WEBHOOK_ID"),
        ("X-Webhook-Id", b"a\nb", "INVALID_WEBHOOK_ID"),
    ],
)
async def test_headers_that_cannot_be_are_400(
    hooks: FastAPI, client: httpx.AsyncClient, name: str, value: bytes | None, code: str
) -> None:
    """Each has its own code."""
    good = {key: text.encode() for key, text in signed(b"{}").items() if key != name}
    sent = good if value is None else {**good, name: value}
    headers = [(key.encode(), content) for key, content in sent.items()]

    answer = await client.post("/hooks", content=b"{}", headers=headers)

    assert (400, code) == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("name", ["X-Webhook-Topic", "X-Webhook-Id"])
async def test_a_header_sent_twice_is_400(
    hooks: FastAPI, client: httpx.AsyncClient, name: str
) -> None:
    """Of two topics or ids neither is believed."""
    headers = [*signed(b"{}").items(), (name, "another")]

    assert 400 == (await client.post("/hooks", content=b"{}", headers=headers)).status_code


async def test_header_names_can_be_the_sender_s_own(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    """Shopify's own header names serve as well."""
    shopify = webhook_headers("X-Shopify-Topic", "X-Shopify-Webhook-Id")

    @app.post("/hooks")
    async def hook(headers: Annotated[WebhookHeaders, Depends(shopify)]) -> list[str | None]:
        return [headers.topic, headers.event_type, headers.webhook_id]

    answer = await client.post(
        "/hooks",
        headers={"X-Shopify-Topic": "app/uninstalled_now", "X-Shopify-Webhook-Id": "b1"},
    )

    assert ["app/uninstalled_now", "app.uninstalled.now", "b1"] == answer.json()


def test_an_event_id_is_the_webhook_s() -> None:
    """A redelivered webhook has the same event id, any other another; a uuid4 by shape."""
    first = WebhookHeaders("orders/create", "w-1").event_id

    assert first == WebhookHeaders("orders/create", "w-1").event_id
    assert 4 == UUID(first).version
    others = [("orders/create", "w-2"), ("orders/updated", "w-1"), ("orders/createw", "-1")]
    assert first not in {WebhookHeaders(*other).event_id for other in others}


def test_a_webhook_without_an_id_has_no_event_id() -> None:
    """Without an id a redelivery could not be told from a new webhook: 400."""
    with pytest.raises(DomainError) as found:
        _ = WebhookHeaders("orders/create", None).event_id

    assert (400, "MISSING_WEBHOOK_ID") == (found.value.status, found.value.code)


@pytest.mark.parametrize("secret", ["", [], ["a", ""]])
def test_an_empty_secret_is_refused(secret: str | list[str]) -> None:
    """An empty secret would let everybody sign: it is an error at start-up."""
    with pytest.raises(ConfigurationError, match="no secret"):
        verify_webhook_signature(secret)


async def test_a_body_of_the_cap_is_taken_and_one_byte_more_is_413(
    hooks: FastAPI, client: httpx.AsyncClient
) -> None:
    """The cap is exact, with a length announced and without."""

    async def pieces(body: bytes) -> Any:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    for size, status in ((CAP, 200), (CAP + 1, 413)):
        body = b"x" * size
        for content in (body, pieces(body)):
            answer = await client.post("/hooks", content=content, headers=signed(body))
            assert status == answer.status_code
    assert "BODY_TOO_LARGE" == answer.json()["error"]["code"]


async def test_a_chunked_body_over_the_cap_is_cut_off_while_it_streams(
    hooks: FastAPI, serving: Any, raw_request: Any
) -> None:
    """On a real server the 413 comes before the sender is through, and the connection ends."""
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed(b"").items())
    request = b"POST /hooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
    chunk = b"190\r\n" + b"x" * 400 + b"\r\n"

    async with serving(hooks) as port:
        answer, sent = await raw_request(port, request, *[chunk] * 100)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "BODY_TOO_LARGE"
    assert sent < 100


async def test_a_length_over_the_cap_is_refused_before_the_body(
    hooks: FastAPI, serving: Any, raw_request: Any
) -> None:
    """Who announces too much is answered before sending any of it."""
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed(b"").items())
    request = b"POST /hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n" + head + b"\r\n"

    async with serving(hooks) as port:
        answer, _ = await raw_request(port, request)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_signed_body_in_pieces_on_a_real_server(
    hooks: FastAPI, serving: Any, raw_request: Any
) -> None:
    """A good chunked webhook gets through however it is cut."""
    body = b'{"a": 1}'
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed(body).items())
    request = b"POST /hooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
    pieces = [b"1\r\n" + body[i : i + 1] + b"\r\n" for i in range(len(body))]

    async with serving(hooks) as port:
        answer, _ = await raw_request(port, request, *pieces, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_route_with_a_body_model_is_verified_too(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    """FastAPI reads the body of such a route first; the signature is checked all the same."""
    verified = verify_webhook_signature(SECRET, max_body=CAP)

    @app.post("/hooks", dependencies=[Depends(verified)])
    async def hook(body: Annotated[dict[str, Any], Body()]) -> int:
        return len(body)

    sent = [(b'{"a": 1}', b'{"a": 1}'), (b'{"a": 1}', b'{"a": 2}')]
    found = [
        await client.post("/hooks", content=body, headers=signed(other)) for body, other in sent
    ]

    assert [200, 401] == [answer.status_code for answer in found]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b'{"a": 1, "a": 2}',
        b"\xff",
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_a_body_that_could_not_be_published_is_400(body: bytes) -> None:
    """What an event could not carry is refused where it comes in."""
    with pytest.raises(DomainError) as found:
        parse_webhook_body(body)

    assert (400, "INVALID_WEBHOOK_BODY") == (found.value.status, found.value.code)


def test_a_body_is_parsed() -> None:
    """An object is given as it is."""
    assert {"a": [1, 2.5, "ü"]} == parse_webhook_body('{"a": [1, 2.5, "ü"]}'.encode())
