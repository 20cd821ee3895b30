"""``glam-worker permissions``: what it prints."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from glam_worker.dev.binary import server_binary
from tests.cli.command import Ended, glam


@pytest.fixture
def printed(project: Path) -> Ended:
    """The block for the project's handlers."""
    ended = glam("permissions", "shop.handlers", cwd=project)
    assert ended.code == 0, ended.err
    return ended


def test_output_is_a_configuration_that_nats_server_takes(printed: Ended, tmp_path: Path) -> None:
    """Written to a file, it is valid once each user has a password in the environment."""
    (tmp_path / "permissions.conf").write_text(printed.out)
    users = ("WORKER", "DEPLOY", "OPERATOR", "PUBLISHER")
    checked = subprocess.run(
        [server_binary(), "-t", "-c", tmp_path / "permissions.conf"],
        env=os.environ | {f"SHOP_{user}_PASSWORD": "x" for user in users},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "is valid" in checked.stderr
    assert "\x1b" not in printed.out


def test_a_shared_inbox_prefix_is_warned_about(printed: Ended, project: Path) -> None:
    """Who may subscribe to everybody's inbox reads payloads; with one of its own, no word."""
    assert "_INBOX.>" in printed.err
    assert "GLAM_NATS_INBOX_PREFIX" in printed.err
    env = {"GLAM_NATS_INBOX_PREFIX": "_INBOX_shop"}
    own = glam("permissions", "shop.handlers", "--publishes", "evt.>", cwd=project, env=env)
    assert own.err == ""
    assert '"_INBOX_shop.>"' in own.out


def test_what_handlers_publish_cannot_be_known_and_is_asked_for(printed: Ended) -> None:
    """The right that is forgotten shows first when an event has used an attempt for want of it."""
    assert "--publishes" in printed.err


def test_json_has_each_user_with_subjects_and_reasons(project: Path) -> None:
    """A program gets the same as lists, with the subjects that handlers publish to."""
    given = ("--service", "eu", "--publishes", "evt.mail.>", "--json")
    said = json.loads(glam("permissions", "shop.handlers", *given, cwd=project).out)
    assert (said["service"], said["inbox_prefix"]) == ("eu", "_INBOX")
    assert [role["role"] for role in said["roles"]] == [
        *("worker", "deploy", "operator", "publisher")
    ]
    worker = said["roles"][0]
    assert (worker["user"], worker["password_variable"]) == ("eu-worker", "EU_WORKER_PASSWORD")
    subjects = {grant["subject"]: grant["why"] for grant in worker["publish"]}
    assert subjects["evt.mail.>"] == "published by its handlers"
    assert "retry.wait.eu.ship.>" in subjects
    assert worker["subscribe"] == [
        {"subject": "_INBOX.>", "why": "answers to its own requests"},
    ]


def test_a_wrong_subject_is_named(project: Path) -> None:
    """What a handler may not publish to cannot be allowed by mistake."""
    ended = glam("permissions", "shop.handlers", "--publishes", "dlq.>", cwd=project)
    assert ended.code == 2
    assert "--publishes: subject 'dlq.>'" in ended.err
    assert ended.out == ""
