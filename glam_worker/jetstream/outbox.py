"""What is told to the server about deliveries, joined into one write a turn of the loop."""

from __future__ import annotations

import asyncio

from glam_shared.messaging import JetStreamClient, client_internals


class Outbox:
    """Collects publishes and writes them once per turn of the event loop.

    What was collected for a connection that is gone is forgotten: the server delivers again, and
    a settlement that arrived later could complete another event of the same sequence.
    """

    def __init__(self, client: JetStreamClient) -> None:
        self._client = client
        self._commands: list[str] = []
        self._epoch = 0

    def send(self, subject: str, body: str) -> None:
        """Publish ``body`` (ASCII) at the end of this turn."""
        self._add(f"PUB {subject} {len(body)}\r\n{body}\r\n")

    def request(self, subject: str, reply: str, body: str) -> None:
        """The same, with the subject that answers go to."""
        self._add(f"PUB {subject} {reply} {len(body)}\r\n{body}\r\n")

    def _add(self, command: str) -> None:
        if not self._commands:
            self._epoch = self._client.epoch
            asyncio.get_running_loop().call_soon(self.flush)
        self._commands.append(command)

    def flush(self) -> None:
        """Write what was collected, now."""
        commands, self._commands = self._commands, []
        if commands and self._client.is_connected() and self._epoch == self._client.epoch:
            client_internals.write(self._client.client, "".join(commands).encode())
