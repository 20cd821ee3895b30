"""Pages of a list: where one stands, and links to the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query
from pydantic import BaseModel, Field

MAX_LIMIT = 1000
DEFAULT_LIMIT = 20
# Keeps the offset of the last possible page within a 64-bit integer of any database.
MAX_PAGE = 2**31 - 1


class Pagination(BaseModel):
    """Where a page stands: *page* counts from 1, *limit* is items a page, *total* items in all."""

    page: int = Field(ge=1)
    limit: int = Field(ge=1, le=MAX_LIMIT)
    total: int = Field(ge=0)
    pages: int = Field(ge=0)
    has_next: bool
    has_previous: bool

    @classmethod
    def create(cls, page: int, limit: int, total: int) -> Pagination:
        """Count the pages.

        Raises pydantic's ``ValidationError`` (a ``ValueError``) for a page below 1, a limit
        outside 1 to 1000 or a negative total.
        """
        pages = -(-total // limit) if limit else 0
        return cls(
            page=page,
            limit=limit,
            total=total,
            pages=max(pages, 0),
            has_next=page < pages,
            has_previous=page > 1,
        )


class Links(BaseModel):
    """Addresses of this answer and of its neighbours; what does not exist is None."""

    self: str | None = None
    next: str | None = None
    previous: str | None = None
    first: str | None = None
    last: str | None = None

    @classmethod
    def create_paginated(
        cls, base_url: str, page: int, limit: int, pages: int, **query: Any
    ) -> Links:
        """Links to the pages around *page*, URL-encoded.

        *query* is repeated in every link (None is left out, a list becomes repeated parameters).
        A query that *base_url* has already is kept, save its page and limit.
        """
        last = max(pages, 1)

        def link(number: int) -> str:
            return _with_query(base_url, {**query, "page": number, "limit": limit})

        return cls(
            self=link(page),
            next=link(page + 1) if page < pages else None,
            previous=link(min(page - 1, last)) if page > 1 else None,
            first=link(1),
            last=link(last),
        )


def _with_query(base_url: str, query: dict[str, Any]) -> str:
    # Split by hand: urlsplit raises for a base that carries a client's malformed Host header.
    base, _, own = base_url.partition("#")[0].partition("?")
    kept = [
        (key, value) for key, value in parse_qsl(own, keep_blank_values=True) if key not in query
    ]
    added = [
        (key, _as_text(item))
        for key, value in query.items()
        for item in (value if isinstance(value, (list, tuple, set)) else [value])
        if item is not None
    ]
    return f"{base}?{urlencode(kept + added, errors='replace')}"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class PaginationParams:
    """The page a client asked for: *page* from 1, *limit* items a page."""

    page: int = 1
    limit: int = DEFAULT_LIMIT

    @property
    def offset(self) -> int:
        """How many items come before this page."""
        return (self.page - 1) * self.limit


def _read_pagination(
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Page, counted from 1")] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items a page")] = DEFAULT_LIMIT,
) -> PaginationParams:
    return PaginationParams(page, limit)


PaginationDep = Annotated[PaginationParams, Depends(_read_pagination)]
"""``page`` (from 1, default 1) and ``limit`` (1 to 1000, default 20) of the query; else 422."""
