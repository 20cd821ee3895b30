"""What dashboard and alerts ask Prometheus, as they stand in deploy/."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "glam-worker.json"

_COMPARISON = re.compile(r"(?<=\s)(==|!=|>=|<=|>|<)(?=\s)(?!\s+bool)")
_FILLED_IN = {"$__rate_interval": "1m", "$namespace": ".*", "$service": ".*", "$handler": ".*"}


def rules(kind: str) -> list[dict[str, Any]]:
    """The rules of a file, ``alerts`` or ``recording``, from all of its groups."""
    groups = yaml.safe_load((RULES / f"{kind}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, rows too."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def dashboard_queries() -> dict[str, str]:
    """By panel and letter, what the dashboard asks when everything is chosen."""
    return {
        f"{panel['title']} {target['refId']}": filled_in(target["expr"])
        for panel in panels()
        for target in panel.get("targets", [])
    }


def filled_in(query: str) -> str:
    """A query as Grafana sends it, all values of its variables chosen."""
    for variable, value in _FILLED_IN.items():
        query = query.replace(variable, value)
    return query


def unfiltered(expression: str) -> str:
    """An alert's expression that returns its series whether they raise the alert or not."""
    return _COMPARISON.sub(r"\1 bool", expression)
