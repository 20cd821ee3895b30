"""One request to a front door that runs: ``python -m examples.front_door.send webhook --id w-1``.

Signed with the front door's own variables, which must be set here too.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid

import httpx

from examples.front_door.callers import Callers, Secrets
from examples.storefront.outside import GREYLISTING_DOMAIN
from glam_shared import new_correlation_id


def _secrets() -> Secrets:
    """The newest of each."""
    billing = os.environ["INTERNAL_JWT_SECRET"].partition(",")[0].partition(":")[2]
    webhook, client = (
        os.environ[name].partition(",")[0]
        for name in ("SHOPIFY_WEBHOOK_SECRET", "CLIENT_JWT_SECRET")
    )
    return Secrets(webhook, client, billing)


def main() -> int:
    """Print what was answered; 0 when it was a success."""
    parser = argparse.ArgumentParser(prog="examples.front_door.send", description=__doc__)
    parser.add_argument("what", choices=["registration", "webhook", "webhooks", "low-balance"])
    parser.add_argument("--id", default=str(uuid.uuid4()), help="the webhook's (default: new)")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="(default: %(default)s)")
    given = parser.parse_args()
    callers = Callers(given.url, _secrets())
    with httpx.Client(trust_env=False) as client:
        answer = client.send(_request(callers, given.what, given.id))
    print(answer.status_code, answer.text)
    return 0 if answer.is_success else 1


def _request(callers: Callers, what: str, webhook_id: str) -> httpx.Request:
    match what:
        case "registration":
            return callers.registration(new_correlation_id())
        case "webhook":
            return callers.webhook(webhook_id)
        case "webhooks":
            return callers.webhooks()
        case _:
            return callers.low_balance(f"owner@{GREYLISTING_DOMAIN}")


if __name__ == "__main__":
    sys.exit(main())
