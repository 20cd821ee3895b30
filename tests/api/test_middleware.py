"""Ids, the access line, and an answer whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from glam_shared.api import LoggerDep, setup_middleware
from glam_shared.correlation import get_correlation_context
from glam_shared.errors import (
    ConfigurationError,
    ConflictError,
    GlamBaseError,
    NotFoundError,
    RateLimitExceededError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from glam_shared.logging import create_logger

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def nobody_else_listening() -> Iterator[None]:
    """Inside, no handler but ours wants records: pytest's own are away."""
    handlers, logging.root.handlers = logging.root.handlers, []
    try:
        yield
    finally:
        logging.root.handlers = handlers


def access(lines: Lines) -> dict[str, Any]:
    """The one access line among those written."""
    (line,) = [line for line in lines() if line["message"] == "Request"]
    return line


async def test_sane_ids_are_taken(app: FastAPI, client: httpx.AsyncClient, lines: Lines) -> None:
    """The client's ids are in the context, on the request's state, in the log and on the answer."""

    @app.get("/ids")
    async def ids(request: Request, logger: LoggerDep) -> list[str | None]:
        logger.info("inside")
        return [get_correlation_context(), request.state.correlation_id, request.state.request_id]

    answer = await client.get(
        "/ids", headers={"X-Correlation-ID": "corr.A:1", "X-Request-ID": "r-1"}
    )

    assert ["corr.A:1", "corr.A:1", "r-1"] == answer.json()
    assert "corr.A:1" == answer.headers["X-Correlation-ID"]
    assert "r-1" == answer.headers["X-Request-ID"]
    assert "shop-service" == answer.headers["X-Service-Name"]
    inside, line = lines()
    for written in (inside, line):
        assert ("corr.A:1", "r-1") == (written["correlation_id"], written["request_id"])


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a b",
        b"x" * 129,
        b"caf\xc3\xa9",
        b"a\nb",
        b"a\r\nSet-Cookie: x=1",
        b"a\x00",
        b"a;b",
        b"a/b",
        b"a\n",
    ],
)
async def test_ids_that_are_not_sane_are_replaced(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines, value: bytes
) -> None:
    """What could break a header or a log line never comes back: a new id takes its place."""

    @app.get("/ids")
    async def ids() -> str | None:
        return get_correlation_context()

    answer = await client.get("/ids", headers={b"X-Correlation-ID": value, b"X-Request-ID": value})

    assert re.fullmatch(r"corr_[0-9a-f]{12}", answer.json())
    assert answer.json() == answer.headers["X-Correlation-ID"]
    assert re.fullmatch(r"req_[0-9a-f]{12}", answer.headers["X-Request-ID"])
    assert "Set-Cookie" not in answer.headers
    assert answer.json() == access(lines)["correlation_id"]


