"""The shape of every answer."""

from __future__ import annotations

import re
from datetime import UTC
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from glam_shared.api import (
    ApiResponse,
    Links,
    Pagination,
    PaginationDep,
    create_response,
    error_response,
    paginated_response,
    success_response,
)
from glam_shared.correlation import correlation_scope


class Item(BaseModel):
    id: int


def test_request_ids_are_made_when_there_is_no_request() -> None:
    """Outside a request an answer still has an id of its own: req_ and 12 hex digits."""
    first, second = success_response(1).meta, success_response(1).meta

    assert re.fullmatch(r"req_[0-9a-f]{12}", first.request_id)
    assert first.request_id != second.request_id
    assert first.timestamp.tzinfo is UTC


def test_ids_given_are_the_ids_answered() -> None:
    """Ids that are given win over those of the context."""
    with correlation_scope("corr_of_context"):
        given = create_response({"a": 1}, request_id="req_1", correlation_id="corr_1")
        taken = create_response({"a": 1})

    assert ("req_1", "corr_1") == (given.meta.request_id, given.meta.correlation_id)
    assert "corr_of_context" == taken.meta.correlation_id


def test_an_error_answer_leaves_absent_parts_out() -> None:
    """An error answer has error and meta, and no null anywhere."""
    answer = error_response("GONE", "It is gone", request_id="req_1").model_dump(mode="json")

    assert {"error", "meta"} == set(answer)
    assert {"code": "GONE", "message": "It is gone"} == answer["error"]
    assert {"request_id", "timestamp"} == set(answer["meta"])


def test_a_success_carries_all_five_parts() -> None:
    """A success answer names every part, so that a reader may look at each."""
    answer = success_response(Item(id=1), "req_1", "corr_1", Links(self="/items/1"))
    found = answer.model_dump(mode="json")

    assert {"data", "error", "meta", "pagination", "links"} == set(found)
    assert {"id": 1} == found["data"]
    assert "/items/1" == found["links"]["self"]
    assert found["error"] is None


def test_falsy_data_is_data() -> None:
    """0, "" and an empty list are answered as they are."""
    falsy: list[Any] = [0, "", [], False]

    assert falsy == [success_response(data).data for data in falsy]


def test_details_of_any_kind_are_answered() -> None:
    """Details that JSON lacks, or that no UTF-8 can carry, do not break an error answer."""
    cycle: dict[str, object] = {}
    cycle["self"] = cycle
    details = {
        "nan": float("nan"),
        "surrogate": "\ud800",
        "uuid": UUID(int=1),
        "decimal": Decimal("1.10"),
        "set": {1},
        "big": 10**5000,
        "cycle": cycle,
    }

    answer = ApiResponse[None].model_validate_json(
        error_response("BAD", "\udfff", details).model_dump_json()
    )

    assert answer.error is not None
    assert "1.10" == answer.error.details["decimal"]
    assert [1] == answer.error.details["set"]


@pytest.mark.parametrize(
    ("page", "limit", "total", "pages", "has_next", "has_previous"),
    [
        (1, 10, 0, 0, False, False),
        (1, 10, 10, 1, False, False),
        (1, 10, 11, 2, True, False),
        (2, 10, 11, 2, False, True),
        (7, 10, 11, 2, False, True),
        (1, 1000, 1, 1, False, False),
    ],
)
def test_pagination_counts_pages(
    page: int, limit: int, total: int, pages: int, has_next: bool, has_previous: bool
) -> None:
    """Pages, and whether there is one before and after."""
    found = Pagination.create(page, limit, total)

    assert (pages, has_next, has_previous) == (found.pages, found.has_next, found.has_previous)


@pytest.mark.parametrize(
    ("page", "limit", "total"), [(0, 1, 1), (1, 0, 1), (1, 1001, 1), (1, 1, -1)]
)
def test_pagination_refuses_what_is_no_page(page: int, limit: int, total: int) -> None:
    """Page from 1, limit from 1 to 1000, total from 0."""
    with pytest.raises(ValueError, match="Pagination"):
        Pagination.create(page, limit, total)


