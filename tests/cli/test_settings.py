"""The settings: what each may be, where it is read from, and what is said of a wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from glam_shared.errors import ConfigurationError
from glam_worker import Settings
from glam_worker.settings import variable_of
from tests.cli.command import environment

NAME = "a name, 1 to 64 of A-Z a-z 0-9 _ -"
SECONDS = "a number of seconds from 0 on"

EACH: dict[str, tuple[str, Any, str | None, str | None]] = {
    "nats_credentials": ("/run/a.creds", "/run/a.creds", None, None),
    "nats_user": ("me", "me", None, None),
    "nats_password": ("hush", SecretStr("hush"), None, None),
    "nats_token": ("hush", SecretStr("hush"), None, None),
    "nats_nkey_seed": ("SUA", SecretStr("SUA"), None, None),
    "nats_tls_ca": ("ca.pem", "ca.pem", None, None),
    "nats_tls_cert": ("cert.pem", "cert.pem", None, None),
    "nats_tls_key": ("key.pem", "key.pem", None, None),
    "nats_inbox_prefix": (
        "_INBOX.mine",
        "_INBOX.mine",
        "a.>",
        "tokens separated by dots, without white space and wildcards",
    ),
    "js_domain": ("hub", "hub", "a.b", NAME),
    "service": ("shop", "shop", "my shop", NAME),
    "nats_servers": (
        "nats://a:1, tls://b:2",
        ("nats://a:1", "tls://b:2"),
        "http://a",
        "URLs such as nats://host:4222, separated by commas",
    ),
    "connect_timeout": ("2.5", 2.5, "0", "a number of seconds above 0"),
    "disconnected_budget": ("60", 60.0, "-1", SECONDS),
    "events_stream": ("EVENTS", "EVENTS", "EVENTS.A", NAME),
    "events_max_age": ("3600", 3600.0, "7d", SECONDS),
    "retry_stream": ("RETRY", "RETRY", "*", NAME),
    "dlq_stream": ("DLQ", "DLQ", "D L Q", NAME),
    "dlq_max_bytes": ("1024", 1024, "0", "a whole number of bytes from 1 on"),
    "stream_replicas": ("3", 3, "6", "a whole number from 1 to 5"),
    "stream_storage": ("memory", "memory", "tape", "file or memory"),
    "concurrency": ("64", 64, "0", "a whole number from 1 to 10000"),
    "max_in_flight": ("500", 500, "none", "a whole number from 1 on"),
    "shutdown_grace": ("0", 0.0, "nan", SECONDS),
    "drain_target": ("10", 10.0, "0", "a number of seconds above 0"),
    "processes": ("4", 4, "0", "a whole number from 1 to 256"),
    "embedded": ("yes", True, "perhaps", "true or false"),
    "http_host": ("0.0.0.0", "0.0.0.0", None, None),
    "http_port": ("0", 0, "65536", "a whole number from 0 to 65535"),
    "log_level": ("debug", "DEBUG", "loud", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    "log_format": ("text", "text", "xml", "json or text"),
    "console_token": ("hush", SecretStr("hush"), None, None),
    "failpoint": (
        "before_pull:2",
        "before_pull:2",
        "before_pull:0",
        (
            "after_handler_before_ack, after_park_before_ack, after_emission_before_ack, "
            "after_dlq_before_ack, before_pull or in_shutdown, and :3 for the third time"
        ),
    ),
}
"""Of each setting: a right text, its value, a wrong text, and what is said to be allowed."""

DEFAULTS = {
    "service": None,
    "nats_servers": ("nats://127.0.0.1:4222",),
    "connect_timeout": 30.0,
    "disconnected_budget": 0.0,
    "events_stream": "GLAM_EVENTS",
    "retry_stream": "GLAM_RETRY",
    "dlq_stream": "GLAM_DLQ",
    "concurrency": 16,
    "max_in_flight": None,
    "shutdown_grace": 25.0,
    "http_host": "127.0.0.1",
    "http_port": 9464,
    "log_level": "INFO",
    "log_format": "json",
}

WRONG = [name for name, (_, _, wrong, _) in EACH.items() if wrong is not None]


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours, and no ``.env``."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith(("GLAM_", "NATS_")):
            monkeypatch.delenv(name)


def problems(**given: Any) -> list[str]:
    """What is said of wrong settings."""
    with pytest.raises(ConfigurationError) as wrong:
        Settings.load(**given)
    return str(wrong.value).splitlines()


def test_every_setting_is_tested() -> None:
    """The table above has every setting there is."""
    assert set(EACH) == set(Settings.model_fields)


def test_defaults() -> None:
    """Without any variable the documented defaults are in effect."""
    settings = Settings.load()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS


PAIRS = (("nats_tls_cert", "nats_tls_key"), ("nats_user", "nats_password"))


@pytest.mark.parametrize("name", EACH)
def test_variable_sets_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """GLAM_ and the name in capitals is read from the environment."""
    text, value, _, _ = EACH[name]
    for pair in PAIRS:
        for half in pair if name in pair else ():
            monkeypatch.setenv(variable_of(half), EACH[half][0])
    monkeypatch.setenv(variable_of(name), text)
    assert getattr(Settings.load(), name) == value
    assert Settings.origins()[name].kind == "environment"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_variable_is_one_line_with_what_was_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the variable, the value found, and what is allowed."""
    _, _, wrong, allowed = EACH[name]
    monkeypatch.setenv(variable_of(name), str(wrong))
    assert problems() == [f"{variable_of(name)} is {wrong!r}; allowed: {allowed}"]


