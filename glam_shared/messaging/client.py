"""PROVISIONAL by the coordinator, so that the runtime can be tried: overwrite with the real one."""
from __future__ import annotations
import asyncio, json, logging, time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
import nats.errors
import nats.js.errors
from glam_shared.messaging.broker_errors import *
from glam_shared.messaging.broker_errors import ApiError, BrokerError, NotFound, NoAnswer, NobodyListens, ConnectionLost, MessageTooLarge, PublishFailed, PublishRefused
from glam_shared.messaging.connect_options import ConnectOptions, Timings
from glam_shared.messaging.connection import Connection
from glam_shared.messaging.headers import encoded_size
from glam_shared.messaging.dialer import server_version
@dataclass(frozen=True)
class PubAck:
    stream: str; seq: int; duplicate: bool
class JetStreamClient:
    def __init__(self, logger=None):
        self._c = Connection(logging.getLogger("glam_shared.messaging"), Timings()); self.clock_offset = 0.0; self.domain=None; self.reconnects=0
    async def connect(self, servers, *, timeout=30.0, **kw):
        self.domain = kw.get("domain")
        await self._c.open(ConnectOptions(servers=tuple([servers] if isinstance(servers,str) else servers), **kw), timeout)
    async def close(self): await self._c.close()
    @property
    def client(self): return self._c.client
    @property
    def js(self): return self._c.client.jetstream()
    @property
    def epoch(self): return self._c.epoch
    @property
    def problem(self): return self._c.problem
    @property
    def max_payload(self): return self._c.client.max_payload
    def is_connected(self): return self._c.is_up()
    async def wait_connected(self, timeout): return await self._c.wait_up(timeout)
    def watch(self, l): return self._c.changes.add(l)
    def server_time(self): return datetime.now(UTC)+timedelta(seconds=self.clock_offset)
    async def api(self, operation, body=None, *, timeout=5.0):
        try:
            r = await self.client.request(f"$JS.API.{operation}", json.dumps(body).encode() if body is not None else b"", timeout=timeout)
        except nats.errors.NoRespondersError: raise NobodyListens(operation) from None
        except asyncio.TimeoutError: raise NoAnswer(operation, timeout) from None
        except nats.errors.Error as e: raise ConnectionLost(str(e)) from e
        a = json.loads(r.data)
        if "error" in a:
            e=a["error"]; cls = NotFound if e.get("code")==404 else ApiError
            raise cls(operation, code=e.get("code",0), err_code=e.get("err_code",0), description=e.get("description",""))
        return a
    async def publish_acked(self, subject, body, headers, *, msg_id, timeout=5.0, budget=30.0):
        h = dict(headers or {}); h["Nats-Msg-Id"]=msg_id
        if len(body)+encoded_size(h) > self.max_payload: raise MessageTooLarge(subject, size=len(body)+encoded_size(h), limit=self.max_payload)
        end=time.monotonic()+budget
        while True:
            try:
                r = await self.client.request(subject, body, timeout=timeout, headers=h)
                a=json.loads(r.data)
                if "error" in a: raise PublishRefused(subject, code=a["error"].get("code",0), err_code=a["error"].get("err_code",0), description=a["error"].get("description",""))
                return PubAck(a["stream"], a["seq"], a.get("duplicate", False))
            except (nats.errors.Error, asyncio.TimeoutError) as e:
                if time.monotonic()>end: raise PublishFailed(str(e), subject=subject) from e
                await asyncio.sleep(.2)
