"""The correlation id belongs to the task."""

from __future__ import annotations

import asyncio
import re

import pytest

from glam_shared import (
    correlation_scope,
    get_correlation_context,
    new_correlation_id,
    set_correlation_context,
)


def test_new_ids_are_12_hex_digits_and_differ() -> None:
    """A new id is `corr_` and 12 hex digits, never the same twice."""
    ids = {new_correlation_id() for _ in range(100)}

    assert 100 == len(ids)
    assert all(re.fullmatch("corr_[0-9a-f]{12}", found) for found in ids)


def test_a_scope_restores_what_was_before() -> None:
    """After the block, also after a failure in it, the old id is back."""
    with correlation_scope("outer"):
        with correlation_scope("inner") as inner:
            assert "inner" == inner == get_correlation_context()
        with pytest.raises(KeyError), correlation_scope("failing"):
            raise KeyError
        assert "outer" == get_correlation_context()
    assert get_correlation_context() is None


async def test_concurrent_tasks_do_not_share_an_id() -> None:
    """Two tasks that run at once each see their own id."""
    both_set = asyncio.Barrier(2)

    async def work(correlation_id: str) -> str | None:
        set_correlation_context(correlation_id)
        await both_set.wait()
        return get_correlation_context()

    assert ["a", "b"] == await asyncio.gather(work("a"), work("b"))