async def test_an_id_sent_twice_is_replaced(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Of two correlation ids neither is believed."""
    headers = [("X-Correlation-ID", "one"), ("X-Correlation-ID", "two")]

    answer = await client.get("/nowhere", headers=headers)

    assert re.fullmatch(r"corr_[0-9a-f]{12}", answer.headers["X-Correlation-ID"])


@pytest.mark.parametrize("way", ["straight", "through logging"])
async def test_parallel_requests_never_see_each_other(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines, way: str
) -> None:
    """200 requests at once: each answer and each log line carries its own request's id only."""
    arrived = 0
    everybody = asyncio.Event()

    @app.get("/wait/{name}")
    async def wait(name: str, logger: LoggerDep) -> str | None:
        nonlocal arrived
        logger.set_request_context(caller=name)
        arrived += 1
        if arrived == 200:
            everybody.set()
        await everybody.wait()
        logger.info("inside", extra={"name": name})
        return get_correlation_context()

    @app.get("/thread/{name}")
    def thread(name: str, logger: LoggerDep) -> str | None:
        logger.info("inside", extra={"name": name})
        return get_correlation_context()

    async def ask(path: str, number: int) -> None:
        answer = await client.get(f"/{path}/c{number}", headers={"X-Correlation-ID": f"c{number}"})
        assert f"c{number}" == answer.json() == answer.headers["X-Correlation-ID"]

    with nobody_else_listening() if way == "straight" else nullcontext():
        await asyncio.gather(*(ask("wait", number) for number in range(200)))
        await asyncio.gather(*(ask("thread", number) for number in range(200)))

    written = lines()
    inside = [line for line in written if line["message"] == "inside"]
    assert 400 == len(inside)
    assert all(line["name"] == line["correlation_id"] for line in inside)
    assert all(line.get("caller", line["name"]) == line["name"] for line in inside)
    assert 800 == len(written)


async def test_the_context_ends_with_the_request(app: FastAPI, client: httpx.AsyncClient) -> None:
    """What a request left in the context does not reach the task that asked."""

    @app.get("/x")
    async def x(logger: LoggerDep) -> None:
        logger.set_request_context(user="u1")

    await client.get("/x")

    assert get_correlation_context() is None


async def test_the_access_line_names_the_route_not_the_path(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """Method, template, status and duration; an id in the path is not logged."""
    router = APIRouter(prefix="/shops/{shop}")

    @router.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    app.include_router(router, prefix="/v1")
    await client.get("/v1/shops/s1/items/secret-7")

    line = access(lines)
    assert ("GET", "/v1/shops/{shop}/items/{item}", 200) == (
        line["method"],
        line["route"],
        line["status"],
    )
    assert 0 < line["duration_ms"] < 60_000
    assert "secret-7" not in str(line)


async def test_routes_of_a_mounted_application_keep_their_prefix(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """A mount's static path is part of the template, a mount's parameter is not told."""
    inner = FastAPI()

    @inner.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    app.mount("/v2", inner)
    app.mount("/tenants/{tenant}", inner)
    await client.get("/v2/items/1")
    await client.get("/tenants/t9/items/1")

    assert ["/v2/items/{item}", "/{mount}/items/{item}"] == [line["route"] for line in lines()]


@pytest.mark.parametrize(
    ("method", "path", "status", "route", "shown"),
    [
        ("GET", "/nowhere/1", 404, "unmatched", "GET"),
        ("DELETE", "/items/1", 405, "/items/{item}", "DELETE"),
        ("BREW", "/nowhere", 404, "unmatched", "OTHER"),
    ],
)
async def test_what_the_router_refuses_is_an_answer_like_any_other(
    app: FastAPI,
    client: httpx.AsyncClient,
    lines: Lines,
    method: str,
    path: str,
    status: int,
    route: str,
    shown: str,
) -> None:
    """404 and 405 are ApiResponses, and their access lines are made of nothing that was sent."""

    @app.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    answer = await client.request(method, path)

    assert status == answer.status_code
    assert f"HTTP_{status}" == answer.json()["error"]["code"]
    assert answer.json()["meta"]["request_id"] == answer.headers["X-Request-ID"]
    line = access(lines)
    assert (shown, route, status) == (line["method"], line["route"], line["status"])


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (
            NotFoundError("No item", resource="item", resource_id=0),
            404,
            {
                "code": "NOT_FOUND",
                "message": "No item",
                "details": {"resource": "item", "resource_id": "0"},
            },
        ),
        (ConflictError("Late"), 409, {"code": "CONFLICT", "message": "Late"}),
        (GlamBaseError("Odd", code="ODD", status=418), 418, {"code": "ODD", "message": "Odd"}),
        (
            GlamBaseError("No status", status=7),
            500,
            {"code": "INTERNAL_ERROR", "message": "No status"},
        ),
        (HTTPException(404, "gone"), 404, {"code": "HTTP_404", "message": "gone"}),
        (HTTPException(404), 404, {"code": "HTTP_404", "message": "Not Found"}),
        (
            HTTPException(409, {"code": "TWICE", "message": "m", "details": [1]}),
            409,
            {"code": "TWICE", "message": "m", "details": [1]},
        ),
        (
            HTTPException(400, {"why": "x"}),
            400,
            {"code": "HTTP_400", "message": "Bad Request", "details": {"why": "x"}},
        ),
        (
            HTTPException(400, ["a"]),
            400,
            {"code": "HTTP_400", "message": "Bad Request", "details": ["a"]},
        ),
        (HTTPException(499, ""), 499, {"code": "HTTP_499", "message": "Error"}),
        (
            RuntimeError("password=hunter2"),
            500,
            {"code": "INTERNAL_ERROR", "message": "An unexpected error occurred"},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_every_error_is_answered_in_one_shape(
    app: FastAPI, client: httpx.AsyncClient, error: Exception, status: int, expected: dict[str, Any]
) -> None:
    """Whatever is raised, the answer is an ApiResponse; the unexpected tells nothing."""

    @app.get("/fail")
    async def fail() -> None:
        raise error

    answer = await client.get("/fail")

    assert status == answer.status_code
    assert expected == answer.json()["error"]
    assert {"error", "meta"} == set(answer.json())
    assert answer.headers["X-Correlation-ID"] == answer.json()["meta"]["correlation_id"]
    assert "application/json" == answer.headers["content-type"]


async def test_headers_that_an_error_calls_for(app: FastAPI, client: httpx.AsyncClient) -> None:
    """401 names the scheme, a limit and an outage say when to come back, headers given are kept."""

    @app.get("/{name}")
    async def fail(name: str) -> None:
        raise {
            "401": UnauthorizedError(),
            "429": RateLimitExceededError(retry_after=1.2),
            "503": ServiceUnavailableError("away", details={"retry_after": 5}),
            "400": HTTPException(400, "x", headers={"X-Why": "y"}),
        }[name]

    answers = {name: await client.get(f"/{name}") for name in ("401", "429", "503", "400")}

    assert "Bearer" == answers["401"].headers["WWW-Authenticate"]
    assert "2" == answers["429"].headers["Retry-After"]
    assert "5" == answers["503"].headers["Retry-After"]
    assert "y" == answers["400"].headers["X-Why"]
    assert "GET" == (await client.post("/x")).headers["Allow"]


async def test_the_unexpected_is_logged_with_its_traceback(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """The traceback that the client does not get is in the log, on the request's own line."""

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("the reason")

    answer = await client.get("/fail")

    failure, line = lines()
    assert "RuntimeError: the reason" in failure["exception"]
    assert failure["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert 500 == line["status"]
    assert "reason" not in answer.text


class Order(BaseModel):
    name: str
    count: int


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": "\\ud800", "count": 1}',
        b'{"name": "x", "count": 1e400}',
        b'{"name": "x", "count": NaN}',
        b'{"name": "x", "count": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"\\udc00": 1}',
        b'\xff{"name": 1}',
        b'{"name": "hunter2-is-my-password", "count": "hunter2"}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_a_bad_body_is_a_4xx_without_detail(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines, body: bytes
) -> None:
    """Whatever the body: 422 that repeats no value, no traceback, whole log lines."""

    @app.post("/orders")
    async def orders(order: Order) -> str:
        return order.name

    answer = await client.post(
        "/orders", content=body, headers={"content-type": "application/json"}
    )

    assert 422 == answer.status_code
    assert "VALIDATION_ERROR" == answer.json()["error"]["code"]
    assert "Traceback" not in answer.text
    assert "hunter2" not in answer.text
    assert ["Request"] == [line["message"] for line in lines()]


async def test_validation_names_the_fields(app: FastAPI, client: httpx.AsyncClient) -> None:
    """422 VALIDATION_ERROR says where and why, and at most 50 times."""

    @app.post("/orders")
    async def orders(order: list[Order], page: int = 1) -> int:
        return page

    answer = await client.post("/orders?page=x", json=[{"name": 1}] * 100)

    error = answer.json()["error"]
    assert (422, "VALIDATION_ERROR") == (answer.status_code, error["code"])
    fields = {item["field"] for item in error["details"]["errors"]}
    assert {"query.page", "body.0.name", "body.0.count"} <= fields
    assert 50 == len(error["details"]["errors"])
    assert 151 == error["details"]["more"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/items/%ff%fe", {}),
        ("/items/%00", {}),
        ("/items/x?n=%ff", {}),
        ("/items/1?n=" + "9" * 5000, {}),
        ("/items/1", {"content-type": "a" * 5000}),
        ("/items/1", {"content-type": b"\xff\xfe"}),
        ("/items/1", {"x-forwarded-for": b"\xff, , ,::::"}),
        ("/items/1", {"host": "["}),
        ("/items/1", {"cookie": b"=;=;\xff"}),
    ],
)
async def test_odd_paths_queries_and_headers_do_no_harm(
    app: FastAPI, client: httpx.AsyncClient, path: str, headers: dict[str, Any]
) -> None:
    """No path, query or header makes the service fail."""

    @app.get("/items/{item}")
    async def item(item: int, n: int = 0) -> int:
        return item

    answer = await client.get(path, headers=headers)

    assert answer.status_code in {200, 422}
    assert {"meta"} <= set(answer.json()) if answer.status_code == 422 else answer.json() == 1


async def test_streams_are_not_held_back(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """A streamed answer leaves piece by piece; its one line is written at the end."""
    order: list[str] = []

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                order.append(f"made {piece.decode()}")
                yield piece

        return StreamingResponse(pieces())

    sent: list[str] = []

    async def send(message: Any) -> None:
        order.append(f"sent {message.get('body', b'').decode()}" if "body" in message else "start")
        sent.append(message["type"])

    scope = _scope("/stream")
    await app(scope, _nothing_more, send)

    assert ["start", "made a", "sent a", "made b", "sent b", "sent "] == order
    assert 200 == access(lines)["status"]


async def test_an_answer_that_breaks_off_breaks_the_connection(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """An error in mid-stream reaches the server, which alone can break the connection off."""

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            raise RuntimeError("in mid-stream")

        return StreamingResponse(pieces())

    with pytest.raises(RuntimeError, match="mid-stream"):
        await client.get("/stream")

    failure, line = lines()
    assert "Request failed" == failure["message"]
    assert 200 == line["status"]


async def test_background_tasks_run_in_the_request_s_context(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """A background task has the ids; its failure is logged and costs the client nothing."""
    logger = create_logger("shop-service")

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        def work() -> None:
            logger.info("working")
            raise RuntimeError("later")

        tasks.add_task(work)
        return "soon"

    answer = await client.get("/later", headers={"X-Correlation-ID": "c1"})

    assert (200, "soon") == (answer.status_code, answer.json())
    line, working, failure = lines()
    assert ["c1"] * 3 == [written["correlation_id"] for written in (line, working, failure)]
    assert "RuntimeError: later" in failure["exception"]


async def test_a_client_that_goes_away_is_no_error_of_ours(app: FastAPI, lines: Lines) -> None:
    """A body that never ends because the client left: status 499, no traceback."""

    @app.post("/orders")
    async def orders(request: Request) -> int:
        return len(await request.body())

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    await app(_scope("/orders", "POST"), gone, send)

    (line,) = lines()
    assert (499, "INFO") == (line["status"], line["level"])


async def test_an_error_of_another_middleware_is_answered(connect: Any) -> None:
    """What a middleware inside ours raises is answered like any error."""
    app = FastAPI()

    class Refusing:
        def __init__(self, inner: Any) -> None:
            pass

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            raise ConflictError("not now")

    app.add_middleware(Refusing)
    setup_middleware(app, service_name="x")

    answer = await connect(app).get("/")

    assert (409, "CONFLICT") == (answer.status_code, answer.json()["error"]["code"])


async def test_both_ways_of_the_access_line_write_the_same(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """The line is the same on the short way and, with others listening, on that of logging."""
    route = '/quote"\\ü/{item}'
    app.add_api_route(route, lambda item: item)
    headers = {"X-Correlation-ID": "c1", "X-Request-ID": "r1"}
    with nobody_else_listening():
        await client.get('/quote"\\ü/1', headers=headers)
    await client.get('/quote"\\ü/1', headers=headers)

    short, long = lines()
    assert list(short) == list(long)
    changing = {"timestamp", "duration_ms"}
    assert all(short[key] == long[key] for key in set(long) - changing)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", short["timestamp"])
    assert len(short["timestamp"]) == len(long["timestamp"])
    assert route == short["route"]


async def test_the_access_line_goes_where_the_host_program_says(
    app: FastAPI, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler of the host program gets the access line as a record."""
    await client.get("/nowhere")

    (record,) = [record for record in caplog.records if record.getMessage() == "Request"]
    assert ("unmatched", 404) == (record.route, record.status)  # type: ignore[attr-defined]


async def test_a_level_above_info_silences_the_access_line(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    """The host program's level is respected."""
    logging.getLogger("shop-service").setLevel(logging.WARNING)
    try:
        await client.get("/nowhere")
    finally:
        logging.getLogger("shop-service").setLevel(logging.INFO)

    assert [] == lines()


@pytest.mark.parametrize("name", ["", "a\nb", "ü"])
def test_a_service_name_must_fit_a_header(name: str) -> None:
    """A service name that cannot stand in a header is refused at start-up."""
    with pytest.raises(ConfigurationError, match="service_name"):
        setup_middleware(FastAPI(), service_name=name)


def test_setting_up_twice_is_refused(app: FastAPI) -> None:
    """A second call would log every request twice: it is an error that says so."""
    with pytest.raises(ConfigurationError, match="already called"):
        setup_middleware(app, service_name="shop-service")


@pytest.mark.parametrize(
    "body", ['"\\ud800"', "NaN", "-Infinity", "[1e400]", '{"a": "\\u0000"}', "[" * 300 + "]" * 300]
)
async def test_what_could_not_be_answered_is_refused_at_the_door(
    app: FastAPI, client: httpx.AsyncClient, body: str
) -> None:
    """A body that Python reads but no answer or event can carry is 422."""

    @app.post("/echo")
    async def echo(request: Request, body: Annotated[Any, Body()]) -> Any:
        return body

    @app.post("/raw")
    async def raw(request: Request) -> Any:
        return await request.json()

    for path in ("/echo", "/raw"):
        for kind in ("application/json", "Application/vnd.x+JSON; charset=utf-8"):
            answer = await client.post(path, content=body, headers={"content-type": kind})
            assert (422, "VALIDATION_ERROR") == (answer.status_code, answer.json()["error"]["code"])
        assert {"a": [1]} == (await client.post(path, json={"a": [1]})).json()


def _scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def _nothing_more() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("never set")


async def test_websockets_have_the_ids_too(app: FastAPI, lines: Lines) -> None:
    """A websocket runs under the ids of its handshake, and is left alone otherwise."""

    @app.websocket("/ws")
    async def ws(socket: WebSocket, logger: LoggerDep) -> None:
        await socket.accept()
        logger.info("inside")
        await socket.send_json([get_correlation_context(), socket.state.request_id])
        await socket.close()

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-correlation-id", b"c1"), (b"x-request-id", b"r1")]
    scope = {**_scope("/ws"), "type": "websocket", "scheme": "ws", "headers": headers}
    await app(scope, receive, send)

    assert ["websocket.accept", "websocket.send", "websocket.close"] == [m["type"] for m in sent]
    assert '["c1","r1"]' == sent[1]["text"]
    assert ["c1"] == [line["correlation_id"] for line in lines()]


async def test_a_real_server_keeps_requests_apart(app: FastAPI, serving: Any, lines: Lines) -> None:
    """On uvicorn, over kept connections: every answer and line carries its own request's id."""

    @app.get("/{name}")
    async def root(name: str, logger: LoggerDep) -> str | None:
        logger.set_request_context(caller=name)
        await asyncio.sleep(0)
        logger.info("inside")
        return get_correlation_context()

    async def ask(client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get(f"/{name}", headers={"X-Correlation-ID": name})
        assert name == answer.json() == answer.headers["X-Correlation-ID"]

    async with serving(app) as port, httpx.AsyncClient(timeout=45.0) as client:
        client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        await asyncio.gather(*(ask(client, f"c{number}") for number in range(200)))

    written = lines()
    assert 400 == len(written)
    assert all(line["caller"] == line["correlation_id"] for line in written)
