"""The shop's database, a SQLite file: what the handlers did, to be looked at afterwards.

Every row has a key of the event's, so that an event that is handled twice leaves one row.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, Self
from uuid import UUID

FILE = "STOREFRONT_DB"
"""Environment variable: where the database is. Default: ``.glam/storefront.db``."""

CLOSED_DOMAIN = "closed.example"
"""Its mail server takes nothing from us, until somebody has that repaired."""

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS shops (domain TEXT PRIMARY KEY, name TEXT);
CREATE TABLE IF NOT EXISTS catalogues (sync_id TEXT PRIMARY KEY, domain TEXT, products INTEGER);
CREATE TABLE IF NOT EXISTS mails (event_id TEXT PRIMARY KEY, address TEXT, text TEXT, attempt INT);
CREATE TABLE IF NOT EXISTS webhooks (webhook_id TEXT PRIMARY KEY, topic TEXT);
CREATE TABLE IF NOT EXISTS visits (event_id TEXT PRIMARY KEY, name TEXT);
CREATE TABLE IF NOT EXISTS strangers (address TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS mail_domains (domain TEXT PRIMARY KEY, open INTEGER);
INSERT OR IGNORE INTO mail_domains VALUES ('{CLOSED_DOMAIN}', 0);
"""  # noqa: S608 - a constant of this module
_COUNTED = ("shops", "catalogues", "mails", "webhooks", "visits")


class Store:
    """One connection for the event loop and the handlers' threads.

    A write takes some ten microseconds, so it may be made on the loop; a database behind a
    network wants a client that is awaited.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    @classmethod
    def open(cls) -> Self:
        """The database that the environment names."""
        return cls(Path(os.environ.get(FILE, ".glam/storefront.db")))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add_shop(self, domain: str, name: str) -> None:
        """A shop that was onboarded."""
        self._write("INSERT OR IGNORE INTO shops VALUES (?, ?)", domain, name)

    def add_catalogue(self, sync_id: UUID, domain: str, products: int) -> None:
        """A catalogue that was fetched."""
        row = (str(sync_id), domain, products)
        self._write("INSERT OR IGNORE INTO catalogues VALUES (?, ?, ?)", *row)

    def add_mail(self, event_id: str, address: str, text: str, attempt: int) -> None:
        """A mail that was sent, in which attempt."""
        row = (event_id, address, text, attempt)
        self._write("INSERT OR IGNORE INTO mails VALUES (?, ?, ?, ?)", *row)

    def add_webhook(self, webhook_id: str, topic: str) -> None:
        """A webhook that was processed."""
        self._write("INSERT OR IGNORE INTO webhooks VALUES (?, ?)", webhook_id, topic)

    def add_visit(self, event_id: str, name: str) -> None:
        """A visit that was counted."""
        self._write("INSERT OR IGNORE INTO visits VALUES (?, ?)", event_id, name)

    def is_first_contact(self, address: str) -> bool:
        """Whether nobody was ever mailed at this address; from now on, somebody was."""
        return self._write("INSERT OR IGNORE INTO strangers VALUES (?)", address) == 1

    def takes_mail(self, domain: str) -> bool:
        """Whether the domain's mail server takes mails from us."""
        return self._read("SELECT 1 FROM mail_domains WHERE domain = ? AND NOT open", domain) == []

    def open_mail_domain(self, domain: str) -> None:
        """From now on, the domain's mail server takes mails from us."""
        self._write("INSERT OR REPLACE INTO mail_domains VALUES (?, 1)", domain)

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {table: self._read(f"SELECT count(*) FROM {table}")[0][0] for table in _COUNTED}  # noqa: S608

    def products(self) -> int:
        """Products in all catalogues."""
        return int(self._read("SELECT coalesce(sum(products), 0) FROM catalogues")[0][0])

    def _write(self, statement: str, *values: object) -> int:
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def _read(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()
