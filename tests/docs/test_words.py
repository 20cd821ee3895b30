"""What must stand in the pages, and what they name in the project."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.pages import ALL, ROOT, name_of, table_of

PROMISE = (
    "*every event the broker accepted and kept is handled at least once, or lies in the "
    "dead-letter stream with the reason; it is never silently dropped.*"
)
LIFE = ROOT / "docs" / "life-of-a-message.md"
DRAWING = ROOT / "docs" / "life-of-a-message.svg"
WORDS = [
    *("event", "payload", "envelope", "handler", "registry", "stream", "consumer", "carrier"),
    *("origin", "delivery", "run", "outcome", "settlement", "slot", "credit", "lease", "lane"),
    *("suspect", "ledger", "quiet", "drain", "abort", "plan", "drift"),
]


@pytest.mark.parametrize("page", ["README.md", "docs/guarantees.md"])
def test_the_promise_stands_word_for_word(page: str) -> None:
    """The promise is one sentence on one line, and everywhere the same."""
    assert PROMISE in (ROOT / page).read_text()


def test_every_word_of_the_trade_is_in_the_glossary() -> None:
    """Whoever meets one of our words can look it up."""
    text = (ROOT / "docs" / "glossary.md").read_text()
    headings = re.findall(r"^## .+$", text, re.MULTILINE)
    explained = {
        word.strip()
        for heading in headings
        for row in table_of(ROOT / "docs" / "glossary.md", heading)
        for word in row[0].split(",")
    }

    assert [] == [word for word in WORDS if word not in explained]


def test_every_file_that_is_named_along_the_way_exists() -> None:
    """The page of a message's life, and its drawing, lead to real files."""
    named = re.findall(r"`((?:[\w]+/)*[\w]+\.py)`", LIFE.read_text())
    drawn = re.findall(r"[\w]+/[\w]+\.py", DRAWING.read_text())
    places = (ROOT / "glam_worker", ROOT / "glam_shared", ROOT)

    assert len(named) > 30
    assert [] == [
        file for file in (*named, *drawn) if not any((place / file).is_file() for place in places)
    ]


def test_the_drawing_has_a_title_and_colours_for_the_dark() -> None:
    """It is well-formed, can be read aloud, and follows the reader's colours."""
    root = ElementTree.parse(DRAWING).getroot()

    titles = [child.text for child in root if child.tag.endswith(("title", "desc"))]
    assert all(titles)
    assert len(titles) == 2
    assert "prefers-color-scheme: dark" in DRAWING.read_text()


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_a_page_names_nothing_of_one_machine(page: Path) -> None:
    """No absolute path of somebody's home is in a page."""
    assert not re.search(r"(?<![\w.])/(home|Users|root|work)/", page.read_text())
