"""Everything that can go wrong with a worker before or around an event.

    GlamBaseError
    ├── ConfigurationError            (glam_shared) a setting has a wrong value
    └── WorkerError
        ├── DeclarationError          a handler is declared wrongly
        │   └── DeclarationErrors     several of them, from one declaration or one load
        ├── ModuleLoadError           a module cannot be imported or declares nothing
        │   └── ModuleRaisedError     it raised while it was imported; the cause is its own error
        ├── Problems                  all that a check found, of any of these kinds
        ├── UsageError                a command was given something it cannot take
        ├── NotThereError             what a command was told to act on does not exist
        ├── LifespanError             a ``@lifespan`` raised; the cause is its error
        ├── TopologyError             a stream or consumer cannot be used as it is
        ├── MissingExtraError         an optional package is not installed
        ├── EndpointError             the HTTP endpoint cannot be opened
        └── EmbeddedServerError       the embedded nats-server cannot start

What goes wrong *with* an event is never one of these: it becomes an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from glam_shared.errors import GlamBaseError


class WorkerError(GlamBaseError):
    """A worker cannot start or go on; the message says what was found and what to do."""


class DeclarationError(WorkerError):
    """A declaration is wrong: ``where`` is ``file:line`` of the handler."""

    def __init__(self, problem: str, *, where: str | None = None) -> None:
        self.problem = problem
        self.where = where
        super().__init__(f"{where}: {problem}" if where else problem, code="DECLARATION_ERROR")

    @property
    def each(self) -> tuple[DeclarationError, ...]:
        """The mistakes it stands for: itself."""
        return (self,)

    def placed(self, where: str | None) -> DeclarationError:
        """The same mistake at ``where``, unless it has a place of its own."""
        if self.where is not None or where is None:
            return self
        placed = DeclarationError(self.problem, where=where)
        placed.__cause__ = self.__cause__
        return placed

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_declaration_error, (self.problem, self.where)


def _rebuild_declaration_error(problem: str, where: str | None) -> DeclarationError:
    return DeclarationError(problem, where=where)


class DeclarationErrors(DeclarationError):
    """All mistakes of one load, in the order they were met."""

    def __init__(self, mistakes: Sequence[DeclarationError]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in mistakes))

    @property
    def each(self) -> tuple[DeclarationError, ...]:
        """The mistakes it stands for."""
        return self.mistakes

    def __reduce__(self) -> tuple[object, ...]:
        return DeclarationErrors, (self.mistakes,)


class ModuleLoadError(WorkerError):
    """A module could not be imported, or declares no handler."""


class ModuleRaisedError(ModuleLoadError):
    """A module raised while it was imported; ``__cause__`` is what it raised."""

    def __init__(self, module: str, raised: BaseException) -> None:
        self.module = module
        super().__init__(
            f"module {module} raised {type(raised).__name__} while it was imported: {raised}",
            cause=raised,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return ModuleRaisedError, (self.module, self.__cause__)


class Problems(WorkerError):
    """Everything that a check found, in the order it was met."""

    def __init__(self, problems: Sequence[GlamBaseError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))

    def __reduce__(self) -> tuple[object, ...]:
        return Problems, (self.problems,)


class UsageError(WorkerError):
    """A command was given something it cannot take; the message names the option."""


class NotThereError(WorkerError):
    """What a command was told to act on does not exist; the message says where to look."""


class LifespanError(WorkerError):
    """A ``@lifespan`` raised; ``__cause__`` is what it raised."""

    def __init__(self, where: str, raised: BaseException, when: str = "before it yielded") -> None:
        self.where = where
        self.when = when
        super().__init__(
            f"{where}: the lifespan raised {type(raised).__name__} {when}: {raised}", cause=raised
        )

    def __reduce__(self) -> tuple[object, ...]:
        return LifespanError, (self.where, self.__cause__, self.when)


class TopologyError(WorkerError):
    """A stream or consumer is not as the worker needs it."""


class MissingExtraError(WorkerError):
    """An optional dependency is missing; the message has the install command."""


class EndpointError(WorkerError):
    """The HTTP endpoint cannot listen where it was told to."""


class EmbeddedServerError(WorkerError):
    """The embedded nats-server cannot start; the message has the end of its log."""
