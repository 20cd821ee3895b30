"""Repairs what makes mails fail, and replays their letters.

python -m examples.storefront.repair
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from examples.storefront.store import CLOSED_DOMAIN, Store
from glam_shared.messaging import JetStreamClient
from glam_worker import Settings
from glam_worker.jetstream.replay import Replays
from glam_worker.jetstream.stored_letters import StoredLetters

MAILS = "mail_warning"
"""The handler that fails as long as it is not repaired."""


async def replay_mails(client: JetStreamClient) -> int:
    """Send the letters of the mails through their handler again; how many there were."""
    stored = [letter async for letter in StoredLetters(client, "GLAM_DLQ").all()]
    replays, mails = Replays(client), [one for one in stored if one.record.handler == MAILS]
    return sum([await replays.replay(letter) for letter in mails])


async def _main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--servers", help="NATS servers [GLAM_NATS_SERVERS]")
    given = arguments.parse_args()
    settings = Settings.load(nats_servers=given.servers)
    with contextlib.closing(Store.open()) as store:
        store.open_mail_domain(CLOSED_DOMAIN)
    print(f"{CLOSED_DOMAIN} takes our mails again")
    async with JetStreamClient() as client:
        await client.connect(settings.nats_servers)
        print(f"replayed {await replay_mails(client)} letters of {MAILS}")


if __name__ == "__main__":
    asyncio.run(_main())
