"""``glam-worker check``: what is declared, and every mistake of it, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glam_shared.wording import seconds
from glam_worker import RetryPolicy
from glam_worker.cli.wording import retry_in_words
from tests.cli.command import glam, glam_on_terminal

UNREACHABLE = {"GLAM_NATS_SERVERS": "nats://127.0.0.1:9"}


def write(project: Path, name: str, text: str) -> None:
    """A module of the project."""
    (project / f"{name}.py").write_text(text)


def test_handlers_are_listed_without_a_server(project: Path) -> None:
    """The table names each handler's durable, subject, payload, retries and place."""
    ended = glam("check", "shop.handlers", cwd=project, env=UNREACHABLE)
    assert ended.code == 0, ended.err
    header, ship, refund = [line.split("  ") for line in ended.out.splitlines()]
    assert header[0] == "HANDLER"
    assert [cell.strip() for cell in ship if cell] == [
        "ship",
        "shop-ship",
        "evt.order.placed.v1",
        "Order",
        "16",
        "3 attempts: after 500 ms and 2 s",
        "async",
        "shop/handlers.py:10",
    ]
    assert [cell.strip() for cell in refund if cell][4:] == [
        "4",
        "5 attempts: after 1 s, 4 s, 16 s and 64 s",
        "sync",
        "shop/handlers.py:15",
    ]


def test_table_without_terminal_is_plain_and_whole(project: Path) -> None:
    """In a pipe nothing is coloured, wrapped or cut, however long it is."""
    long = "evt." + "very.long.subject." * 12 + "v1"
    write(
        project,
        "wide",
        "from pydantic import BaseModel\nfrom glam_worker import on\n"
        f"class P(BaseModel): ...\n@on({long!r}, P)\nasync def handle(p: P) -> None: ...\n",
    )
    ended = glam("check", "wide", cwd=project, env={"FORCE_COLOR": "1"})
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert len(ended.out.splitlines()) == 2
    assert long in ended.out
    assert ended.out.splitlines()[1].endswith("wide.py:4")


def test_a_terminal_too_narrow_for_the_table_shows_blocks(project: Path) -> None:
    """Each handler by itself: one line for each of its facts, nothing folded or cut."""
    ended = glam_on_terminal("check", "shop.handlers", cwd=project, columns=100)
    assert ended.code == 0
    ship, refund = ended.out.replace("\r\n", "\n").split("\n\n")
    assert ship.splitlines() == [
        "ship",
        "  durable      shop-ship",
        "  subject      evt.order.placed.v1",
        "  payload      Order",
        "  concurrency  16",
        "  retry        3 attempts: after 500 ms and 2 s",
        "  runs         async",
        "  where        shop/handlers.py:10",
    ]
    assert refund.startswith("refund\n")


def test_a_wide_terminal_shows_the_table(project: Path) -> None:
    """Where the lines fit, one line for each handler."""
    ended = glam_on_terminal("check", "shop.handlers", cwd=project, columns=200)
    assert ended.code == 0
    assert sum("shop-ship" in line for line in ended.out.splitlines()) == 1
    assert "handlers.py:10" in next(line for line in ended.out.splitlines() if "shop-ship" in line)


def test_json_has_every_option(project: Path) -> None:
    """``--json`` is one document with what the table leaves out, too."""
    write(project, "noisy", "print('hello from the module')\nfrom shop.handlers import ship\n")
    ended = glam("check", "noisy", "--service", "mine", "--json", cwd=project)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert "hello" in ended.err
    assert found["service"] == "mine"
    (handler,) = found["handlers"]
    assert handler["durable"] == "mine-ship"
    assert handler["lane"] == "mine-ship-lane"
    assert handler["payload"] == "shop.handlers.Order"
    assert handler["retry"] == {"attempts": 3, "delays": [0.5, 2.0], "jitter": 0.2}
    assert handler["where"] == "shop/handlers.py:10"
    assert found["problems"] == []


def test_handlers_imported_along_the_way_are_warned_about(project: Path) -> None:
    """A handler that is imported and stands in no named module is not worked, and that is said."""
    write(project, "noisy", "from shop.handlers import ship\n")
    ended = glam("check", "noisy", cwd=project)
    assert ended.code == 0
    assert "refund" not in ended.out
    assert "warning: handler refund (shop/handlers.py:15)" in ended.err
    assert "shop.handlers" in ended.err


def test_files_that_the_worker_could_not_use_are_warned_about(project: Path) -> None:
    """Missing or something else: named by variable, and no mistake, as they may be elsewhere."""
    (project / "seed").write_text("")
    env = {"GLAM_NATS_TLS_CA": "/absent.pem", "GLAM_NATS_NKEY_SEED": str(project / "seed")}
    ended = glam("check", "shop.handlers", "--json", cwd=project, env=env)
    ca, seed = json.loads(ended.out)["warnings"]
    assert ended.code == 0
    assert "GLAM_NATS_TLS_CA is '/absent.pem', which cannot be read: No such file" in ca
    assert f"the nkey seed file '{project}/seed' is empty" in seed
    assert seed.endswith("; `run` would end with it")


