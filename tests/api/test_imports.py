"""What an import costs, and what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import glam_shared.api


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run *program* in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "module", ["glam_shared", "glam_shared.messaging", "glam_shared.messaging.events"]
)
def test_messaging_needs_nothing_of_http(module: str) -> None:
    """Without FastAPI, Starlette and PyJWT the rest works, and imports none of them."""
    found = run(
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'jwt'): sys.modules[name] = None\n"
        f"import {module}\n"
        "from glam_shared.messaging import JetStreamClient, EventPublisher\n"
        "loaded = {name.partition('.')[0] for name, module in sys.modules.items() if module}\n"
        "print(sorted(loaded & {'fastapi', 'starlette', 'jwt'}))\n"
    )

    assert "[]\n" == found.stdout, found.stderr


@pytest.mark.parametrize("missing", ["fastapi", "jwt"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    """`import glam_shared.api` without FastAPI or PyJWT ends in one line with the command."""
    found = run(f"import sys; sys.modules[{missing!r}] = None\nimport glam_shared.api")

    assert 1 == found.returncode
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: glam_shared.api needs the extra http")
    assert last.endswith("pip install 'glam-worker[http]'")
    assert missing in last
    assert 1 == found.stderr.count("Error:")


def test_every_exported_name_exists() -> None:
    """`__all__` is sorted, complete and true."""
    names = glam_shared.api.__all__

    assert sorted(names) == names
    assert all(hasattr(glam_shared.api, name) for name in names)
