"""The routes of an application: their templates and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.types import Scope

UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


def known_method(method: str) -> str:
    """*method*, or ``OTHER``: a client may send any word, a label may not be any word."""
    return method if method in METHODS else "OTHER"


def dependencies_of(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """(template, callable) of every dependency of every route, however deep."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if isinstance(dependant, Dependant):
            for call in _calls(dependant):
                yield route.path or "", call


def _calls(dependant: Dependant) -> Iterator[Any]:
    for child in dependant.dependencies:
        yield child.call
        yield from _calls(child)


def route_template(scope: Scope, root_path: str) -> str:
    """The template of the route that took the request, with the path it is mounted at.

    To be asked after routing; *root_path* is that of the request on arrival. Never made of what
    the client sent: a request without a route is ``unmatched``.
    """
    template = _own_template(scope)
    if template and scope.get("root_path") == root_path:
        return template
    mount = _static_mount(scope, root_path)
    if template is None:
        return f"{mount}/*" if mount else UNMATCHED
    return f"{mount}{template}"


def _own_template(scope: Scope) -> str | None:
    route = scope.get("route")
    # A route of an included router knows its own path only; the prefix is in FastAPI's context.
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None and getattr(context, "original_route", None) is route:
        route = context
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    return template if isinstance(template, str) else None


def _static_mount(scope: Scope, root_path: str) -> str:
    mount: str = scope.get("root_path", "")[len(root_path) :]
    if not mount:
        return ""
    own = getattr(scope.get("route"), "param_convertors", {})
    has_parameters = any(name not in own for name in scope.get("path_params", {}))
    return "/{mount}" if has_parameters else mount