def test_all_wrong_variables_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many lines as variables are wrong."""
    for name in WRONG:
        monkeypatch.setenv(variable_of(name), str(EACH[name][2]))
    assert [line.split()[0] for line in problems()] == [variable_of(name) for name in WRONG]


def test_all_that_does_not_fit_together_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a key pair and one stream for two purposes: both at once."""
    monkeypatch.setenv("GLAM_NATS_TLS_CERT", "cert.pem")
    monkeypatch.setenv("GLAM_DLQ_STREAM", "GLAM_EVENTS")
    first, second = problems()
    assert "GLAM_NATS_TLS_KEY" in first
    assert "GLAM_DLQ_STREAM" in second


def test_wrong_flag_names_the_flag() -> None:
    """A wrong argument is named as the flag that gave it, with its variable."""
    assert problems(http_port=70_000) == [
        "--http-port (GLAM_HTTP_PORT) is 70000; allowed: a whole number from 0 to 65535"
    ]
    assert problems(nats_servers="nope://x")[0].startswith("--servers (GLAM_NATS_SERVERS) is ")


def test_wrong_value_in_dotenv_names_the_file(tmp_path: Path) -> None:
    """A wrong value in ``.env`` is said to stand there."""
    (tmp_path / ".env").write_text("GLAM_PROCESSES=many\n")
    assert problems() == ["GLAM_PROCESSES in .env is 'many'; allowed: a whole number from 1 to 256"]


def test_secrets_in_wrong_addresses_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """User and password of an address that cannot be read are not shown."""
    monkeypatch.setenv("GLAM_NATS_SERVERS", "nats://me:hu,sh@host:x,http://to/ken@other")
    (line,) = problems()
    assert "'nats://host:x,http://other'" in line
    assert not any(part in line for part in ("hu", "sh@", "ken"))


def test_arguments_win_over_the_environment_and_that_over_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is argument, variable, ``.env``, default."""
    (tmp_path / ".env").write_text("GLAM_CONCURRENCY=2\nGLAM_PROCESSES=2\nGLAM_SERVICE=file\n")
    monkeypatch.setenv("GLAM_CONCURRENCY", "3")
    monkeypatch.setenv("GLAM_PROCESSES", "3")
    settings = Settings.load(concurrency=4, service=None)
    assert (settings.concurrency, settings.processes, settings.service) == (4, 3, "file")


@pytest.mark.parametrize("name", ["nats_user", "nats_password"])
def test_names_of_other_tools_are_read_after_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NATS_USER and NATS_PASSWORD count where GLAM_NATS_... is not set, source by source."""
    other, ours = name.upper(), variable_of(name)
    (half,) = {"nats_user", "nats_password"} - {name}
    monkeypatch.setenv(variable_of(half), "x")

    def found() -> str:
        value = getattr(Settings.load(), name)
        return str(value.get_secret_value() if isinstance(value, SecretStr) else value)

    (tmp_path / ".env").write_text(f"{other}=1\n")
    assert found() == "1"
    (tmp_path / ".env").write_text(f"{other}=1\n{ours}=2\n")
    assert found() == "2"
    monkeypatch.setenv(other, "3")
    assert found() == "3"
    assert Settings.origins()[name].variable == other
    monkeypatch.setenv(ours, "4")
    assert found() == "4"
    assert Settings.origins()[name].variable == ours


