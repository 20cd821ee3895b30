"""``glam-worker`` in processes that start without the second that its imports take.

They are forked from one that has imported what commands need, and imported nothing else. Each is a
process as any other is: with its own memory, folder, variables, files, signals and exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = (
    "glam_worker.cli.app",
    "glam_worker.cli.checking",
    "glam_worker.cli.connecting",
    "glam_worker.cli.planning",
    "glam_worker.doctor.gathering",
    "glam_worker.operate.working_off",
    "glam_worker.process",
)


@dataclass(frozen=True, slots=True)
class Files:
    """What a process reads and writes; it adds to what is written already."""

    stdin: Path
    stdout: Path
    stderr: Path


def start(
    arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str], files: Files
) -> BaseProcess:
    """``python -m glam_worker ARGUMENTS``, started."""
    for written in (files.stdout, files.stderr):
        written.open("ab").close()
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(list(IMPORTED))
    process = forks.Process(target=_command, args=(arguments, cwd, dict(env), files))
    process.start()
    return process


def run(
    arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str], stdin: str, within: float
) -> tuple[int, str, str]:
    """Run it to its end, within some seconds: exit code, standard output, standard error."""
    with tempfile.TemporaryDirectory() as name:
        files = Files(*(Path(name) / file for file in ("in", "out", "err")))
        files.stdin.write_text(stdin)
        process = start(arguments, cwd, env, files)
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"glam-worker {' '.join(arguments)}: not within {within:g} s")
        return process.exitcode, files.stdout.read_text(), files.stderr.read_text()


def _command(arguments: tuple[str, ...], cwd: Path, env: dict[str, str], files: Files) -> None:
    """What the forked process does."""
    _open(files)
    os.chdir(cwd)
    if "LD_PRELOAD" in env:  # which only a new program takes
        os.execve(sys.executable, [sys.executable, "-m", "glam_worker", *arguments], env)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [str(cwd), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["glam-worker", *arguments]
    from glam_worker.cli import main

    main()


def _open(files: Files) -> None:
    written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, (path, flags) in enumerate(
        ((files.stdin, os.O_RDONLY), (files.stdout, written), (files.stderr, written))
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has put another in its place
