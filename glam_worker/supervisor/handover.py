"""What a child is given: the parent's settings as they are in effect, flags included.

They go through the channel: a command line is for everybody to read, and an environment would have
to win over an ``.env`` file that is not the child's affair.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from glam_worker.settings import Settings

_OWN = {"processes": 1, "embedded": False}
"""What a child does differently: it is one process, and the server is the parent's."""


def handed_over(settings: Settings) -> bytes:
    """The line that tells a child its settings."""
    values = settings.model_dump() | _OWN
    plain = {name: _plain(value) for name, value in values.items()}
    return json.dumps(plain).encode() + b"\n"


def taken_over(line: bytes) -> Settings:
    """The settings in the line. Every one is given, None too, so that nothing else is read."""
    return Settings(**json.loads(line))


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
