"""A real Prometheus that scrapes one worker every second."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml

from tests.deploy.queries import DEPLOY, RULES
from tests.supervisor.running import free_port, until


class Prometheus:
    """With the rules of deploy/, and its scrape configuration for another target."""

    def __init__(self, directory: Path, target: int) -> None:
        self._port = free_port()
        self._directory = directory
        self._config = directory / "prometheus.yml"
        self._config.write_text(yaml.safe_dump(_configuration(target)))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = (
            "prometheus",
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        )
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._ready, "Prometheus is ready")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "prometheus.log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression returns now."""
        series: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return series

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and state."""
        groups = self._get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]


def _configuration(target: int) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [f"{RULES}/*.yml"]
    (job,) = (one for one in config["scrape_configs"] if one["job_name"] == "glam-worker")
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{target}"], "labels": {"service": "other"}}]
    config["scrape_configs"] = [job]
    return config
