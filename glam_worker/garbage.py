"""How often Python looks for garbage in a process that does nothing but work events."""

from __future__ import annotations

import gc

_YOUNG = 5_000
"""Objects that may be new before they are looked through; Python's default is 700.

A run that waits keeps some fifteen objects alive, so a thousand of them are looked through again
and again: by default that is a third of what such an event costs.
"""


def collect_less_often() -> None:
    """Leave alone what is loaded by now, and look through the rest every 5,000 objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