def test_subject_of_no_stream_of_ours_is_warned_about(project: Path) -> None:
    """A subject the events stream would not hold needs a stream made by others."""
    write(
        project,
        "foreign",
        "from pydantic import BaseModel\nfrom glam_worker import on\n"
        "class P(BaseModel): ...\n@on('telemetry.cpu', P)\nasync def handle(p: P) -> None: ...\n",
    )
    ended = glam("check", "foreign", cwd=project)
    assert ended.code == 0
    assert "telemetry.cpu" in ended.err


BROKEN = """\
from pydantic import BaseModel
from glam_worker import on
class P(BaseModel): ...
@on("dlq.order", P)
async def one(p: P) -> None: ...
@on("evt.order.a", P, concurrency=0)
async def two(p: P) -> None: ...
@on("evt.order.b", P)
async def three(p: P, colour) -> None: ...
"""


def test_every_mistake_is_told_with_file_and_line(project: Path) -> None:
    """All mistakes of all modules are told at once; the exit code is 2."""
    write(project, "broken", BROKEN)
    write(project, "empty", "")
    ended = glam("check", "broken", "shop.handlers", "absent.module", cwd=project)
    assert ended.code == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines[:3]] == [
        "broken.py:4",
        "broken.py:6",
        "broken.py:8",
    ]
    assert "module 'absent.module' is not found" in lines[3]


MISUSED = """\
from pydantic import BaseModel
from glam_worker import Listener, RetryPolicy, on
class P(BaseModel): ...
@on
async def bare(p: P) -> None: ...
@on("evt.order.a", P, retry=RetryPolicy(attempts=0))
async def never(p: P) -> None: ...
@on("evt.order.b", P, retries=3)
async def misspelt(p: P) -> None: ...
class Old(Listener[P]):
    service_name, queue_group, subject, payload_class = "shop", "old", "evt.order.c", P
    max_deliver = 0
    async def on_message(self, payload, event_id, correlation_id, source_service, timestamp): ...
"""


def test_misuse_is_told_like_any_mistake(project: Path) -> None:
    """A decorator without parentheses, an option that is none, a policy that makes no sense: one
    line each, with file, line and the fix, and no traceback."""
    write(project, "misused", MISUSED)
    ended = glam("check", "misused", cwd=project)
    assert ended.code == 2
    said = [line.removeprefix("glam-worker: misused.py:") for line in ended.err.splitlines()]
    assert [line.partition(": ")[0] for line in said] == ["4", "6", "8", "13"]
    assert "@on stands without subject and payload; write @on(" in said[0]
    assert "attempts=0 is not allowed; attempts is a whole number from 1 on" in said[1]
    assert "no option retries=; did you mean retry=?" in said[2]
    assert "max_deliver=0 is not allowed" in said[3]


def test_package_without_handlers_names_the_modules_in_it(project: Path) -> None:
    """Who names the package is told its modules, with __init__.py or without."""
    ended = glam("check", "shop", cwd=project)
    assert ended.code == 2
    assert "declares no handler; name the module that does; in it are shop.handlers" in ended.err
    (project / "shop" / "__init__.py").unlink()
    ended = glam("check", "shop", cwd=project)
    assert ended.code == 2
    assert f"module shop ({project}/shop) declares no handler" in ended.err
    assert "in it are shop.handlers" in ended.err


def test_mistakes_as_json_are_one_document(project: Path) -> None:
    """``--json`` of a module with mistakes lists them, and still ends with 2."""
    write(project, "broken", BROKEN)
    ended = glam("check", "broken", "--json", cwd=project)
    assert ended.code == 2
    problems = json.loads(ended.out)["problems"]
    assert [problem["where"] for problem in problems] == [
        "broken.py:4",
        "broken.py:6",
        "broken.py:8",
    ]
    assert "concurrency=0" in problems[1]["problem"]


def test_module_that_raises_shows_the_users_own_traceback(project: Path) -> None:
    """The traceback begins in the user's module; ours is of no interest."""
    write(project, "settings_of_shop", "def read():\n    return 1 / 0\n")
    write(project, "raising", "import settings_of_shop\nsettings_of_shop.read()\n")
    ended = glam("check", "raising", "shop.handlers", cwd=project)
    assert ended.code == 2
    assert 'raising.py", line 2' in ended.err
    assert 'settings_of_shop.py", line 2' in ended.err
    assert "ZeroDivisionError" in ended.err
    assert "glam_worker" not in ended.err
    assert "importlib" not in ended.err


def test_module_with_wrong_syntax_shows_the_place(project: Path) -> None:
    """A syntax error names file and line."""
    write(project, "unfinished", "x = 1\ndef broken(:\n")
    ended = glam("check", "unfinished", cwd=project)
    assert ended.code == 2
    assert 'unfinished.py", line 2' in ended.err
    assert "glam_worker/" not in ended.err


