"""A call of ``@on`` that its parameters do not take, in words and with the fix."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from glam_worker.declare.mistakes import Checks, calling_place, noting

Q = ParamSpec("Q")
T = TypeVar("T")

_EXAMPLE = '@on("evt.order.placed.v1", OrderPlaced)'
_BY_POSITION = ("subject", "payload")


def explained(method: Callable[Q, T]) -> Callable[Q, T]:
    """The method ``on``; a call that does not fit it is a mistake of the user's line."""
    signature = inspect.signature(method)
    options = list(signature.parameters)[1:]

    @functools.wraps(method)
    def on(*given: Q.args, **named: Q.kwargs) -> T:
        try:
            signature.bind(*given, **named)
        except TypeError:
            with noting(), Checks(calling_place) as checks:
                for problem in _misuse(given[1:], named, options):
                    checks.wrong(problem)
            return cast("T", _passing_over(given[1:]))
        return method(*given, **named)

    return on


def _misuse(
    given: Sequence[Any], named: Mapping[str, Any], options: Sequence[str]
) -> Iterator[str]:
    if _is_bare(given):
        yield f"@on stands without subject and payload; write {_EXAMPLE} above {_name(given[0])}()"
        return
    for name in sorted(named.keys() - set(options)):
        close = difflib.get_close_matches(name, options, n=1)
        meant = f"did you mean {close[0]}=?" if close else f"there are {', '.join(options[2:])}"
        yield f"@on has no option {name}=; {meant}"
    if len(given) > len(_BY_POSITION):
        yield (
            f"@on takes subject and payload, and then options by name; found {given[2]!r} as a "
            "third argument"
        )
    for name in _BY_POSITION[len(given) :]:
        if name not in named:
            yield f"@on has no {name}; write {_EXAMPLE}: a subject and a pydantic model"
    for name in _BY_POSITION[: len(given)]:
        if name in named:
            yield f"@on is given {name} twice, by position and by name"


def _is_bare(given: Sequence[Any]) -> bool:
    return len(given) == 1 and inspect.isroutine(given[0])


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def _passing_over(given: Sequence[Any]) -> object:
    """Leaves the function as it is, so that the module goes on and tells its other mistakes."""
    return given[0] if _is_bare(given) else lambda function: function
