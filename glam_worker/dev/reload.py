"""Runs a process, and runs it anew whenever a source file changes."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Protocol

from glam_worker.dev.relevance import Relevance
from glam_worker.errors import MissingExtraError

try:
    import watchfiles
except ImportError as error:
    raise MissingExtraError(
        "reload on change needs the package watchfiles; "
        'install it: pip install "glam-worker[embedded]"'
    ) from error

_LOOK_EVERY_MS = 200


class Running(Protocol):
    """A process that works until it is told to stop."""

    def exit_code(self) -> int | None:
        """None while it runs."""

    def loaded(self) -> set[Path]:
        """The files of the modules it has imported."""

    def stop(self) -> None:
        """Tell it to stop in order; told again, at once."""

    def kill(self) -> None:
        """End it by force."""


class Reloader:
    """Keeps one process running, with the sources as they are.

    * A change that concerns it (see ``Relevance``) stops it in order and starts it again.
    * One that ends by itself, on a mistake say, is started again after the next change, whichever.
    * First SIGTERM or SIGINT: it is stopped in order, then this ends. Second: at once.

    ``start`` makes the process, or returns None when that cannot be done until the next change.
    ``patience`` are the seconds it may take to stop. ``say`` tells the user.
    """

    def __init__(
        self,
        start: Callable[[], Running | None],
        paths: Sequence[Path],
        patience: float,
        say: Callable[[str], None],
        relevance: Relevance,
    ) -> None:
        self._start = start
        self._paths = paths
        self._patience = patience
        self._say = say
        self._relevance = relevance
        self._told = threading.Event()
        self._signals = 0
        self._running: Running | None = None

    def run(self, trouble: Callable[[], str | None] = lambda: None) -> str | None:
        """Until a signal, or until ``trouble`` says why it cannot go on; returns that."""
        with self._listening():
            self._begin()
            try:
                return self._follow(trouble)
            finally:
                self._stop()

    def _follow(self, trouble: Callable[[], str | None]) -> str | None:
        for found in self._changes():
            changed = self._concerning(found)
            if changed:
                self._say(f"{_named(changed)} changed: starting again")
                self._stop()
                if self._told.is_set():
                    break
                self._begin()
            why = trouble()
            if why is not None:
                return why
            self._look()
        return None

    def _begin(self) -> None:
        self._relevance.started()
        self._running = self._start()

    def _concerning(self, changed: list[Path]) -> list[Path]:
        """What is a reason to start again.

        Where nothing runs, any file may be what was wrong; one that changed before the process
        ended, too: it may not have come to telling what it loads.
        """
        if self._running is None or self._running.exit_code() is not None:
            return sorted({*changed, *self._relevance.passed_over})
        return self._relevance.of(changed, self._running.loaded())

    def _changes(self) -> Iterator[list[Path]]:
        """What changed, and every now and then nothing; ends with the first signal."""
        for changes in watchfiles.watch(
            *self._paths,
            watch_filter=_SOURCES,
            stop_event=self._told,
            rust_timeout=_LOOK_EVERY_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            yield sorted({Path(path) for _, path in changes})

    def _look(self) -> None:
        """Say it once when the process ended by itself."""
        code = None if self._running is None else self._running.exit_code()
        if code is not None:
            self._say(f"the worker ended with code {code}; it starts again after the next change")
            self._running = None

    def _stop(self) -> None:
        process, self._running = self._running, None
        if process is None:
            return
        process.stop()
        deadline, told = time.monotonic() + self._patience, self._signals
        while process.exit_code() is None:
            if self._signals > max(told, 1):
                told = self._signals
                process.stop()
            if time.monotonic() > deadline:
                self._say(f"the worker did not stop within {self._patience:g} s: it is killed")
                process.kill()
            time.sleep(0.02)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        old = {number: signal.signal(number, self._signalled) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _signalled(self, *_: object) -> None:
        self._signals += 1
        self._told.set()


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Sources(watchfiles.PythonFilter):
    ignore_dirs = (*watchfiles.PythonFilter.ignore_dirs, ".glam")


_SOURCES = _Sources(extra_extensions=(".env",))


def packages(modules: Sequence[str]) -> list[Path]:
    """Where the modules' top packages lie; a module that stands alone has none."""
    tops = {module.partition(".")[0] for module in modules}
    specs = [spec for spec in map(_spec, sorted(tops)) if spec is not None]
    places = [place for spec in specs for place in spec.submodule_search_locations or ()]
    return [Path(place).resolve() for place in places]


def watched(modules: Sequence[str]) -> list[Path]:
    """The working directory, and where the modules' top packages lie if that is elsewhere."""
    paths = [Path.cwd()]
    for top in dict.fromkeys(module.partition(".")[0] for module in modules):
        for place in _places(top):
            if not any(place.is_relative_to(path) for path in paths):
                paths.append(place)
    return paths


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _places(top: str) -> list[Path]:
    spec = _spec(top)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [Path(place).resolve() for place in spec.submodule_search_locations]
    return [Path(spec.origin).resolve().parent] if spec.has_location and spec.origin else []


def _named(changed: Sequence[Path]) -> str:
    here = Path.cwd()
    names = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in changed]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
