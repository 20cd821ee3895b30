"""The manifests for Kubernetes: correct by its schemas, and safe by our own rules.

Of KEDA and the Prometheus operator there is no schema to be had here: what their objects refer to
is checked, not their form.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from glam_worker import Settings
from tests.deploy.queries import DEPLOY, rules

BASE = DEPLOY / "kubernetes" / "base"
OVERLAY = DEPLOY / "kubernetes" / "overlays" / "production"
OBJECTS = sorted(file for file in BASE.glob("*.yaml") if file.stem != "kustomization")
VERSIONS = ("1.29", "1.33", "1.37")
OF_OTHERS = {"PodMonitor", "ScaledObject"}


def loaded(file: Path) -> dict[str, Any]:
    """The one object of a file."""
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def pod() -> dict[str, Any]:
    """The worker's pod."""
    spec: dict[str, Any] = loaded(BASE / "deployment.yaml")["spec"]["template"]["spec"]
    return spec


def settings_of_base() -> dict[str, str]:
    """The variables that the base's map sets."""
    (generated,) = loaded(BASE / "kustomization.yaml")["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", OBJECTS, ids=lambda file: file.stem)
def test_an_object_is_what_its_schema_says(file: Path, version: str) -> None:
    """Nothing is missing, nothing is misspelt, in the oldest and the newest version."""
    kubernetes_validate.validate(loaded(file), version, strict=True)


@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=lambda folder: folder.name)
def test_kustomization_names_every_file_beside_it(folder: Path) -> None:
    """No manifest lies there unused, none is missing."""
    named = {one for one in loaded(folder / "kustomization.yaml")["resources"] if "/" not in one}

    assert named == {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH")
@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=lambda folder: folder.name)
def test_kustomize_puts_it_together(folder: Path) -> None:
    """Every patch fits, and the result is correct too."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))

    for made in objects:
        if made["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(made, VERSIONS[-1], strict=True)
    kinds = {made["kind"] for made in objects}
    assert kinds >= {"Deployment", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap"}
    assert folder == BASE or kinds >= OF_OTHERS


def test_what_is_set_is_a_setting() -> None:
    """Each variable of the maps and of the container is one that a worker reads, and reads well."""
    given = settings_of_base()
    for generated in loaded(OVERLAY / "kustomization.yaml")["configMapGenerator"]:
        given |= dict(literal.split("=", 1) for literal in generated["literals"])
    (container,) = pod()["containers"]
    given |= {one["name"]: one["value"] for one in container["env"]}
    given.pop("GLAM_NATS_CREDENTIALS")  # a file of the cluster

    fields = {name.removeprefix("GLAM_").lower(): value for name, value in given.items()}
    assert Settings.load(**fields).service == given["GLAM_SERVICE"]


def test_the_kill_comes_after_the_grace() -> None:
    """What drains is not killed: SIGTERM, the grace, and the time to settle fit."""
    grace = float(settings_of_base()["GLAM_SHUTDOWN_GRACE"])

    assert pod()["terminationGracePeriodSeconds"] >= grace + 5


def test_probes_ask_what_they_should() -> None:
    """Liveness never depends on the server; readiness does."""
    (container,) = pod()["containers"]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }

    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 9464}]


def test_the_worker_may_do_nothing_to_its_machine() -> None:
    """No root, no writing, no capabilities, no token."""
    (container,) = pod()["containers"]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod()['securityContext']['runAsUser']}\n" in (DEPLOY / "Dockerfile").read_text()
    assert pod()["automountServiceAccountToken"] is False


def test_everything_selects_the_workers() -> None:
    """Budget, policy, monitor and spreading are about the pods of the deployment."""
    labels = loaded(BASE / "deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        loaded(BASE / "deployment.yaml")["spec"]["selector"],
        loaded(BASE / "poddisruptionbudget.yaml")["spec"]["selector"],
        loaded(BASE / "networkpolicy.yaml")["spec"]["podSelector"],
        loaded(OVERLAY / "podmonitor.yaml")["spec"]["selector"],
        pod()["topologySpreadConstraints"][0]["labelSelector"],
    ]

    assert selectors == [{"matchLabels": labels}] * len(selectors)


def test_the_monitor_leaves_our_labels_alone() -> None:
    """The label `service` is the worker's, not the name of something in the cluster."""
    (endpoint,) = loaded(OVERLAY / "podmonitor.yaml")["spec"]["podMetricsEndpoints"]

    assert (endpoint["port"], endpoint["path"], endpoint["honorLabels"]) == (
        "metrics",
        "/metrics",
        True,
    )


def test_scaling_asks_for_what_is_recorded() -> None:
    """The deployment of the base is scaled by a recording rule, for the service of the base."""
    spec = loaded(OVERLAY / "scaledobject.yaml")["spec"]
    (trigger,) = spec["triggers"]
    records = {rule["record"] for rule in rules("recording")}

    assert (spec["scaleTargetRef"]["name"], trigger["type"]) == ("glam-worker", "prometheus")
    assert trigger["metadata"]["threshold"] == "1"
    assert any(f"max({record}{{" in trigger["metadata"]["query"] for record in records)
    assert f'service="{settings_of_base()["GLAM_SERVICE"]}"' in trigger["metadata"]["query"]
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
