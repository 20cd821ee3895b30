"""The table of settings says what the settings are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from glam_worker import Settings
from tests.docs.pages import DOCS, first_words, table_of, words_of

PAGE = DOCS / "configuration.md"


def test_every_setting_is_in_the_table_and_no_other() -> None:
    """The page lists the variables of the settings, in their order."""
    variables = [origin.variable for origin in Settings.origins().values()]

    assert sorted(variables) == sorted(first_words(PAGE, "## Settings"))


@pytest.mark.parametrize(
    ("variable", "told"),
    [row[:2] for row in table_of(PAGE, "## Settings")],
)
def test_the_default_of_a_setting_is_the_one_in_the_table(variable: str, told: str) -> None:
    """What the page calls the default is what a worker without settings has."""
    name = words_of(variable)[0].removeprefix("GLAM_").lower()
    default: Any = Settings.model_fields[name].default

    if default is None:
        assert not words_of(told)
    else:
        shown = default[0] if isinstance(default, tuple) else default
        number = isinstance(shown, int | float) and not isinstance(shown, bool)
        assert words_of(told) == [
            f"{shown:.10g}" if number else str(shown).replace("False", "false")
        ]


def test_secrets_are_all_in_the_table_of_who_the_worker_is() -> None:
    """Whoever looks for a way to authenticate finds each setting that holds a secret."""
    told = " ".join(
        word for row in table_of(PAGE, "## Who the worker is") for word in words_of(row[1])
    )
    secret = [
        f"GLAM_{name.upper()}"
        for name, info in Settings.model_fields.items()
        if SecretStr.__name__ in str(info.annotation) and name.startswith("nats_")
    ]

    assert secret
    assert [] == [variable for variable in secret if variable not in told]
