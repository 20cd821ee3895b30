"""The pages about HTTP: their code runs, and what it is said to do it does."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

import glam_shared.api

PAGES = sorted((Path(__file__).parents[2] / "docs" / "http").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_code_of_every_page_runs(
    page: Path, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page's code makes an application that can describe itself."""
    app = _application(page, monkeypatch)

    assert 200 == (await connect(app).get("/openapi.json")).status_code


def test_every_public_name_is_on_some_page() -> None:
    """Who reads the pages meets every function and dependency."""
    text = "\n".join(page.read_text() for page in PAGES)
    told = [name for name in glam_shared.api.__all__ if name[0].islower() or name.endswith("Dep")]

    assert [] == [name for name in told if name not in text]


async def test_a_page_of_a_list_as_the_page_shows_it(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of the page about answers has its pages and links."""
    page = next(page for page in PAGES if page.stem == "responses")
    answer = await connect(_application(page, monkeypatch)).get("/items?page=2&limit=20")

    assert ["item-20", "item-39"] == [answer.json()["data"][n] for n in (0, -1)]
    assert {"page": 2, "limit": 20, "total": 41, "pages": 3, "has_next": True} == {
        name: value for name, value in answer.json()["pagination"].items() if name != "has_previous"
    }
    assert "/items?sort=name&page=3&limit=20" == answer.json()["links"]["next"]


def _application(page: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile("\n".join(blocks), str(page), "exec"), module.__dict__)
    app = module.__dict__["app"]
    assert isinstance(app, FastAPI)
    return app
