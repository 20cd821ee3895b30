"""What is used of nats-py beyond its documented names is there, in the version installed."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport

from glam_shared.messaging.hardened_client import HardenedClient

ATTRIBUTES = [
    "_reading_task",
    "_flusher_task",
    "_ping_interval_task",
    "_reconnection_task",
    "_transport",
    "_pending",
    "_pending_data_size",
    "_flush_queue",
    "_pongs",
    "_public_nkey",
    "_server_info",
    "_server_pool",
    "_status",
    "_subs",
]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_client_has(name: str) -> None:
    """
    A private attribute of nats-py's client that we use still exists.
    """
    assert hasattr(Client(), name)


def test_overridden_methods() -> None:
    """
    Every method that the hardened client overrides exists, with the same parameters.
    """
    ours = {
        name: value for name, value in vars(HardenedClient).items() if inspect.isfunction(value)
    }
    assert ours
    for name, method in ours.items():
        theirs = inspect.signature(getattr(Client, name))
        assert list(theirs.parameters) == list(inspect.signature(method).parameters)


def test_transport_and_subscription() -> None:
    """
    The ends of a transport and the queue of a subscription are where we look for them.
    """
    assert {"_io_reader", "_io_writer", "_bare_io_writer"} <= vars(TcpTransport()).keys()  # type: ignore[no-untyped-call]
    names = {
        "_pending_queue",
        "_pending_bytes_limit",
        "_pending_size",
        "_wait_for_msgs_task",
        "_id",
    }
    assert names <= vars(Subscription(Client())).keys()


async def test_stream() -> None:
    """
    What asyncio's stream waits with, and what it holds, is where we look for it.
    """
    assert {"_waiter", "_buffer"} <= vars(asyncio.StreamReader()).keys()
