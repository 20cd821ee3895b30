"""What this process knows of a suspect without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable

from glam_worker.runtime.protocols import Delivery


def held_already(delivery: Delivery, held: Iterable[Delivery]) -> bool:
    """Whether its message is in hand, handed out to us before: that one's lease begins anew.

    The server names a message by its sequence, whichever of its deliveries is settled.
    """
    for one in held:
        if one is not delivery and one.carrier == delivery.carrier:
            one.renewed = max(one.renewed, delivery.renewed)
            return True
    return False
