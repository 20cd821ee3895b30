"""What is said of streams and durables: when a worker starts, and whenever it changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glam_shared.logging import ServiceLogger
from glam_worker.topology.drift import by_thing
from glam_worker.topology.ensured import Ensured


def say_ensured(log: ServiceLogger, ensured: Ensured) -> None:
    """What a start found, made and refused; one line for each stream and consumer."""
    for created in ensured.created:
        log.info("created %s", created)
    for alarm in ensured.alarms:
        log.error("%s", alarm)
    for refused in ensured.refused:
        log.error("handler %s is not worked: %s", refused.handler.name, refused.reason)
    for note in ensured.notes:
        log.warning("%s", note)
    for thing, drift in by_thing(ensured.drift):
        said = ", ".join(one.said for one in drift)
        if drift[0].unsafe:
            log.error("%s has %s; it is not pulled until `glam-worker apply`", thing, said)
        else:
            log.warning("%s has %s; the server's values are used until `apply`", thing, said)


class Told:
    """Reasons and remarks as they come and go: each is said once, and once more when it is over."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._log = logging.getLogger("glam_worker.topology")
        self._known: dict[str, None] = {}

    def tell(self, reasons: Sequence[str]) -> None:
        """Say what is new of these, and what is over."""
        for reason in reasons:
            if reason not in self._known:
                self._log.log(self._level, "%s", reason)
        for reason in self._known:
            if reason not in reasons:
                self._log.info("no longer: %s", reason)
        self._known = dict.fromkeys(reasons)

    def know(self, reasons: Sequence[str]) -> None:
        """These were said already."""
        self._known = dict.fromkeys(reasons)
