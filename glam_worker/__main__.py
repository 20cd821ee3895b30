"""``python -m glam_worker``."""

from __future__ import annotations

from glam_worker.cli import main

main()
