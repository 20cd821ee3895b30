"""The images' recipes. They are linted, not built: building needs Docker and its registry."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = [ROOT / "deploy" / "Dockerfile", ROOT / "deploy" / "compose" / "Dockerfile"]


@pytest.fixture(scope="module", params=DOCKERFILES, ids=lambda file: file.parent.name)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    """One of the two."""
    file: Path = request.param
    return file


@pytest.fixture(scope="module")
def stages(dockerfile: Path) -> list[str]:
    """The stages of the file, with continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    return re.split(r"^FROM ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not on the PATH")
def test_hadolint_has_no_complaint(dockerfile: Path) -> None:
    """The linter for Dockerfiles, which also lints the shell in them, finds nothing."""
    command = ["hadolint", str(dockerfile)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (result.returncode, result.stdout) == (0, "")


def test_the_last_stage_runs_as_a_user_of_its_own(stages: list[str]) -> None:
    """The worker does not run as root, and its user is a number, which orchestrators can check."""
    user = re.findall(r"^USER (\S+)$", stages[-1], re.MULTILINE)[-1]

    assert int(user) > 0


def test_build_tools_stay_behind(stages: list[str]) -> None:
    """The last stage installs nothing; it copies what the first one made."""
    assert len(stages) == 2
    assert "pip" not in stages[-1]
    assert "COPY --from=build" in stages[-1]


def test_health_is_asked_of_the_worker() -> None:
    """The image's health is what the worker answers on /healthz."""
    text = DOCKERFILES[0].read_text().replace("\\\n", " ")
    check = re.search(r"^HEALTHCHECK .*$", text, re.MULTILINE)

    assert check
    assert "/healthz" in check[0]


def test_everything_that_is_copied_exists_and_is_not_ignored(stages: list[str]) -> None:
    """Each source of a COPY is in the project, and .dockerignore lets it through."""
    text = "\n".join(stages)
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert {source for source in sources if source.split("/")[0] not in allowed} == set()
