"""Every status that the server sends on a pull inbox has its reaction (ADR-37)."""

from __future__ import annotations

import pytest

from glam_worker.jetstream.status import Reaction, reaction_to


@pytest.mark.parametrize(
    ("status", "description", "reaction"),
    [
        ("100", "Idle Heartbeat", Reaction.HEARTBEAT),
        ("404", "No Messages", Reaction.ASK_AGAIN),
        ("408", "Request Timeout", Reaction.ASK_AGAIN),
        ("408", "Interest Expired", Reaction.ASK_AGAIN),
        ("409", "Message Size Exceeds MaxBytes", Reaction.ASK_AGAIN),
        ("409", "Batch Completed", Reaction.ASK_AGAIN),
        ("409", "Exceeded MaxWaiting", Reaction.START_OVER),
        ("409", "Something of a later server", Reaction.START_OVER),
        ("409", "", Reaction.START_OVER),
        ("409", "Consumer Deleted", Reaction.VERIFY),
        ("409", "Leadership Change", Reaction.VERIFY),
        ("409", "Server Shutdown", Reaction.VERIFY),
        ("409", "Consumer is push based", Reaction.REFUSED),
        ("409", "Exceeded MaxRequestBatch of 10", Reaction.REFUSED),
        ("409", "Exceeded MaxRequestExpires of 1s", Reaction.REFUSED),
        ("409", "Exceeded MaxRequestMaxBytes of 10", Reaction.REFUSED),
        ("423", "Nats-Wrong-Pin-Id", Reaction.ASK_AGAIN),
        ("503", "", Reaction.VERIFY),
        ("503", "\nNats-Subject: $JS.API.CONSUMER.MSG.NEXT.S.C", Reaction.VERIFY),
        ("400", "Bad Request - heartbeat value too large", Reaction.REFUSED),
        ("412", "Required Api Level", Reaction.REFUSED),
        ("", "", Reaction.REFUSED),
        ("999", "unheard of", Reaction.REFUSED),
    ],
)
def test_a_status_has_one_reaction(status: str, description: str, reaction: Reaction) -> None:
    """No status is passed over; what is not known starts over or is said."""
    assert reaction_to(status, description) is reaction
