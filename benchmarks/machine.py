"""The machine that measured; nothing that names it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.server import binary

PACKAGES = ("glam-worker", "nats-py", "pydantic", "uvloop", "faststream", "taskiq", "taskiq-nats")


def description() -> dict[str, Any]:
    """Processor, memory, system and versions."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "nats_server": _server(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _server() -> str:
    done = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().rpartition(" ")[2]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _line(file: str, field: str) -> str | None:
    if not Path(file).exists():
        return None
    lines = Path(file).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), None)
