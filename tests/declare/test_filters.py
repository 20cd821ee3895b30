"""Subject filters: what a handler may name, and what the filters match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from glam_worker.declare.filters import check_filter, covers, matches, overlaps
from glam_worker.declare.registry import Registry
from glam_worker.errors import DeclarationError

TOKENS = st.sampled_from(["a", "b", "c", "evt"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)


@st.composite
def filters(draw: st.DrawFn) -> str:
    """A filter with wildcards in any legal place."""
    tokens = draw(st.lists(st.sampled_from(["a", "b", "c", "evt", "*"]), min_size=1, max_size=4))
    return ".".join([*tokens, *draw(st.sampled_from([[], [">"]]))])


class Order(BaseModel):
    number: int = 1


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("dlq.>", "dlq.>"),
        ("dlq.order.placed.v1", "dlq.>"),
        ("retry.>", "retry.>"),
        ("retry.due.shop.place", "retry.>"),
        (">", "dlq.>"),
        ("*.order.placed.v1", "dlq.>"),
        ("*.>", "dlq.>"),
        ("orders", "one token only"),
        ("*", "one token only"),
        ("evt.>.v1", "'>' stands last only"),
        ("evt..placed", "token ''"),
        ("", "token ''"),
        (".evt.order", "token ''"),
        ("evt.order.", "token ''"),
        ("evt.order placed", "white space"),
        ("evt.order\tplaced", "white space"),
        ("evt.ord*", "wildcard is a token of its own"),
        ("evt.a>", "wildcard is a token of its own"),
    ],
)
def test_a_filter_that_cannot_be_worked_is_refused(subject: str, words: str) -> None:
    """Filters over the runtime's own subjects, of one token, or malformed are errors."""

    async def handle(order: Order) -> None: ...

    with pytest.raises(DeclarationError) as caught:
        Registry().on(subject, Order)(handle)

    assert words in caught.value.problem
    assert caught.value.where is not None


@pytest.mark.parametrize(
    "subject",
    [
        "evt.>",
        "evt.*",
        "evt.order.placed.v1",
        "cmd.*.email.>",
        "evt.größe.v1",
        "dlqs.order",
        "retry2.x",
    ],
)
def test_other_filters_are_taken(subject: str) -> None:
    """A filter with two tokens or more outside of the runtime's subjects is taken."""
    assert check_filter(subject) is None


@pytest.mark.parametrize(
    ("subject_filter", "subject", "matched"),
    [
        ("evt.>", "evt.a", True),
        ("evt.>", "evt.a.b.c", True),
        ("evt.>", "evt", False),
        ("evt.*.v1", "evt.a.v1", True),
        ("evt.*.v1", "evt.a.b.v1", False),
        ("evt.*", "evt.a.b", False),
        ("evt.a", "evt.a", True),
        ("evt.a", "evt.ab", False),
        ("*.a", "evt.a", True),
    ],
)
def test_wildcards_match_as_the_server_does(
    subject_filter: str, subject: str, matched: bool
) -> None:
    """``*`` matches one token, ``>`` one or more at the end."""
    assert matches(subject_filter, subject) is matched


@given(filters(), SUBJECTS)
def test_what_covers_a_filter_matches_its_subjects(wide: str, subject: str) -> None:
    """A filter that covers a concrete subject overlaps with it, and the other way round."""
    assert covers(wide, subject) == matches(wide, subject) == overlaps(wide, subject)


@given(filters(), filters(), SUBJECTS)
def test_overlap_is_what_both_can_match(one: str, other: str, subject: str) -> None:
    """Two filters that match one subject overlap; overlapping is symmetric."""
    assert overlaps(one, other) == overlaps(other, one)
    if matches(one, subject) and matches(other, subject):
        assert overlaps(one, other)


@given(filters(), filters(), SUBJECTS)
def test_covering_passes_every_match_on(wide: str, narrow: str, subject: str) -> None:
    """What the narrow filter matches, the wide one that covers it matches too."""
    if covers(wide, narrow) and matches(narrow, subject):
        assert matches(wide, subject)
