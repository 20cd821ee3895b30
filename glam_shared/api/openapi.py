"""The service's own document: what it says of errors, and of what our dependencies read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from glam_shared.api.documented import Reads, read_by
from glam_shared.api.responses import ErrorDetail, Meta

_REF = "#/components/schemas/{model}"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
_JSON = "application/json"

Json = dict[str, Any]


class ErrorResponse(BaseModel):
    """The body of every error answer: an `ApiResponse` with these parts and no other."""

    error: ErrorDetail
    meta: Meta


def complete_document(app: FastAPI) -> None:
    """Let the OpenAPI document of *app* tell what `setup_middleware` and our dependencies do.

    * `ErrorResponse` is the ``default`` of each operation, and stands in place of FastAPI's own
      422, which never gets out.
    * The headers and the body that a dependency of ours reads are parameters of its routes.
    """
    plain = app.openapi

    def complete() -> Json:
        if app.openapi_schema is None:
            document = plain()
            _tell_what_is_read(app, document)
            _tell_errors(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _operations(document: Json) -> Iterator[Json]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation


# --- errors ---


def _tell_errors(document: Json) -> None:
    for operation in _operations(document):
        _tell_errors_of(operation["responses"])
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if _REF.format(model=_OF_FASTAPI[0]) not in str(document.get("paths")):
        for name in _OF_FASTAPI:
            schemas.pop(name, None)
    _, ours = models_json_schema([(ErrorResponse, "serialization")], ref_template=_REF)
    for name, schema in ours["$defs"].items():
        schemas.setdefault(name, schema)


def _tell_errors_of(responses: Json) -> None:
    content = {_JSON: {"schema": {"$ref": _REF.format(model=ErrorResponse.__name__)}}}
    invalid = responses.get("422", {}).get("content", {}).get(_JSON, {}).get("schema")
    if invalid == {"$ref": _REF.format(model=_OF_FASTAPI[0])}:
        responses["422"]["content"] = content
    responses.setdefault("default", {"description": "Error", "content": content})


# --- what is read ---


def _tell_what_is_read(app: FastAPI, document: Json) -> None:
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        path = document.get("paths", {}).get(route.path_format, {})
        if not isinstance(dependant, Dependant):
            continue
        for method in route.methods or ():
            if method.lower() in path:
                for read in _all_read(dependant):
                    _tell_read(read, path[method.lower()])


def _all_read(dependant: Dependant) -> Iterator[Reads]:
    for child in dependant.dependencies:
        yield read_by(child.call)
        yield from _all_read(child)


def _tell_read(read: Reads, operation: Json) -> None:
    known = {(one["in"], one["name"].lower()) for one in operation.get("parameters", ())}
    added = [one.parameter() for one in read.headers if ("header", one.name.lower()) not in known]
    if added:
        operation["parameters"] = [*operation.get("parameters", ()), *added]
    if read.json_body and "requestBody" not in operation:
        body = {"content": {_JSON: {"schema": {"type": "object"}}}, "required": True}
        operation["requestBody"] = body
