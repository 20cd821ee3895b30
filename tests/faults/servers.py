"""Real servers, and what can happen to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

from glam_worker.dev.server import EmbeddedServer
from tests.faults.ports import free_port


class FaultyServer(EmbeddedServer):
    """A server that can be frozen, told to read its configuration again, and signalled."""

    def freeze(self) -> None:
        """Stop it as a machine does that hangs: its connections stay, and nothing is answered."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, if it runs."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def reload(self, **config: Any) -> None:
        """Change options in its configuration file and have it read again."""
        self._config |= config
        text = json.dumps(self._configuration(), indent=2)
        (self.store / "nats-server.conf").write_text(text)
        self.signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it in order, thawed if need be."""
        self.thaw()
        super().stop()

    def monitor(self, path: str) -> dict[str, Any]:
        """What its monitoring port says; empty while it does not answer."""
        try:
            with urllib.request.urlopen(self.monitor_url + path, timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return {}


class Cluster:
    """Three servers that share their streams. They do not tell clients of one another."""

    def __init__(self, folder: Path) -> None:
        ports = [free_port() for _ in range(3)]
        routes = [f"nats://127.0.0.1:{port}" for port in ports]
        self.servers = [
            FaultyServer(
                folder / f"n{number}",
                config={
                    "server_name": f"n{number}",
                    "lame_duck_duration": "30s",
                    "lame_duck_grace_period": "1s",
                    "cluster": {
                        "name": "faults",
                        "listen": f"127.0.0.1:{port}",
                        "routes": routes,
                        "no_advertise": True,
                    },
                },
            )
            for number, port in enumerate(ports)
        ]

    @property
    def urls(self) -> list[str]:
        """Where clients connect."""
        return [server.url for server in self.servers]

    def named(self, name: str) -> FaultyServer:
        """The server of that name, as streams and consumers call their leaders."""
        return self.servers[int(name.removeprefix("n"))]

    def start(self) -> None:
        """Start those that do not run."""
        for server in self.servers:
            server.start()

    def stop(self) -> None:
        """End them all by force: nothing of their stores is needed any more."""
        for server in self.servers:
            server.thaw()
            server.kill()

    def complete(self) -> bool:
        """Whether there is a leader, and the two others are with it."""
        found = [server.monitor("/jsz").get("meta_cluster") or {} for server in self.servers]
        replicas: list[Any] = next((one["replicas"] for one in found if one.get("replicas")), [])
        return len(replicas) == 2 and not any(one.get("offline") for one in replicas)
