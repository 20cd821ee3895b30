"""Retries without their waiting time, through the real scheduler of the real server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from glam_shared.messaging import JetStreamClient
from glam_worker.declare.retry import Park
from glam_worker.jetstream.parking import JetStreamParking
from glam_worker.runtime.protocols import Delivery, Parking


class _Hasty(JetStreamParking):
    scale = 0.0

    async def park(self, delivery: Delivery, park: Park) -> None:
        """Park for a part of the time that was decided."""
        await super().park(delivery, replace(park, delay=park.delay * self.scale))


def hasty_parking(scale: float) -> Callable[[JetStreamClient, str, str], Parking]:
    """Parking whose delays are multiplied by ``scale``.

    At 0 an event is due at once; the server fires what is due every 250 ms.
    """

    def make(client: JetStreamClient, service: str, handler: str) -> Parking:
        parking = _Hasty(client, service, handler)
        parking.scale = scale
        return parking

    return make
