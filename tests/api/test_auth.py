"""Who is let in, and that nobody else is told why not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from fastapi import APIRouter, Depends, FastAPI

from glam_shared.api import (
    ClientAuthDep,
    HttpSettings,
    InternalAuthDep,
    setup_auth,
    setup_middleware,
)
from glam_shared.errors import ConfigurationError

SECRET = "client-secret-client-secret-client-secret"
OLD_SECRET = "older-secret-older-secret-older-secret-older"
ORDERS_KEY = "orders-key-orders-key-orders-key-orders-key"
BILLING_KEY = "billing-key-billing-key-billing-key-billing"

Lines = Callable[[], list[dict[str, Any]]]


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims; None takes one out."""
    good = {
        "sub": "shop-1.example",
        "exp": int(time.time()) + 300,
        "scope": "read:items write:items",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def signed(payload: dict[str, Any] | None = None, key: str = SECRET, **options: Any) -> str:
    """A token, HS256 unless told otherwise."""
    return jwt.encode(payload or claims(), key, **{"algorithm": "HS256", **options})


def hand_made(header: Any, payload: Any, key: bytes = SECRET.encode()) -> str:
    """A token with an HMAC-SHA256 signature over whatever parts are given."""

    def part(value: Any) -> bytes:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=")

    head = part(header) + b"." + part(payload)
    mac = hmac.new(key, head, hashlib.sha256).digest()
    return (head + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


@pytest.fixture
def shop(app: FastAPI, settings: HttpSettings) -> FastAPI:
    """An application with a route for clients and one for services."""
    setup_auth(app, settings)

    @app.get("/client")
    async def client_route(auth: ClientAuthDep) -> list[str]:
        return [auth.shop, auth.scope, auth.audience]

    @app.get("/internal")
    async def internal_route(auth: InternalAuthDep) -> list[str]:
        return [auth.service, auth.audience]

    return app


def bearer(token: str | bytes) -> dict[bytes, bytes]:
    """The header that carries *token*."""
    return {b"authorization": b"Bearer " + (token if isinstance(token, bytes) else token.encode())}


async def test_a_good_token_is_let_in(shop: FastAPI, client: httpx.AsyncClient) -> None:
    """The context is made of `sub` and `scope`; the audience is a constant."""
    answer = await client.get("/client", headers=bearer(signed()))

    assert ["shop-1.example", "read:items write:items", "client"] == answer.json()


async def test_aud_iss_and_typ_are_not_looked_at_unless_set(
    shop: FastAPI, client: httpx.AsyncClient
) -> None:
    """Without audience and issuer in the settings any or none will do, and any type."""
    for token in (
        signed(claims(aud="somebody", iss="anybody")),
        signed(claims(aud=["a", "b"], scope=None)),
        signed(headers={"typ": "at+jwt", "kid": "../../etc/passwd", "jku": "http://evil.example"}),
    ):
        assert 200 == (await client.get("/client", headers=bearer(token))).status_code


RSA_LIKE = base64.b64encode(b"no key").decode()

ATTACKS: dict[str, str | bytes] = {
    "alg none": hand_made({"alg": "none", "typ": "JWT"}, claims(), b""),
    "alg none without signature": hand_made({"alg": "none"}, claims()).rpartition(".")[0] + ".",
    "alg None in capitals": hand_made({"alg": "NONE"}, claims()),
    "RS256 with the HMAC secret": hand_made({"alg": "RS256", "typ": "JWT"}, claims()),
    "HS512": hand_made({"alg": "HS512"}, claims()),
    "no alg": hand_made({"typ": "JWT"}, claims()),
    "alg is a list": hand_made({"alg": ["HS256"]}, claims()),
    "another key": signed(key=OLD_SECRET),
    "missing exp": signed(claims(exp=None)),
    "expired": signed(claims(exp=int(time.time()) - 120)),
    "exp is text": hand_made({"alg": "HS256"}, claims(exp="tomorrow")),
    "exp is infinite": hand_made({"alg": "HS256"}, b'{"sub":"s","exp":1e999}'),
    "exp is a list": hand_made({"alg": "HS256"}, claims(exp=[1])),
    "exp is an object": hand_made({"alg": "HS256"}, claims(exp={})),
    "future nbf": signed(claims(nbf=int(time.time()) + 1_000_000)),
    "future iat": signed(claims(iat=int(time.time()) + 1_000_000)),
    "missing sub": signed(claims(sub=None)),
    "empty sub": signed(claims(sub="")),
    "blank sub": signed(claims(sub="  ")),
    "sub is a number": hand_made({"alg": "HS256"}, claims(sub=7)),
    "scope is a list": signed(claims(scope=["read:items"])),
    "claims are a list": hand_made({"alg": "HS256"}, [1]),
    "claims are no JSON": hand_made({"alg": "HS256"}, b"{"),
    "claims nested 4000 deep": hand_made({"alg": "HS256"}, b"[" * 4000),
    "header nested 4000 deep": hand_made(b"[" * 4000, claims()),
    "header is a list": hand_made([1], claims()),
    "crit": hand_made({"alg": "HS256", "crit": ["exp"]}, claims()),
    "detached payload": hand_made({"alg": "HS256", "b64": False, "crit": ["b64"]}, claims()),
    "1 MB": "a." + "b" * 1024 * 1024 + ".c",
    "just over 8 KiB": signed(claims(pad="x" * 8192)),
    "non-ASCII": b"\xc3\xa9.\xff.\xfe",
    "non-ASCII digits": "१.२.३".encode(),
    "two parts": "a.b",
    "no parts": "token",
    "empty": "",
    "only dots": "..",
    "with a newline": signed() + "\n",
    "with spaces": "a b.c.d",
}


@pytest.mark.parametrize("name", list(ATTACKS))
async def test_every_bad_token_is_the_same_401(
    shop: FastAPI, client: httpx.AsyncClient, lines: Lines, name: str
) -> None:
    """One answer to all of them; the reason is in the log and nowhere else."""
    token = ATTACKS[name]

    answer = await client.get("/client", headers=bearer(token))

    assert 401 == answer.status_code
    assert {"code": "UNAUTHORIZED", "message": "Authentication required"} == answer.json()["error"]
    assert "Bearer" == answer.headers["WWW-Authenticate"]
    refusal, _ = lines()
    assert "Request not authenticated" == refusal["message"]
    assert refusal["reason"]
    assert len(refusal["reason"]) <= 300


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", f"Basic {signed()}")],
        [("authorization", signed())],
        [("authorization", f"Bearer {signed()}"), ("authorization", f"Bearer {signed()}")],
        [("cookie", f"token={signed()}")],
    ],
)
@pytest.mark.parametrize("path", ["/client", "/internal"])
async def test_only_one_authorization_header_counts(
    shop: FastAPI, client: httpx.AsyncClient, path: str, headers: list[tuple[str, str]]
) -> None:
    """No header, another scheme, or two headers: the same 401."""
    answer = await client.get(path, headers=headers)

    assert 401 == answer.status_code
    assert {"code": "UNAUTHORIZED", "message": "Authentication required"} == answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"aud": "shop-api", "iss": "issuer"}, 200),
        ({"aud": ["x", "shop-api"], "iss": "issuer"}, 200),
        ({"aud": "other", "iss": "issuer"}, 401),
        ({"iss": "issuer"}, 401),
        ({"aud": "shop-api", "iss": "other"}, 401),
        ({"aud": "shop-api"}, 401),
        ({"aud": {"x": 1}, "iss": "issuer"}, 401),
    ],
)
async def test_aud_and_iss_are_required_once_set(
    app: FastAPI,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    status: int,
) -> None:
    """With audience and issuer in the environment a token needs both."""
    monkeypatch.setenv("CLIENT_JWT_SECRET", SECRET)
    monkeypatch.setenv("CLIENT_JWT_AUDIENCE", "shop-api")
    monkeypatch.setenv("CLIENT_JWT_ISSUER", "issuer")
    setup_auth(app)

    @app.get("/client")
    async def route(auth: ClientAuthDep) -> str:
        return auth.shop

    token = hand_made({"alg": "HS256"}, claims(**change))
    answer = await client.get("/client", headers=bearer(token))

    assert status == answer.status_code


