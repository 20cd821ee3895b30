"""Everything in full, but no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from glam_shared.api import setup_debug_handlers, setup_debug_middleware, setup_middleware
from glam_shared.api.masking import mask_body, mask_query, mask_value
from glam_shared.errors import ConfigurationError

Lines = Callable[[], list[dict[str, Any]]]


class Login(BaseModel):
    user: str
    password: int


@pytest.fixture
def debugged() -> FastAPI:
    """An application under debugging."""
    app = FastAPI()
    setup_debug_middleware(app, debug=True, max_body=200)
    setup_debug_handlers(app, debug=True)
    setup_middleware(app, service_name="shop-service")

    @app.post("/login")
    async def login(login: Login, response: Response) -> dict[str, Any]:
        response.headers["Set-Cookie"] = "session=hunter2"
        return {"user": login.user, "access_token": "hunter2"}

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    return app


@pytest.mark.parametrize("setup", [setup_debug_middleware, setup_debug_handlers])
@pytest.mark.parametrize("value", [None, "", "0", "false"])
def test_debugging_must_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, setup: Callable[..., None], value: str | None
) -> None:
    """Without an explicit setting a service that debugs does not start; the error says how."""
    if value:
        monkeypatch.setenv("GLAM_HTTP_DEBUG", value)

    with pytest.raises(ConfigurationError, match="GLAM_HTTP_DEBUG=1"):
        setup(FastAPI())
    with pytest.raises(ConfigurationError, match="GLAM_HTTP_DEBUG=1"):
        setup(FastAPI(debug=True), debug=False)


def test_three_ways_to_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument, the application's own flag, or the environment."""
    setup_debug_middleware(FastAPI(), debug=True)
    setup_debug_middleware(FastAPI(debug=True))
    monkeypatch.setenv("GLAM_HTTP_DEBUG", "1")
    setup_debug_middleware(FastAPI())


async def test_requests_and_answers_in_full_without_secrets(
    debugged: FastAPI, connect: Any, lines: Lines
) -> None:
    """Headers, query and both bodies are logged; what is named like a secret is masked."""
    answer = await connect(debugged).post(
        "/login?page=1&api_key=hunter2",
        json={"user": "u", "password": 31337, "nested": [{"client_secret": "hunter2"}]},
        headers={
            "Authorization": "Bearer hunter2",
            "Cookie": "a=hunter2",
            "X-Shopify-Hmac-Sha256": "hunter2",
            "X-Api-Key": "hunter2",
            "X-Shop-Domain": "shop.example",
        },
    )

    assert 200 == answer.status_code
    written = lines()
    assert {"Request in full", "Answer in full", "Request"} == {line["message"] for line in written}
    assert "hunter2" not in str(written)
    assert "31337" not in str(written)
    full = next(line for line in written if line["message"] == "Request in full")
    assert ("POST", "/login", "page=1&api_key=***") == (full["method"], full["path"], full["query"])
    assert {"user": "u", "password": "***", "nested": [{"client_secret": "***"}]} == full["body"]
    assert "shop.example" == full["headers"]["x-shop-domain"]
    told = next(line for line in written if line["message"] == "Answer in full")
    assert (200, {"user": "u", "access_token": "***"}) == (told["status"], told["body"])
    assert 1 == len({line["correlation_id"] for line in written})


async def test_bodies_are_capped(debugged: FastAPI, connect: Any, lines: Lines) -> None:
    """Of a long body its head and its size are logged, and a secret in the head is masked."""
    body = b'{"password": "hunter2", "pad": "' + b"x" * 5000 + b'"}'

    answer = await connect(debugged).post(
        "/raw", content=body, headers={"content-type": "text/plain"}
    )

    assert len(body) == answer.json()
    full = next(line for line in lines() if line["message"] == "Request in full")
    assert "hunter2" not in full["body"]
    assert f"({len(body)} bytes)" in full["body"]
    assert len(full["body"]) < 300


async def test_validation_errors_in_full(debugged: FastAPI, connect: Any, lines: Lines) -> None:
    """The refused input is logged, a secret field's is not; the answer is the usual one."""
    answer = await connect(debugged).post("/login", json={"user": 7, "password": "hunter2"})

    assert "VALIDATION_ERROR" == answer.json()["error"]["code"]
    written = lines()
    failed = next(line for line in written if line["message"] == "Validation failed")
    assert [7, "***"] == [error["input"] for error in failed["errors"]]
    assert "hunter2" not in str(written)


async def test_without_debugging_no_input_is_logged(
    app: FastAPI, client: Any, lines: Lines
) -> None:
    """What debugging logs is logged by debugging only."""

    @app.post("/login")
    async def login(login: Login) -> None: ...

    await client.post("/login", json={"user": "somebody", "password": "hunter2"})

    assert "somebody" not in str(lines())


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (b"", "application/json", None),
        (b"\x00\xff", "image/png", "<2 bytes of image/png>"),
        (
            b"a=1&pass=x&password=x&a=2",
            "application/x-www-form-urlencoded",
            "a=1&pass=***&password=***&a=2",
        ),
        (b'{"a": {"apiKey": [1, 2]}}', "application/json; charset=utf-8", {"a": {"apiKey": "***"}}),
        (b'{"token": "a\\"b", "x": 1', "application/json", '{"token": ***, "x": 1'),
        (b'{"token": {"deep": "x"', "application/json", '{"token": ***'),
        (b"secret=x y", "text/plain", "secret=*** y"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"[" * 5000, "application/json", "[" * 5000),
    ],
)
def test_bodies_are_masked_by_their_kind(body: bytes, kind: str, shown: Any) -> None:
    """JSON as data, forms and text as text, the rest as its size."""
    assert shown == mask_body(body, kind, total=len(body))


def test_masking_keeps_what_is_no_secret() -> None:
    """Only what is named like a secret is masked, at any depth."""
    assert {"a": [{"b": 1, "Password": "***"}]} == mask_value({"a": [{"b": 1, "Password": "x"}]})
    assert "q=a+b&sessionId=***&e=" == mask_query("q=a%20b&sessionId=1&e=")


async def test_a_body_too_deep_to_mask_costs_no_answer(connect: Any, lines: Lines) -> None:
    """Debugging that fails leaves the answer alone and says so in the log."""
    app = FastAPI()
    setup_debug_handlers(app, debug=True)

    deep: Any = 1
    for _ in range(5000):
        deep = [deep]

    from fastapi.exceptions import RequestValidationError

    @app.get("/")
    async def root() -> None:
        raise RequestValidationError([{"loc": ("a",), "msg": "m", "type": "t", "input": deep}])

    setup_middleware(app, service_name="shop-service")
    answer = await connect(app).get("/")

    assert 422 == answer.status_code
    assert any("observer" in line["message"] for line in lines())
