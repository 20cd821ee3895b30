"""The settings: the only place that reads the environment.

``model`` what there is, ``sources`` where it is read from, ``files`` what they name on disk,
``problems`` wrong values in words.
"""

from __future__ import annotations

from glam_worker.settings.model import Settings
from glam_worker.settings.sources import variable_of

__all__ = ["Settings", "variable_of"]
