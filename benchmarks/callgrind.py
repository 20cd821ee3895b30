"""Counts instructions with valgrind's callgrind.

Unlike time, their number hardly depends on what else the machine does: two runs differ by a per
cent or two, as the server's messages come in other portions.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def callgrind(file: Path) -> tuple[str, ...]:
    """The command under which a process counts, once told to, into *file*.

    Raises FileNotFoundError where valgrind is missing.
    """
    if shutil.which("valgrind") is None:
        raise FileNotFoundError("valgrind is not installed (Debian: apt-get install valgrind)")
    return (
        *("valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no"),
        f"--callgrind-out-file={file}",
    )


def count_instructions(*, on: bool) -> None:
    """Begin or end counting those of this process."""
    command = ("callgrind_control", "-i", "on" if on else "off", str(os.getpid()))
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def counted(file: Path) -> int:
    """The instructions that a process has counted, once it has ended."""
    return int(_TOTAL.findall(file.read_text())[-1])
