"""The pages of the documentation, taken apart into their fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

ALL = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

TESTED_ELSEWHERE = ("docs/http/", "docs/testing.md")
"""Pages whose code has tests beside the code it is about: tests/api, tests/testing."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"# (?P<path>[\w/.-]+\.(py|env))\n|# (?P<dotenv>\.env)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int
    """Of its first line, in the page."""

    @property
    def file(self) -> str | None:
        """The file that the block says it is, in a comment on its first line."""
        found = _FILE.match(self.text)
        return None if found is None else found["path"] or found["dotenv"]


def name_of(page: Path) -> str:
    """The page's path within the project."""
    return page.relative_to(ROOT).as_posix()


def played() -> list[Path]:
    """The pages whose blocks are executed here."""
    return [page for page in ALL if not name_of(page).startswith(TESTED_ELSEWHERE)]


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    text = page.read_text()
    for fence in _FENCE.finditer(text):
        indent = fence["indent"]
        lines = fence["text"].splitlines(keepends=True)
        inner = "".join(line.removeprefix(indent) for line in lines)
        yield Block(fence["language"], inner, text.count("\n", 0, fence.start()) + 2)


def table_of(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its header rows."""
    below = page.read_text().partition(f"\n{heading}\n")[2]
    rows: list[list[str]] = []
    for line in below.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows or line.startswith("#"):
            break
    assert len(rows) > 2, f"{name_of(page)} has no table below {heading!r}"
    return rows[2:]


def words_of(cell: str) -> list[str]:
    """What a cell has in code quotes."""
    return re.findall(r"`([^`]+)`", cell)


def first_words(page: Path, heading: str) -> list[str]:
    """Everything in code quotes in the first column of a table."""
    return [word for row in table_of(page, heading) for word in words_of(row[0])]
