"""What a puller is doing."""

from __future__ import annotations

from enum import Enum


class PullState(Enum):
    """What a puller is doing."""

    CONNECTING = "waits for the connection"
    VERIFYING = "looks whether the consumer is the one it was"
    PULLING = "pulls"
    SILENT = "the server stopped answering pull requests"
    GONE = "the consumer or its stream is gone"
    REFUSED = "the server does not take the pull requests"
    HELD = "is held back"
    QUIET = "stops"