def test_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable leaves the default, and is no wrong number."""
    monkeypatch.setenv("GLAM_HTTP_PORT", "")
    monkeypatch.setenv("GLAM_NATS_SERVERS", "")
    assert Settings.load().http_port == 9464
    assert Settings.origins()["http_port"].kind == "default"


def test_dotenv_with_byte_order_mark_is_read(tmp_path: Path) -> None:
    """The mark some editors write does not hide the first line."""
    (tmp_path / ".env").write_bytes("\ufeffGLAM_SERVICE=shop\n".encode())
    assert Settings.load().service == "shop"


def test_dotenv_in_another_encoding_is_named(tmp_path: Path) -> None:
    """A file that is not UTF-8 is one clear line with the line number."""
    (tmp_path / ".env").write_bytes("GLAM_HTTP_PORT=1\nGLAM_NATS_USER=Jürgen\n".encode("latin-1"))
    assert problems() == [".env is not UTF-8 text, see its line 2; save it as UTF-8"]


def test_dotenv_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to read the file, that is said."""
    (tmp_path / ".env").write_text("GLAM_HTTP_PORT=1\n")
    (tmp_path / ".env").chmod(0)
    if os.access(tmp_path / ".env", os.R_OK):
        pytest.skip("this user may read everything")
    assert problems() == [".env cannot be read: Permission denied"]


def test_unknown_argument_is_told() -> None:
    """A misspelt argument of ``Settings.load`` is not passed over."""
    with pytest.raises(ConfigurationError, match="concurency is not a setting"):
        Settings.load(concurency=3)


def test_certificate_without_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that only make sense together are checked together."""
    monkeypatch.setenv("GLAM_NATS_TLS_CERT", "cert.pem")
    (line,) = problems()
    assert "GLAM_NATS_TLS_CERT and GLAM_NATS_TLS_KEY go together" in line


@pytest.mark.parametrize(("name", "half"), [("nats_user", "user"), ("nats_password", "password")])
def test_a_user_without_password_is_told(
    name: str, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it would be nobody, or whomever the server takes for nobody."""
    monkeypatch.setenv(variable_of(name), "anna")
    (line,) = problems()
    assert "GLAM_NATS_USER and GLAM_NATS_PASSWORD go together" in line
    assert f"only the {half} is set; set both, or neither" in line
    assert "anna" not in line

    monkeypatch.setenv("GLAM_NATS_TOKEN", "comes first")
    assert Settings.load().nats_token is not None


def test_settings_are_read_without_the_client_library() -> None:
    """It takes as long to load as all the rest; commands without a server do not wait for it."""
    code = "import sys, glam_worker.settings as s; s.Settings.load().check_files(); "
    command = [sys.executable, "-c", f"{code}print('nats' in sys.modules)"]
    assert subprocess.check_output(command, text=True, env=environment()) == "False\n"


def test_streams_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two roles cannot share a stream."""
    monkeypatch.setenv("GLAM_DLQ_STREAM", "GLAM_RETRY")
    (line,) = problems()
    assert "GLAM_EVENTS, GLAM_RETRY, GLAM_RETRY" in line


def test_settings_are_frozen() -> None:
    """Nothing changes settings that are in use."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().http_port = 1  # type: ignore[misc]


def test_settings_for_a_server_of_our_own_carry_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What belongs to other servers is left out for the embedded one."""
    for name in ("nats_user", "nats_password", "nats_token", "nats_tls_ca", "js_domain"):
        monkeypatch.setenv(variable_of(name), EACH[name][0])
    connection = Settings.load().at("nats://127.0.0.1:1").connection()
    assert connection.pop("servers") == ("nats://127.0.0.1:1",)
    assert connection.pop("inbox_prefix") == "_INBOX"
    assert set(connection.values()) == {None}
