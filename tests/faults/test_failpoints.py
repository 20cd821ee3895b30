"""The points at which a process can be made to kill itself."""

from __future__ import annotations

from glam_worker import failpoints
from glam_worker.settings.model import FAILPOINTS


def test_every_point_that_can_be_set_is_one_in_the_code() -> None:
    """A point that was renamed would be set in vain."""
    assert set(failpoints.POINTS) == set(FAILPOINTS)
    for point in failpoints.POINTS.values():
        assert callable(getattr(point.owner, point.method))
