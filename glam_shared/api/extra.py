"""Imported before anything else of this package: says in one line what is missing."""

from __future__ import annotations

try:
    import fastapi as _fastapi  # noqa: F401
    import jwt as _jwt  # noqa: F401
except ImportError as _error:
    raise ImportError(
        f"glam_shared.api needs the extra http ({_error}): pip install 'glam-worker[http]'"
    ) from None
