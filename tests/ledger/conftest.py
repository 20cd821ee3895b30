"""Servers of a test's own, for what the shared one cannot do: restart, or another limit."""

from __future__ import annotations

from tests.runtime.conftest import own_server

__all__ = ["own_server"]
