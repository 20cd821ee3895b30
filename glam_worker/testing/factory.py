"""Makes workers for one test, on an account of their own, and stops them after it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import ModuleType, TracebackType
from typing import Any, TypeAlias

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import PROCESS, Registry
from glam_worker.settings import Settings
from glam_worker.testing.bench import Bench
from glam_worker.testing.haste import hasty_parking
from glam_worker.worker import Worker

Declared: TypeAlias = Callable[..., Any] | ModuleType | Registry
"""A function decorated with ``@on``, a module that has some, or a registry."""

DEADLINE = 10.0
"""Seconds a wait may take."""

_DEFAULTS: dict[str, Any] = {"shutdown_grace": 1.0, "http_port": 0, "dlq_max_bytes": 1 << 22}
"""What suits a test where the settings' own defaults suit production.

The server reserves the dead letters' room for each account, and so for each test.
"""


class BenchSettings(Settings):
    """Settings that a test gives; neither the environment nor ``.env`` changes them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, and nothing else."""
        return (init_settings,)


class WorkerFactory:
    """Starts workers against one account of the test server: the fixture ``worker``.

    * ``async with worker(handler) as bench`` or ``bench = await worker(handler)``;
    * ``@worker.on(subject, payload)`` declares a handler that belongs to this test alone.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        """The account; workers of one test share it, and so their load."""
        self.registry = Registry()
        self.on = self.registry.on
        self.lifespan = self.registry.lifespan
        self._made: list[Bench] = []

    def __call__(
        self,
        *declared: Declared,
        service: str | None = None,
        retry_delays: float = 0.0,
        deadline: float = DEADLINE,
        servers: str | None = None,
        **settings: Any,
    ) -> Starting:
        """A worker of these handlers; without any, of those declared with ``worker.on``.

        ``service`` defaults as for ``glam-worker run``. ``retry_delays`` multiplies the delay of
        every retry and snooze: 0 runs them as soon as the server's scheduler can (within 250 ms),
        1 waits as in production. ``deadline`` is how many seconds each wait of the bench may
        take. ``servers`` are other servers than the test's own; other ``settings`` are fields of
        ``Settings``, such as ``concurrency=4``.
        """
        unknown = settings.keys() - Settings.model_fields.keys()
        if unknown:
            raise TypeError(f"Settings has no field {', '.join(sorted(unknown))}")
        named = {"nats_servers": servers or self.url, "service": service}
        given = BenchSettings(**(_DEFAULTS | settings | named))
        return Starting(self, self._registry_of(declared), given, retry_delays, deadline)

    async def close(self) -> None:
        """Stop whatever still runs."""
        made, self._made = self._made, []
        for bench in made:
            await bench.close()

    def make(
        self, registry: Registry, settings: Settings, retry_delays: float, deadline: float
    ) -> Bench:
        """A bench that is not started yet."""
        made = Worker(registry, settings)
        made.parking = hasty_parking(retry_delays)
        bench = Bench(made, deadline)
        self._made.append(bench)
        return bench

    def _registry_of(self, declared: tuple[Declared, ...]) -> Registry:
        if not declared:
            return self.registry
        if len(declared) == 1 and isinstance(declared[0], Registry):
            return declared[0]
        modules = [one for one in declared if isinstance(one, ModuleType)]
        chosen = PROCESS.of(modules)
        for one in declared:
            for handler in self._handlers_of(one):
                chosen.add(handler)
        return chosen

    def _handlers_of(self, declared: Declared) -> tuple[Handler, ...]:
        if isinstance(declared, ModuleType):
            return ()
        if isinstance(declared, Registry):
            return declared.handlers
        known = (*PROCESS.handlers, *self.registry.handlers)
        found = tuple(handler for handler in known if handler.function is declared)
        if not found:
            raise ValueError(
                f"{declared!r} is no handler; decorate it with @on, or pass the registry whose "
                "`on` it was declared with"
            )
        return found


class Starting:
    """A worker that starts when it is awaited or entered."""

    def __init__(self, factory: WorkerFactory, *made_with: Any) -> None:
        self._factory = factory
        self._made_with = made_with
        self._bench: Bench | None = None

    def __await__(self) -> Generator[Any, None, Bench]:
        return self._start().__await__()

    async def __aenter__(self) -> Bench:
        self._bench = await self._start()
        return self._bench

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bench is not None:
            await self._bench.close()

    async def _start(self) -> Bench:
        return await self._factory.make(*self._made_with).start()
