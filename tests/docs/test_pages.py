"""What the pages say to do works, from top to bottom, as it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.testing import TenantServer
from tests.docs.pages import blocks_of, name_of, played
from tests.docs.player import Player


@pytest.fixture
def player(tmp_path: Path, nats_server: TenantServer) -> Iterator[Player]:
    """A player for one page, in a folder like that of a new user."""
    folder = tmp_path / "project"
    folder.mkdir()
    playing = Player(folder, nats_server.fresh_url())
    yield playing
    playing.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", played(), ids=name_of)
def test_a_page_does_what_it_says(page: Path, player: Player) -> None:
    """Every file of the page loads, every command runs and says what the page shows."""
    for block in blocks_of(page):
        try:
            player.play(block)
        except AssertionError as error:
            pytest.fail(f"{name_of(page)}:{block.line}: {error}")
    player.end()
