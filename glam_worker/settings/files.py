"""The files that settings name: credentials and certificates, looked at before they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_FILES = ("nats_credentials", "nats_tls_ca", "nats_tls_cert", "nats_tls_key")
_SEED = re.compile(r"\s*S[A-Z2-7]{20,}\s*")


def unreadable(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings whose file cannot be read now, each with the words for it."""
    for name in _FILES:
        path = values[name]
        if path is not None and (trouble := _trouble(path)):
            yield name, f"is {path!r}, which cannot be read: {trouble}"
    seed = values["nats_nkey_seed"]
    if seed is not None and not _SEED.fullmatch(seed) and (trouble := _trouble(seed)):
        yield "nats_nkey_seed", "is neither an nkey seed nor the path of a file that can be read"


def _trouble(path: str) -> str | None:
    try:
        with Path(path).open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        return getattr(error, "strerror", None) or str(error)
