"""Prometheus rules: correct, tried on made-up series, and each with a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from glam_worker.observe.families import FAMILIES, PREFIX
from glam_worker.observe.histogram import AGES
from tests.deploy.queries import DEPLOY, ROOT, dashboard_queries, panels, rules, unfiltered

TESTS = DEPLOY / "prometheus" / "tests"
RUNBOOKS = ROOT / "docs" / "runbooks"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on the PATH (Debian: apt-get install prometheus)",
)


def promtool(*arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    command = ["promtool", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def expressions() -> Iterator[tuple[str, str]]:
    """Everything that is asked: panels, records, alerts."""
    yield from dashboard_queries().items()
    for kind, key in (("recording", "record"), ("alerts", "alert")):
        for rule in rules(kind):
            yield rule[key], rule["expr"]


@needs_promtool
def test_configuration_and_rules_are_correct() -> None:
    """Prometheus takes its configuration with all rules."""
    code, said = promtool("check", "config", "deploy/prometheus/prometheus.yml")

    assert (code, "FAILED" in said) == (0, False), said
    assert said.count("rule files found") == 1


@needs_promtool
@pytest.mark.faults  # hours of made-up time take promtool seconds
def test_rules_do_what_their_unit_tests_say() -> None:
    """Alerts fire when they should, stay silent when they should, and say what they should."""
    code, said = promtool("test", "rules", *map(str, TESTS.glob("*.yml")))

    assert code == 0, said


def test_every_alert_has_a_unit_test_in_which_it_fires() -> None:
    """No alert is only believed to work."""
    cases: list[dict[str, Any]] = [
        case
        for file in TESTS.glob("*.yml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
    ]
    fire = {case["alertname"] for case in cases if case["exp_alerts"]}

    assert {rule["alert"] for rule in rules("alerts")} == fire


def test_every_alert_says_how_bad_it_is_and_what_to_read() -> None:
    """Severity, summary, description, and a page that has a section on the alert's name."""
    for alert in rules("alerts"):
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
        page = (ROOT / alert["annotations"]["runbook_url"]).read_text()
        assert f"`{alert['alert']}`" in page, alert["alert"]


def test_every_runbook_belongs_to_an_alert() -> None:
    """A page that nothing leads to is one that nobody keeps up."""
    linked = {alert["annotations"]["runbook_url"] for alert in rules("alerts")}
    pages = {page.relative_to(ROOT).as_posix() for page in RUNBOOKS.glob("*.md")}

    assert pages - {"docs/runbooks/README.md"} == linked


def test_only_metrics_that_exist_are_asked_for() -> None:
    """Each name with our prefix is one of /metrics or one of the recording rules."""
    exposed = {
        f"{PREFIX}{family.name}{ending}"
        for family in FAMILIES
        for ending in ("", "_total", "_info", "_bucket", "_sum", "_count")
    }
    known = exposed | {rule["record"] for rule in rules("recording")}
    asked = {
        (where, name)
        for where, expression in expressions()
        for name in re.findall(r"\bglam_worker[_:][\w:]+", expression)
    }

    assert len(asked) > 60
    assert {(where, name) for where, name in asked if name not in known} == set()


def test_every_recording_rule_is_used() -> None:
    """What dashboard, alerts and scaling do not ask for is not recorded."""
    asked = " ".join(expression for _, expression in expressions())
    asked += " ".join(file.read_text() for file in (DEPLOY / "kubernetes").rglob("*.yaml"))
    unused = [rule["record"] for rule in rules("recording") if rule["record"] not in asked]

    assert unused == []


def test_the_objective_is_a_bound_of_the_histogram() -> None:
    """The bucket that the age alerts read exists."""
    bounds = {
        float(bound)
        for rule in rules("recording")
        for bound in re.findall(r'le="([\d.]+)"', rule["expr"])
    }

    assert bounds
    assert bounds <= set(AGES)


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("a > 1", "a > bool 1"),
        ('a{b="c", d!="e", f=~"g"} == 0', 'a{b="c", d!="e", f=~"g"} == bool 0'),
        ("a > 1 and b > 2 * 3", "a > bool 1 and b > bool 2 * 3"),
        ("sum(a)\n> 0", "sum(a)\n> bool 0"),
    ],
)
def test_an_alerts_expression_can_be_asked_for_its_series(expression: str, asked: str) -> None:
    """Comparisons become values; matchers of labels stay."""
    assert unfiltered(expression) == asked


def test_panels_explain_themselves_and_lie_side_by_side() -> None:
    """Every panel has a description and an identity of its own, and covers no other."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        assert panel["type"] == "row" or panel["description"]
        taken |= cells

    assert len({panel["id"] for panel in panels()}) == len(panels())
