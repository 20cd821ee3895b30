"""Imports the modules a worker is to run, and gathers what they declare."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from glam_worker.declare.handler import Handler
from glam_worker.declare.mistakes import collecting_mistakes
from glam_worker.declare.registry import PROCESS, Registry
from glam_worker.errors import (
    DeclarationError,
    DeclarationErrors,
    ModuleLoadError,
    ModuleRaisedError,
    Problems,
    WorkerError,
)
from glam_worker.listener import Listener

_SHOWN = 5


def load(modules: Sequence[str]) -> Registry:
    """What the named modules declare.

    Goes on after a mistake, so that all are told at once. Raises ModuleLoadError for a module that
    does not exist or declares nothing, ModuleRaisedError for one that raised while it was imported,
    DeclarationErrors for wrong declarations, and Problems where there are several kinds.
    """
    _see_working_directory()
    with collecting_mistakes() as mistakes:
        loaded, failed = _imported(modules)
    registry, twice = _gathered(loaded)
    problems = [*mistakes, *failed, *twice] or _empty(loaded)
    if problems:
        raise _as_one(problems)
    return registry


def _imported(modules: Sequence[str]) -> tuple[list[ModuleType], list[WorkerError]]:
    loaded: list[ModuleType] = []
    failed: list[WorkerError] = []
    for name in dict.fromkeys(modules):
        try:
            loaded.append(_import(name))
        except ModuleLoadError as error:
            failed.append(error)
        except DeclarationError as error:
            failed += error.each
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise whatever it likes
            failed.append(ModuleRaisedError(name, error))
    return loaded, failed


def _gathered(loaded: Sequence[ModuleType]) -> tuple[Registry, list[WorkerError]]:
    """What the modules declare, and what is wrong with all of it together."""
    problems: list[WorkerError] = []
    registry = Registry()
    try:
        registry = PROCESS.of(loaded)
    except DeclarationError as error:
        problems.append(error)
    for listener in dict.fromkeys(each for module in loaded for each in _listeners(module)):
        try:
            registry.add(listener(registry.client()).handler())
        except DeclarationError as error:
            problems += error.each
        except Exception as error:  # noqa: BLE001 - the class is the user's
            problems.append(ModuleRaisedError(listener.__module__, error))
    return registry, problems


def _empty(loaded: Sequence[ModuleType]) -> list[ModuleLoadError]:
    return [
        ModuleLoadError(_declares_nothing(module))
        for module in loaded
        if not PROCESS.handlers_of((module,)) and not _listeners(module)
    ]


def _as_one(problems: Sequence[WorkerError]) -> WorkerError:
    wrong = [problem for problem in problems if isinstance(problem, DeclarationError)]
    if len(wrong) == len(problems):
        return DeclarationErrors(wrong)
    return problems[0] if len(problems) == 1 else Problems(problems)


def passed_over(registry: Registry) -> list[Handler]:
    """Handlers that were imported along the way and stand in none of the named modules."""
    chosen = {handler.function for handler in registry.handlers}
    return [handler for handler in PROCESS.handlers if handler.function not in chosen]


def service_of(modules: Sequence[str]) -> str:
    """The service's name where nothing else says it: the first module's top package."""
    return modules[0].partition(".")[0]


def _see_working_directory() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ModuleLoadError(_not_found(name, error.name)) from None
    except (TypeError, ValueError) as error:
        if "/" in name:
            raise ModuleLoadError(_not_found(name, name)) from None
        if name.startswith(".") or not name:
            raise ModuleLoadError(
                f"{name!r} is not a module's name, such as myservice.handlers"
            ) from error
        raise


def _not_found(name: str, missing: str) -> str:
    hint = ""
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        hint = f"; give it as a module: {dotted}"
    part = "" if missing == name else f" ({missing} is missing)"
    hint = hint or _meant(name) or "; check the spelling"
    return f"module {name!r} is not found from {Path.cwd()}{part}{hint}"


def _meant(name: str) -> str:
    """The module beside it that is named much like it."""
    package, _, last = name.rpartition(".")
    places = getattr(sys.modules.get(package), "__path__", None) if package else [str(Path.cwd())]
    there = [found.name for found in pkgutil.iter_modules(places)] if places else []
    close = difflib.get_close_matches(last, there, n=1, cutoff=0.75)
    prefix = f"{package}." if package else ""
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _listeners(module: ModuleType) -> list[type[Listener[Any]]]:
    """The concrete listener classes that stand in a module."""
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Listener) and not inspect.isabstract(value)
    ]


def _declares_nothing(module: ModuleType) -> str:
    name = module.__name__
    if module.__file__ is not None:
        place = module.__file__
    else:
        place = next(iter(getattr(module, "__path__", ())), name)
    inside = [found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))]
    advice = "decorate a function with @on(subject, payload)"
    if inside:
        shown = ", ".join(f"{name}.{each}" for each in inside[:_SHOWN])
        advice = f"name the module that does; in it are {shown}" + ("..." * (len(inside) > _SHOWN))
    return f"module {name} ({place}) declares no handler; {advice}"
