"""Ports that nobody is given by chance between their choice and their use."""

from __future__ import annotations

import random

from glam_worker.dev.ports import is_free


def free_port() -> int:
    """A free port below those that systems give to whoever asks for any."""
    dice = random.SystemRandom()
    while not is_free(port := dice.randrange(16_000, 32_000)):
        pass
    return port
