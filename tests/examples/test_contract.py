"""Whatever is sent to the front door, its answers are those of its OpenAPI document."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.demo_process import ROOT
from examples.front_door.callers import Secrets
from examples.front_door.demo.trace import lines
from tests.examples.conftest import door_app
from tests.examples.door_process import DoorProcess, door_process, sent

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,unsupported_method"
)


def fuzz(door: DoorProcess, folder: Path, examples: int) -> subprocess.CompletedProcess[str]:
    """Send generated requests, the same ones each time, and compare the answers."""
    options = (
        "--checks",
        CHECKS,
        "--phases",
        "examples,coverage,fuzzing",
        "--generation-deterministic",
    )
    command = (sys.executable, "-m", "schemathesis.cli", "run", f"{door.url}/openapi.json")
    return subprocess.run(
        [*command, *options, "--max-examples", str(examples), "--no-color"],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.examples.contract_hooks",
            "DOOR_WEBHOOK": door.secrets.webhook,
            "DOOR_CLIENT": door.secrets.client,
            "DOOR_BILLING": door.secrets.billing,
        },
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.mark.parametrize(
    "examples",
    [15, pytest.param(60, marks=[pytest.mark.faults, pytest.mark.timeout(280)])],
)
async def test_no_generated_request_gets_an_answer_outside_the_contract(
    nats_url: str, tmp_path: Path, examples: int
) -> None:
    """Hundreds of requests, good and bad: no 500, and no answer outside of its schema."""
    async with door_process(nats_url, tmp_path) as door:
        assert 200 == (await sent(door.callers.registration("corr-1"))).status_code
        done = await asyncio.to_thread(fuzz, door, tmp_path, examples)
        answered = Counter(line["status"] for line in lines(door.log) if "status" in line)
        errors = [line for line in lines(door.log) if line["level"] == "ERROR"]

    assert 0 == done.returncode, done.stdout + done.stderr
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) == int(passed[2]) > 100
    # Otherwise the requests did not come far, and prove little.
    assert {200, 202, 400, 401, 405, 422} <= answered.keys()
    assert [] == errors


def test_the_document_tells_of_answers_and_errors(tmp_path: Path) -> None:
    """Every route answers an ApiResponse, and every error of it is an ErrorResponse."""
    document = door_app("nats://127.0.0.1:9", tmp_path, Secrets()).openapi()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]

    def schema(answer: dict[str, Any]) -> str:
        reference: str = answer["content"]["application/json"]["schema"]["$ref"]
        return reference.rpartition("/")[2]

    assert 6 == len(operations)
    for name, operation in operations:
        for status, answer in operation["responses"].items():
            wanted = "ApiResponse_" if status.startswith("2") else "ErrorResponse"
            assert schema(answer).startswith(wanted), (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]
