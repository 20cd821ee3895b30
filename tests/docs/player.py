"""Does what a page says: writes its files, types its commands, looks for what they should say.

* A ``python`` block whose first line names a file becomes that file, and must be importable; the
  other ones of a page are joined to one module, which is imported at the page's end.
* ``console``: each line behind ``$`` is typed; the lines below it must be said, where ``...``
  stands for anything. ``glam-worker dev`` and ``run`` go on while the rest of the page is played.
* ``text``: what the command that goes on must say by then, in any order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Ended, environment, glam
from tests.dev.waiting import until
from tests.docs.pages import ROOT, Block

WITHIN = 60.0
_GOES_ON = re.compile(r"\bglam-worker (dev|run)\b(?!.*--help)")
_WORKS = "working "
_SET_UP = re.compile(r"^(make|pip|docker|python3 -m venv|\. \.venv|cd|mkdir) ?")
_OUR_SERVER = re.compile(r"nats://[\w.-]+:4222")


class Player:
    """Plays one page in a folder of its own. Close it: a command may still be at work."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.server = self._given_server = server
        """Where commands find JetStream: that of ``glam-worker dev`` while it goes on."""
        self.port = _free_port()
        self._fragments: list[str] = []
        self._exports: dict[str, str] = {}
        self._going_on: subprocess.Popen[bytes] | None = None
        self._reloads = False
        self._said = folder.parent / f"{folder.name}.said"

    def play(self, block: Block) -> None:
        """Do what a block asks for; an AssertionError says what is not so."""
        match block.language:
            case "python" if block.file is None:
                self._fragments.append("\n" * (block.line - self._lines() - 1) + block.text)
            case "python" | "ini" if block.file is not None:
                self._write(block)
            case "console":
                self._type_all(block.text)
            case "text":
                self._await_said(block.text.splitlines())
            case "":
                pass  # a drawing
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case _:
                pytest.fail(f"nothing here can check a block of {block.language!r}")

    def end(self) -> None:
        """Import the page's fragments, and stop what still works."""
        self.stop()
        if self._fragments:
            (self.folder / "fragments.py").write_text("".join(self._fragments))
            self._import("fragments")
            if "@on(" in "".join(self._fragments):
                done = self._run(["glam-worker", "check", "fragments"])
                assert done.returncode == 0, done.stderr

    def stop(self) -> None:
        """Stop, as Ctrl-C does, what goes on; it must end with 0."""
        process, self._going_on, self._reloads = self._going_on, None, False
        self.server = self._given_server
        if process is not None:
            process.send_signal(signal.SIGINT)
            code = process.wait(WITHIN)
            assert code == 0, f"it ended with {code}: {self._said.read_text()}"

    def close(self) -> None:
        """Leave nothing behind."""
        if self._going_on is not None:
            self._going_on.kill()
            self._going_on.wait()

    # --- files ---

    def _lines(self) -> int:
        return "".join(self._fragments).count("\n")

    def _write(self, block: Block) -> None:
        file = block.file
        assert file is not None
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        concerns = path.exists() or path.name == ".env" or (path.parent / "__init__.py").exists()
        with self._reloaded() if concerns else contextlib.nullcontext():
            path.write_text(block.text)
        if path.suffix == ".py" and "if __name__" not in block.text:
            self._import(file.removesuffix(".py").replace("/", "."))

    @contextlib.contextmanager
    def _reloaded(self) -> Iterator[None]:
        """``glam-worker dev`` starts again for a file of the service: wait until it works again."""
        before = self._said.read_text().count(_WORKS) if self._reloads else 0
        yield
        if self._reloads:
            again = f"{before + 1} times {_WORKS!r}"
            until(lambda: self._said.read_text().count(_WORKS) > before, again, WITHIN)

    def _import(self, module: str) -> None:
        done = self._run([sys.executable, "-W", "error", "-c", f"import {module}"])
        assert done.returncode == 0, done.stderr

    # --- commands ---

    def _type_all(self, text: str) -> None:
        commands = re.split(r"^\$ ", text, flags=re.MULTILINE)
        assert not commands[0].strip(), f"a console block begins with a command: {text}"
        for command in commands[1:]:
            typed = re.match(r"(?:.*\\\n)*.*\n?", command)
            assert typed is not None
            expected = command[typed.end() :].splitlines()
            self._type(typed.group().strip(), [line for line in expected if line.strip()])

    def _type(self, command: str, expected: list[str]) -> None:
        if _SET_UP.match(command):
            check_set_up(command)
        elif command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._exports[name] = value
        elif _GOES_ON.search(command):
            self._start(command)
            self._await_said(expected or [f"...{_WORKS}... handler..."])
            self._learn_server()
            self._reloads = "glam-worker dev" in command
        else:
            self._run_until_said(command, expected, once=not command.startswith("curl"))

    def _run_until_said(self, command: str, expected: list[str], *, once: bool) -> None:
        """Run; what only looks is run again until it sees what is expected."""
        deadline = time.monotonic() + (0.0 if once else WITHIN)
        while True:
            done = self._ended(self._here(command))
            missing = _missing(expected, done.out + done.err, in_order=True)
            if done.code == 0 and not missing:
                return
            if time.monotonic() > deadline:
                break
        assert done.code == 0, f"{command}: {done.code}: {done.err}"
        assert not missing, f"{command} did not say {missing}, but:\n{done.out}"

    def _ended(self, command: str) -> Ended:
        program, *arguments = shlex.split(command.replace("\\\n", " "))
        if program == "glam-worker" and not set("|&;<>$*`") & set(command):  # nothing for a shell
            return glam(*arguments, cwd=self.folder, env=self._environment())
        done = self._run(["bash", "-c", f"set -o pipefail; {command}"])
        return Ended(done.returncode, done.stdout, done.stderr)

    def _here(self, command: str) -> str:
        """The command with this test's server and port."""
        for tool in re.findall(r"(?:^|\| *)(curl|grep)\b", command):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        return _OUR_SERVER.sub(self.server, command.replace("9464", str(self.port)))

    def _environment(self) -> dict[str, str]:
        ours = {
            "GLAM_NATS_SERVERS": self.server,
            "GLAM_HTTP_PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}",
        }
        return environment(ours) | self._exports

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    # --- the one that goes on ---

    def _start(self, command: str) -> None:
        self.stop()
        with self._said.open("wb") as said:
            self._going_on = subprocess.Popen(
                ["bash", "-c", f"exec env {self._here(command)}"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _await_said(self, expected: list[str]) -> None:
        process = self._going_on
        assert process is not None, f"no command goes on that could say {expected}"

        def said() -> bool:
            missing = _missing(expected, self._said.read_text(), in_order=False)
            return not missing or process.poll() is not None

        until(said, f"all of {expected} in {self._said.read_text()}", WITHIN)
        missing = _missing(expected, self._said.read_text(), in_order=False)
        assert not missing, f"it did not say {missing}, but:\n{self._said.read_text()}"

    def _learn_server(self) -> None:
        listens = re.search(r"nats-server listens at (\S+),", self._said.read_text())
        if listens is not None:
            self.server = listens.group(1)


def check_set_up(command: str) -> None:
    """A command that sets a machine up is not run: what it names must exist."""
    words = command.split()
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{words[1]}:.*## ", makefile, re.MULTILINE), f"no target {words[1]}"
    if words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "optional-dependencies"
        ]
        named = re.findall(r"\[([\w,]+)\]", command)
        assert all(extra in extras for names in named for extra in names.split(",")), command
    if words[0] == "docker":
        assert (ROOT / words[words.index("-f") + 1]).exists(), command


def _missing(expected: list[str], said: str, *, in_order: bool) -> list[str]:
    """The expected lines that were not said; white space does not matter, ``...`` is anything."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    missing = []
    for wanted in expected:
        parts = [re.escape(" ".join(part.split())) for part in wanted.split("...")]
        pattern = re.compile(r"\s*.*\s*".join(parts).strip())
        found = next((n for n, line in enumerate(lines) if pattern.fullmatch(line)), None)
        if found is None:
            missing.append(wanted)
        elif in_order:
            lines = lines[found + 1 :]
    return missing


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