async def test_two_secrets_during_a_rotation(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Tokens of either secret are let in, in any order; those of a third are not."""
    setup_auth(app, HttpSettings(client_jwt_secret=f"{SECRET}, {OLD_SECRET}"))

    @app.get("/client")
    async def route(auth: ClientAuthDep) -> str:
        return auth.shop

    keys = (SECRET, OLD_SECRET, "third" * 10)
    found = [await client.get("/client", headers=bearer(signed(key=key))) for key in keys]

    assert [200, 200, 401] == [answer.status_code for answer in found]


async def test_clocks_may_differ_by_the_leeway(app: FastAPI, client: httpx.AsyncClient) -> None:
    """A token that expired within the leeway is let in, one beyond it is not."""
    setup_auth(app, HttpSettings(client_jwt_secret=SECRET, client_jwt_leeway=60))

    @app.get("/client")
    async def route(auth: ClientAuthDep) -> str:
        return auth.shop

    tokens = [signed(claims(exp=int(time.time()) - ago)) for ago in (30, 90)]
    found = [await client.get("/client", headers=bearer(token)) for token in tokens]

    assert [200, 401] == [answer.status_code for answer in found]


async def test_services_are_known_by_their_keys(shop: FastAPI, client: httpx.AsyncClient) -> None:
    """Each key is one service's; a prefix, another case and non-ASCII are nobody's."""
    for key, service in ((ORDERS_KEY, "orders"), (BILLING_KEY, "billing")):
        answer = await client.get("/internal", headers=bearer(key))
        assert [service, "internal"] == answer.json()
    for key in (
        ORDERS_KEY[:-1],
        ORDERS_KEY.upper(),
        "ö" * 40,
        "",
        signed(),
        f"orders:{ORDERS_KEY}",
    ):
        answer = await client.get("/internal", headers=bearer(key.encode()))
        assert 401 == answer.status_code


async def test_a_client_token_is_no_service_key(shop: FastAPI, client: httpx.AsyncClient) -> None:
    """What opens one door does not open the other."""
    assert 401 == (await client.get("/internal", headers=bearer(signed()))).status_code
    assert 401 == (await client.get("/client", headers=bearer(ORDERS_KEY))).status_code


def test_a_context_does_not_show_its_token(shop: FastAPI) -> None:
    """A context that is printed by accident does not give its token away."""
    from glam_shared.api import ClientAuthContext, InternalAuthContext

    assert "sesame" not in repr(ClientAuthContext("s", "", "sesame"))
    assert "sesame" not in repr(InternalAuthContext("s", "sesame"))


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "CLIENT_JWT_SECRET and INTERNAL_JWT_SECRET"),
        ({"CLIENT_JWT_SECRET": ""}, "CLIENT_JWT_SECRET"),
        ({"CLIENT_JWT_SECRET": "short"}, "CLIENT_JWT_SECRET"),
        ({"CLIENT_JWT_SECRET": f"{SECRET},short"}, "CLIENT_JWT_SECRET"),
        ({"CLIENT_JWT_SECRET": f"{SECRET},"}, "CLIENT_JWT_SECRET"),
        ({"CLIENT_JWT_SECRET": SECRET, "CLIENT_JWT_LEEWAY": "61"}, "CLIENT_JWT_LEEWAY"),
        ({"INTERNAL_JWT_SECRET": ""}, "INTERNAL_JWT_SECRET"),
        ({"INTERNAL_JWT_SECRET": ORDERS_KEY}, "no service name"),
        ({"INTERNAL_JWT_SECRET": f":{ORDERS_KEY}"}, "no service name"),
        (
            {"INTERNAL_JWT_SECRET": f"orders:{ORDERS_KEY},{BILLING_KEY}"},
            "entry 2 has no service name",
        ),
        ({"INTERNAL_JWT_SECRET": "orders:short"}, "key of orders"),
        ({"INTERNAL_JWT_SECRET": f"a:{ORDERS_KEY},b:{ORDERS_KEY}"}, "a and b have the same key"),
    ],
)
def test_a_missing_or_weak_secret_is_found_at_the_call(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], named: str
) -> None:
    """The error names the variable and shows no secret."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=named) as found:
        setup_auth(app)

    assert not any(value in str(found.value) for value in (SECRET, ORDERS_KEY, BILLING_KEY))


async def test_a_route_without_its_secret_stops_the_start() -> None:
    """A service that asks for service keys and has none does not start, however deep it asks."""
    app = FastAPI()
    setup_auth(app, HttpSettings(client_jwt_secret=SECRET))
    router = APIRouter(prefix="/admin")

    async def inner(auth: InternalAuthDep) -> str:
        return auth.service

    @router.get("/jobs", dependencies=[Depends(inner)])
    async def jobs() -> None: ...

    app.include_router(router, prefix="/v1")

    with pytest.raises(ConfigurationError, match=r"INTERNAL_JWT_SECRET.*/v1/admin/jobs"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_service_with_all_its_secrets_starts(shop: FastAPI) -> None:
    """With the secrets of all its routes the service starts."""
    async with shop.router.lifespan_context(shop):
        pass


async def test_authentication_that_was_not_set_up_lets_nobody_in(
    connect: Any, lines: Lines
) -> None:
    """Without setup_auth a route that asks for it answers 500, and the log says what is missing."""
    app = FastAPI()
    setup_middleware(app, service_name="x")

    @app.get("/client")
    async def route(auth: ClientAuthDep) -> str:
        return auth.shop

    answer = await connect(app).get("/client", headers=bearer(signed()))

    assert 500 == answer.status_code
    assert "CLIENT_JWT_SECRET" not in answer.text
    assert any("CLIENT_JWT_SECRET" in line["message"] for line in lines())


async def test_openapi_lists_both_schemes(shop: FastAPI, client: httpx.AsyncClient) -> None:
    """The routes are marked as protected in OpenAPI."""
    schema = (await client.get("/openapi.json")).json()

    assert {"ClientToken", "ServiceKey"} == set(schema["components"]["securitySchemes"])
    assert [{"ClientToken": []}] == schema["paths"]["/client"]["get"]["security"]