def test_module_that_exits_is_a_mistake(project: Path) -> None:
    """sys.exit() in a module's body does not pass for success."""
    write(project, "leaving", "import sys\nsys.exit(0)\n")
    ended = glam("check", "leaving", cwd=project)
    assert ended.code == 2
    assert "leaving" in ended.err


def test_module_without_handlers_is_a_mistake(project: Path) -> None:
    """A module that declares nothing ends with 2 and says what to do."""
    write(project, "empty", "")
    ended = glam("check", "empty", cwd=project)
    assert ended.code == 2
    assert "declares no handler" in ended.err
    assert "@on" in ended.err


def test_misspelt_names_are_told_with_what_is_meant(project: Path) -> None:
    """A module, with or without its package, and a subject close to one of the catalogue."""
    ended = glam("check", "shop.handler", "shopp", cwd=project)
    assert ended.code == 2
    assert "did you mean shop.handlers?" in ended.err
    assert "did you mean shop?" in ended.err
    handlers = project / "shop" / "handlers.py"
    handlers.write_text(
        handlers.read_text().replace("evt.order.placed.v1", "evt.merchnt.created.v1")
    )
    ended = glam("check", "shop.handlers", cwd=project)
    assert ended.code == 0
    assert "no evt.merchnt.created.v1; did you mean evt.merchant.created.v1?" in ended.err


def test_path_instead_of_a_module_gets_a_hint(project: Path) -> None:
    """Who gives a path is told the module's name."""
    ended = glam("check", "shop/handlers.py", cwd=project)
    assert ended.code == 2
    assert "shop.handlers" in ended.err


def test_settings_are_checked_too(project: Path) -> None:
    """A wrong setting is a mistake of the same kind, and so is a budget too small for all."""
    ended = glam("check", "shop.handlers", cwd=project, env={"GLAM_CONCURRENCY": "many"})
    assert ended.code == 2
    assert "GLAM_CONCURRENCY is 'many'" in ended.err
    ended = glam("check", "shop.handlers", cwd=project, env={"GLAM_MAX_IN_FLIGHT": "3"})
    assert ended.code == 2
    assert "GLAM_MAX_IN_FLIGHT is 3" in ended.err


def test_settings_and_declarations_are_told_together(project: Path) -> None:
    """One mistake does not hide the others, of whichever kind."""
    write(project, "broken", BROKEN)
    ended = glam("check", "broken", cwd=project, env={"GLAM_CONCURRENCY": "x", "GLAM_SERVICE": "?"})
    assert ended.code == 2
    said = [line.split()[1] for line in ended.err.splitlines()]
    assert said == [
        "GLAM_SERVICE",
        "GLAM_CONCURRENCY",
        "broken.py:4:",
        "broken.py:6:",
        "broken.py:8:",
    ]


def test_service_that_cannot_be_a_name_is_a_mistake(project: Path) -> None:
    """A package whose name cannot be part of a durable's needs --service."""
    write(project, "größe", "from shop.handlers import ship\n")
    ended = glam("check", "größe", cwd=project)
    assert ended.code == 2
    assert "--service" in ended.err
    assert glam("check", "größe", "--service", "groesse", cwd=project).code == 0


def test_previous_name_that_still_exists_is_a_mistake(project: Path) -> None:
    """A handler cannot take over from one that is declared as well."""
    handlers = project / "shop" / "handlers.py"
    handlers.write_text(handlers.read_text().replace("concurrency=4", "previously='ship'"))
    ended = glam("check", "shop.handlers", cwd=project)
    assert ended.code == 2
    assert "shop/handlers.py:15: previously='ship'" in ended.err
    assert "shop/handlers.py:10" in ended.err


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RetryPolicy(attempts=1), "1 attempt, no retry"),
        (RetryPolicy(attempts=2), "2 attempts: after 1 s"),
        (RetryPolicy(), "5 attempts: after 1 s, 4 s, 16 s and 64 s"),
        (
            RetryPolicy(attempts=8),
            "8 attempts: after 1 s, 4 s, 16 s, 64 s, 256 s and 5 min (2 times)",
        ),
        (RetryPolicy(attempts=4, factor=1, first=30), "4 attempts: after 30 s (3 times)"),
        (
            RetryPolicy(attempts=50, factor=1.1),
            "50 attempts: after 1 s, 1.1 s, 1.21 s, 1.33 s, 1.46 s, 1.61 s, 1.77 s and ...",
        ),
    ],
)
def test_retry_policy_in_words(policy: RetryPolicy, words: str) -> None:
    """Attempts and delays read as a sentence."""
    assert retry_in_words(policy) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 s"),
        (0.25, "250 ms"),
        (60, "1 min"),
        (64, "64 s"),
        (300, "5 min"),
        (7200, "2 h"),
        (86_400, "1 d"),
        (604_800, "7 d"),
    ],
)
def test_durations_in_words(value: float, words: str) -> None:
    """A duration is shown in the unit that reads best."""
    assert seconds(value) == words
