"""Who is blamed for a loop that stands, and who is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.runtime import loop_watch
from glam_worker.runtime.loop_watch import Blocker, LoopWatch, Running, blocker_of
from glam_worker.runtime.ticker import Ticker

PERIOD = 0.1


class Order(BaseModel):
    number: int = 1


class Scene:
    """A watch over this thread's loop, which ticked last at 0, and what the watch did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *timeouts: float) -> None:
        self.said: list[str] = []
        self.ended: list[str] = []
        monkeypatch.setattr(loop_watch, "_say", lambda _level, text, _about: self.said.append(text))
        registry = Registry()
        for number, timeout in enumerate(timeouts):
            registry.on("evt.x.y", Order, name=f"h{number}", timeout=timeout)(handler)
        self.ticker = Ticker(PERIOD, lambda _now: None)
        self.ticker.last = 0.0
        self.watch = LoopWatch(self.ticker)
        self.watch.hung = self.ended.append
        self.watch.watch([Running(one, pipeline()) for one in registry.handlers])
        self.at = 0.0

    def looks_until(self, now: float) -> None:
        """Look in time, again and again."""
        while self.at < now:
            self.at += PERIOD
            self.watch.look(self.at)


async def handler(order: Order) -> None:
    """Calls what it is told to, in its own frame."""


def pipeline() -> Any:
    """None that is at work."""
    return object()


def test_a_loop_that_stands_is_said_once_and_again_when_it_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it takes; and what comes later is said anew."""
    scene = Scene(monkeypatch, 30.0)

    scene.looks_until(1.0)
    assert scene.said == []
    scene.looks_until(9.0)
    assert scene.watch.standing
    scene.ticker.last = 9.0
    scene.looks_until(9.5)
    scene.looks_until(12.0)

    kinds = [text.split(" for ")[0].split(" after ")[0] for text in scene.said]
    assert kinds == ["event loop blocked", "event loop turns again", "event loop blocked"]
    assert scene.ended == []


def test_code_that_is_no_handlers_has_the_longest_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that a handler left behind may be any handler's."""
    scene = Scene(monkeypatch, 2.0, 5.0)

    scene.looks_until(4.9)
    assert not scene.watch.over
    scene.looks_until(20.0)

    assert scene.watch.over
    (text,) = scene.ended
    assert "by code outside of handlers" in text
    assert "longer than the longest timeout of all handlers, 5 s" in text


@pytest.mark.parametrize("stood", [5.0, 3600.0])
def test_a_process_that_was_stopped_blames_nobody(
    monkeypatch: pytest.MonkeyPatch, stood: float
) -> None:
    """When the thread that looks was itself late, the loop gets its time again."""
    scene = Scene(monkeypatch, 2.0)

    scene.watch.look(stood)
    scene.at = stood
    scene.looks_until(stood + 0.9)
    scene.ticker.last = stood + 0.9
    scene.looks_until(stood + 1.8)

    assert scene.said == [f"the process stood still for {stood - PERIOD:.1f} s"]
    assert not scene.watch.standing
    assert scene.ended == []


def test_a_debugger_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who thinks at a breakpoint does not lose the process."""
    scene = Scene(monkeypatch, 2.0)
    told: dict[str, Any] = {"__name__": "bdb", "scene": scene}

    exec("def trace_dispatch(): scene.looks_until(60.0)", told)
    told["trace_dispatch"]()

    assert scene.watch.standing
    assert scene.ended == []


def test_a_handler_is_known_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is the line of the handler's own function, the frames are those below it."""
    found = []

    def blocking(order: Order) -> None:
        found.append(blocker_of(threading.get_ident(), [Running(declared, pipeline())]))

    registry = Registry()
    registry.on("evt.x.y", Order)(blocking)
    declared: Handler = registry.handlers[0]
    blocking(Order())

    (blocker,) = found
    assert blocker is not None
    assert blocker.handler is declared
    assert blocker.place.startswith("runtime/test_loop_watch.py:")
    assert blocker.place.endswith(" in blocking")
    assert blocker.about == {"service": "", "handler": "blocking"}


def test_a_thread_that_ended_blocks_nothing() -> None:
    """Its loop is gone with it."""
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

    assert blocker_of(thread.ident or 0, []) is None


def test_runs_that_block_one_after_the_other_are_measured_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop may stand for as long as all of them together; each has its own timeout."""
    scene = Scene(monkeypatch, 5.0)
    (running,) = scene.watch._watched
    deliveries = [object() for _ in range(6)]

    def blocker(*_: object) -> Blocker:
        delivery = deliveries[min(int(scene.at // 4), 5)]
        return Blocker(running.handler, "f.py:1 in f", [], False, {}, delivery)

    monkeypatch.setattr(loop_watch, "blocker_of", blocker)
    scene.looks_until(24.9)
    assert (scene.ended, scene.watch.over) == ([], False)
    assert scene.watch.blocked < 5.0

    scene.looks_until(25.5)
    assert "event loop blocked for 5." in scene.ended[0]
    assert "longer than its timeout of 5 s" in scene.ended[0]
    scene.ticker.last = 25.5
    scene.looks_until(26.0)
    assert scene.watch.blocked == 0.0
