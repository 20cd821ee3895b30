"""Help, completion and wrong usage."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from glam_worker.cli.app import app, dlq
from tests.cli.command import glam, glam_on_terminal

GROUPS = {"dlq": dlq}
COMMANDS = [str(command.name) for command in app.registered_commands] + [
    f"{name} {command.name}"
    for name, group in GROUPS.items()
    for command in group.registered_commands
]

_LOADED = """
import sys
sys.argv = {argv!r}
try:
    {code}
except SystemExit as ended:
    assert not ended.code, ended
print("loaded:", *sorted(name for name in {heavy!r} if name in sys.modules))
"""
_HEAVY = ("nats", "fastapi", "starlette", "jwt", "uvloop", "prometheus_client", "pydantic", "rich")


def loaded(tmp_path: Path, code: str, *argv: str) -> list[str]:
    """Which heavy packages a new interpreter has loaded after the code."""
    script = _LOADED.format(argv=["glam-worker", *argv], code=code, heavy=_HEAVY)
    ended = glam("-c", script, cwd=tmp_path, command=(sys.executable,))
    assert ended.code == 0, ended.err
    return ended.out.rpartition("loaded:")[2].split()


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """``--help`` imports neither the client nor anything else that takes long."""
    assert loaded(tmp_path, "from glam_worker.cli import main; main()", "--help") == []


def test_import_of_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    """``import glam_worker`` by itself loads no dependency."""
    assert loaded(tmp_path, "import glam_worker") == []


def test_declarations_load_no_client(tmp_path: Path) -> None:
    """Declaring a handler needs pydantic, and neither the client nor HTTP."""
    found = loaded(tmp_path, "from glam_worker import on")
    assert set(found) & {"nats", "fastapi", "starlette", "jwt", "uvloop"} == set()


_EACH_HELP = """
import json, sys
from contextlib import redirect_stdout, suppress
from io import StringIO
from glam_worker.cli.app import app
said = {}
for command in sys.argv[1:]:
    with redirect_stdout(StringIO()) as out, suppress(SystemExit):
        app([*command.split(), "--help"], prog_name="glam-worker")
    said[command] = out.getvalue()
print(json.dumps([said, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def each_help(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], set[str]]:
    """The help of every command, and what showing them has loaded."""
    folder = tmp_path_factory.mktemp("help")
    ended = glam("-c", _EACH_HELP, *COMMANDS, cwd=folder, command=(sys.executable,))
    said, modules = json.loads(ended.out)
    return said, set(modules)


def test_help_of_commands_loads_nothing_of_the_worker(
    each_help: tuple[dict[str, str], set[str]],
) -> None:
    """The help of a command loads what typer needs, and nothing that works events."""
    _, modules = each_help
    assert (
        modules & {"nats", "fastapi", "uvloop", "prometheus_client", "pydantic_settings"} == set()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example(
    each_help: tuple[dict[str, str], set[str]], command: str
) -> None:
    """A newcomer finds one line to try in each command's help."""
    said, _ = each_help
    assert re.search(rf"Example: .*glam-worker {command}", said[command])


def test_help_lists_every_command(tmp_path: Path) -> None:
    """``--help`` names each command with what it does."""
    for group in ("", *GROUPS):
        ended = glam(*group.split(), "--help", cwd=tmp_path)
        for command in COMMANDS:
            first, _, last = command.rpartition(" ")
            if first == group:
                assert re.search(rf"^  {last} +\S", ended.out, re.MULTILINE)


def test_help_without_terminal_is_plain_and_not_wrapped(tmp_path: Path) -> None:
    """In a pipe there is no colour and no frame, and each option is one line."""
    ended = glam("publish", "--help", cwd=tmp_path)
    assert "\x1b" not in ended.out
    assert not set(ended.out) & set("│╭─…")
    (line,) = [text for text in ended.out.splitlines() if text.startswith("  --event-id")]
    assert line.endswith("an id is stored once.")


def test_help_on_a_terminal_is_grouped(tmp_path: Path) -> None:
    """On a terminal the commands stand in groups."""
    ended = glam_on_terminal("--help", cwd=tmp_path)
    assert ended.code == 0
    assert "Work events" in ended.out
    assert "Look" in ended.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run",), "MODULE"),
        (("run", "shop", "--proceses", "2"), "--proceses"),
        (("run", "shop", "--http-port", "many"), "--http-port"),
        (("nonsense",), "nonsense"),
        (("publish", "evt.a.b"), "--data"),
    ],
)
def test_wrong_usage_is_named_and_ends_with_2(
    tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    """A wrong command line names what is wrong, in plain text without a terminal."""
    ended = glam(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert named in ended.err
    assert "\x1b" not in ended.err
    assert "╭" not in ended.err


def completed(tmp_path: Path, words: str) -> list[str]:
    """What bash would offer for the last word."""
    env = {
        "_GLAM_WORKER_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    script = "import sys; sys.argv = ['glam-worker']; from glam_worker.cli import main; main()"
    ended = glam("-c", script, cwd=tmp_path, env=env, command=(sys.executable,))
    return ended.out.split()


def test_shell_completes_commands(tmp_path: Path) -> None:
    """The shell completes the names of commands."""
    assert completed(tmp_path, "glam-worker che") == ["check"]


def test_shell_completes_catalogued_subjects(tmp_path: Path) -> None:
    """The shell completes the subjects of the catalogue."""
    assert completed(tmp_path, "glam-worker publish evt.merch") == ["evt.merchant.created.v1"]


def test_version_names_the_packages(tmp_path: Path) -> None:
    """``version`` names what a bug report needs."""
    ended = glam("version", cwd=tmp_path)
    assert ended.code == 0
    assert re.search(r"^glam-worker \d", ended.out, re.MULTILINE)
    assert re.search(r"^nats-py \d", ended.out, re.MULTILINE)
