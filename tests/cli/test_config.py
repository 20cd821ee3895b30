"""``glam-worker config``: what is in effect, and why."""

from __future__ import annotations

import json
from pathlib import Path

from glam_worker.settings import Settings, variable_of
from tests.cli.command import glam


def test_every_setting_is_listed_with_its_variable(tmp_path: Path) -> None:
    """The table has one line for each setting there is."""
    ended = glam("config", cwd=tmp_path)
    assert ended.code == 0, ended.err
    variables = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert variables == [variable_of(name) for name in Settings.model_fields]


def test_origin_of_each_value_is_told(tmp_path: Path) -> None:
    """The environment wins over .env, .env over the default; each says so."""
    (tmp_path / ".env").write_text(
        "GLAM_CONCURRENCY=8\nGLAM_HTTP_PORT=9000\nNATS_USER=file\nNATS_PASSWORD=x\n"
    )
    env = {"GLAM_CONCURRENCY": "32", "GLAM_LOG_LEVEL": "debug"}
    ended = glam("config", "--json", cwd=tmp_path, env=env)
    found = {entry["variable"]: (entry["value"], entry["from"]) for entry in json.loads(ended.out)}
    assert found["GLAM_CONCURRENCY"] == (32, "environment")
    assert found["GLAM_HTTP_PORT"] == (9000, ".env")
    assert found["NATS_USER"] == ("file", ".env")
    assert found["GLAM_LOG_LEVEL"] == ("DEBUG", "environment")
    assert found["GLAM_SHUTDOWN_GRACE"] == (25.0, "default")


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    """Neither the table nor the document shows a password, a token, a seed, or those in a URL."""
    env = {
        "GLAM_NATS_PASSWORD": "hush-1",
        "GLAM_NATS_TOKEN": "hush-2",
        "GLAM_NATS_NKEY_SEED": "hush-3",
        "GLAM_NATS_SERVERS": "nats://me:hush-4@one:4222,nats://hush-5@two:4222",
    }
    for arguments in (("config",), ("config", "--json")):
        ended = glam(*arguments, cwd=tmp_path, env=env)
        assert ended.code == 0
        assert "hush" not in ended.out + ended.err
        assert "***" in ended.out
        assert "nats://one:4222" in ended.out


def test_wrong_settings_end_with_2_and_one_line_each(tmp_path: Path) -> None:
    """Each wrong variable is one line; nothing else is said."""
    env = {"GLAM_HTTP_PORT": "70000", "GLAM_LOG_FORMAT": "xml"}
    ended = glam("config", cwd=tmp_path, env=env)
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "glam-worker: GLAM_HTTP_PORT is '70000'; allowed: a whole number from 0 to 65535",
        "glam-worker: GLAM_LOG_FORMAT is 'xml'; allowed: json or text",
    ]


def test_misspelt_variable_is_warned_about(tmp_path: Path) -> None:
    """A variable that is nearly a setting's name has no effect, and that is said; others may be."""
    (tmp_path / ".env").write_text("GLAM_HTTP_PROT=1\n")
    env = {"GLAM_CONCURENCY": "64", "GLAM_SHOP_DATABASE": "db"}
    ended = glam("config", cwd=tmp_path, env=env)
    assert ended.code == 0
    first, second = ended.err.splitlines()
    assert "GLAM_CONCURENCY is not a setting" in first
    assert first.endswith("did you mean GLAM_CONCURRENCY?")
    assert "GLAM_HTTP_PROT is not a setting" in second
    assert second.endswith("did you mean GLAM_HTTP_PORT?")
