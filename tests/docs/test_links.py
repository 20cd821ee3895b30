"""Links between the pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ALL, ROOT, name_of

_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_link_of_a_page_resolves(page: Path) -> None:
    """A file that is linked to exists, and has the heading that is linked to."""
    assert [] == [link for link in _links(page) if not _resolves(page, link)]


def test_every_page_can_be_reached_from_the_readme() -> None:
    """No page is known only to who lists the folder."""
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        found = ("".join(link) for link in _LINK.findall(_CODE.sub("", page.read_text())))
        places = (
            (page.parent / link.partition("#")[0]).resolve() for link in found if "://" not in link
        )
        todo += [place for place in places if place in ALL and place not in seen]

    assert [] == [name_of(page) for page in ALL if page not in seen]


def _links(page: Path) -> list[str]:
    return ["".join(found) for found in _LINK.findall(_CODE.sub("", page.read_text()))]


def _resolves(page: Path, link: str) -> bool:
    if link.startswith(("https://", "http://")):
        return True
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    """The headings as GitHub names them."""
    plain = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE).sub("", page.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(plain)
    }
