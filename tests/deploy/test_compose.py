"""The compose file and what it mounts. Nothing is started: that needs Docker and its registry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glam_worker.dev.binary import server_binary
from tests.deploy.queries import DEPLOY

COMPOSE = DEPLOY / "compose.yaml"
EXAMPLE = DEPLOY / "compose" / "example.env"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, anchors filled in."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


@pytest.mark.parametrize(
    "checking",
    [
        ["check_jsonschema", "--builtin-schema", "vendor.compose-spec"],
        ["compose_lint", "check", "--fail-on", "high"],
    ],
    ids=["schema", "linter"],
)
def test_it_is_what_the_compose_specification_says(checking: list[str]) -> None:
    """By its schema nothing is misspelt; the linter finds no dangerous setting."""
    command = [sys.executable, "-m", *checking, str(COMPOSE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_mounted_and_built_exists(services: dict[str, Any]) -> None:
    """Each file of ours that a service needs is there."""
    mounted = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith(".")
    }
    built = {service["build"]["dockerfile"] for service in services.values() if "build" in service}

    assert len(mounted) >= 4
    assert {path for path in mounted if not (DEPLOY / path).exists()} == set()
    assert {path for path in built if not (DEPLOY.parent / path).exists()} == set()


def test_every_secret_is_asked_for_and_none_is_given() -> None:
    """No password stands in the file; each is one of the example's, which is empty."""
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    example = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))

    assert asked == example.keys()
    assert set(example.values()) == {""}


def test_a_worker_has_time_to_drain(services: dict[str, Any]) -> None:
    """The kill comes after the grace and the time to settle."""
    worker = services["worker"]

    given = float(worker["stop_grace_period"].removesuffix("s"))
    assert given >= worker["environment"]["GLAM_SHUTDOWN_GRACE"] + 5


def test_three_servers_are_one_cluster(services: dict[str, Any]) -> None:
    """Each has a name and a store of its own, and routes to all."""
    servers = {name: one for name, one in services.items() if name.startswith("nats-")}

    assert len(servers) == 3
    for name, server in servers.items():
        flags = server["command"]
        assert f"--name={name}" in flags
        assert f"{name}:/data" in server["volumes"]
        (routes,) = (flag for flag in flags if flag.startswith("--routes="))
        assert [f"@{other}:6222" in routes for other in servers] == [True] * 3


def test_only_this_machine_reaches_the_ports(services: dict[str, Any]) -> None:
    """Whatever is published listens on the loopback interface."""
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_nats_server_takes_its_configuration(tmp_path: Path) -> None:
    """The real server finds nothing wrong with the file."""
    environment = {**os.environ, "GLAM_NATS_PASSWORD": "not-a-secret"}
    command = [str(server_binary()), "-t", "-c", str(DEPLOY / "compose" / "nats.conf")]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
