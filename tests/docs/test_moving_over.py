"""The page about moving over names what there is."""

from __future__ import annotations

import importlib

import pytest

from glam_worker import Listener
from tests.docs.pages import ROOT, table_of, words_of

PAGE = ROOT / "docs" / "moving-over.md"
HEADINGS = (
    "## Errors, correlation, logging: `shared.utils`",
    "## Events: `shared.messaging`",
    "## HTTP: `shared.api`",
)


def rows(heading: str) -> list[tuple[list[str], str]]:
    """(older names, the module they are in now)."""
    return [(words_of(row[0]), words_of(row[1])[0]) for row in table_of(PAGE, heading)]


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_older_name_is_where_the_table_says(heading: str) -> None:
    """Every name of the first column is public in the module of the second."""
    missing = [
        f"{module}.{name}"
        for names, module in rows(heading)
        for name in names
        if name not in importlib.import_module(module).__all__
    ]

    assert [] == missing


@pytest.mark.parametrize(
    ("heading", "module", "new"),
    [
        (HEADINGS[0], "glam_shared", {"correlation_scope", "new_correlation_id"}),
        (
            HEADINGS[1],
            "glam_shared.messaging",
            {"CATALOGUE", "EventPublisher", "Money", "payload_for"}
            | {"subject_matches", "subjects_matching"},
        ),
    ],
)
def test_no_name_is_forgotten(heading: str, module: str, new: set[str]) -> None:
    """What the module exports is in the table, save what older services did not have."""
    told = {name for names, _ in rows(heading) for name in names}

    assert set(importlib.import_module(module).__all__) - new <= told


def test_every_part_of_a_listener_is_told_of() -> None:
    """The attributes and methods that a class form may have are in the table."""
    told = {name for row in table_of(PAGE, "### What is different") for name in words_of(row[0])}
    text = PAGE.read_text()

    options = {name for name in vars(Listener) if name.endswith(("_sec", "_size", "_deliver"))}
    assert {"start", "stop", "on_message", "on_error"} <= told
    assert [] == [name for name in options if f"`{name}`" not in text]