def test_links_are_url_encoded() -> None:
    """What is in the query cannot break out of its parameter."""
    links = Links.create_paginated("/items", 2, 10, 3, q="a&page=9 ü#x", tag=["x", "y"], none=None)

    assert links.self is not None
    parts = urlsplit(links.self)
    assert {
        "q": ["a&page=9 ü#x"],
        "tag": ["x", "y"],
        "page": ["2"],
        "limit": ["10"],
    } == parse_qs(parts.query)
    assert "" == parts.fragment


def test_links_keep_the_query_of_the_base_but_its_page() -> None:
    """A base address with a query of its own gets one page and one limit."""
    links = Links.create_paginated("http://x/items?page=1&sort=name&empty=", 1, 5, 2)

    assert "http://x/items?sort=name&empty=&page=2&limit=5" == links.next
    assert links.previous is None


@pytest.mark.parametrize(
    ("page", "pages", "previous", "following", "last"),
    [
        (1, 1, None, None, 1),
        (2, 3, 1, 3, 3),
        (3, 3, 2, None, 3),
        (9, 3, 3, None, 3),
        (1, 0, None, None, 1),
    ],
)
def test_links_lead_to_pages_that_exist(
    page: int, pages: int, previous: int | None, following: int | None, last: int
) -> None:
    """First, last, next and previous, and none beyond the end."""
    links = Links.create_paginated("/i", page, 10, pages)

    def number(link: str | None) -> int | None:
        return None if link is None else int(parse_qs(urlsplit(link).query)["page"][0])

    assert [1, previous, following, last] == [
        number(link) for link in (links.first, links.previous, links.next, links.last)
    ]


def test_a_base_address_that_is_no_url_is_no_error() -> None:
    """A client's malformed Host in the base address does not raise."""
    assert (
        Links.create_paginated("http://[/items", 1, 10, 1).self == "http://[/items?page=1&limit=10"
    )


async def test_openapi_knows_the_parts_of_an_answer(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    """The typed answer stays typed in OpenAPI."""

    @app.get("/items")
    async def items(page: PaginationDep) -> ApiResponse[list[Item]]:
        found = paginated_response([Item(id=1)], page.page, page.limit, 41, "/items", q="a b")
        return ApiResponse[list[Item]].model_validate(found, from_attributes=True)

    schema = (await client.get("/openapi.json")).json()["components"]["schemas"][
        "ApiResponse_list_Item__"
    ]
    answer = (await client.get("/items", params={"page": 2, "limit": 20})).json()

    assert {"data", "error", "meta", "pagination", "links"} == set(schema["properties"])
    assert {
        "page": 2,
        "limit": 20,
        "total": 41,
        "pages": 3,
        "has_next": True,
        "has_previous": True,
    } == (answer["pagination"])
    assert "/items?q=a+b&page=3&limit=20" == answer["links"]["next"]


@pytest.mark.parametrize("query", ["page=0", "page=x", "limit=0", "limit=1001", f"page={10**30}"])
async def test_a_page_that_cannot_be_is_422(
    app: FastAPI, client: httpx.AsyncClient, query: str
) -> None:
    """PaginationDep takes pages from 1 and limits from 1 to 1000."""

    @app.get("/items")
    async def items(page: PaginationDep) -> int:
        return page.offset

    answer = await client.get(f"/items?{query}")

    assert 422 == answer.status_code
    assert "VALIDATION_ERROR" == answer.json()["error"]["code"]


async def test_the_offset_follows_from_page_and_limit(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    """Page 3 of 25 starts after 50; the defaults start at the beginning."""

    @app.get("/items")
    async def items(page: PaginationDep) -> list[int]:
        return [page.page, page.limit, page.offset]

    assert [3, 25, 50] == (await client.get("/items?page=3&limit=25")).json()
    assert [1, 20, 0] == (await client.get("/items")).json()
