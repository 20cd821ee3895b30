"""Repairs what makes mails fail: ``python -m examples.storefront.repair``."""

from __future__ import annotations

import contextlib

from examples.storefront.store import CLOSED_DOMAIN, Store

if __name__ == "__main__":
    with contextlib.closing(Store.open()) as store:
        store.open_mail_domain(CLOSED_DOMAIN)
    print(f"{CLOSED_DOMAIN} takes our mails again")
