"""The error tree: codes, statuses, details, pickling."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import glam_shared
from glam_shared import errors

TREE = [
    (errors.GlamBaseError, Exception, "INTERNAL_ERROR", 500),
    (errors.InfrastructureError, errors.GlamBaseError, "INFRASTRUCTURE_ERROR", 503),
    (errors.ServiceUnavailableError, errors.InfrastructureError, "SERVICE_UNAVAILABLE", 503),
    (errors.RequestTimeoutError, errors.InfrastructureError, "TIMEOUT", 504),
    (errors.DomainError, errors.GlamBaseError, "DOMAIN_ERROR", 400),
    (errors.ValidationError, errors.DomainError, "VALIDATION_ERROR", 422),
    (errors.NotFoundError, errors.DomainError, "NOT_FOUND", 404),
    (errors.ConflictError, errors.DomainError, "CONFLICT", 409),
    (errors.UnauthorizedError, errors.DomainError, "UNAUTHORIZED", 401),
    (errors.ForbiddenError, errors.DomainError, "FORBIDDEN", 403),
    (errors.RateLimitExceededError, errors.DomainError, "RATE_LIMITED", 429),
    (errors.InternalError, errors.GlamBaseError, "INTERNAL_ERROR", 500),
    (errors.ConfigurationError, errors.GlamBaseError, "CONFIGURATION_ERROR", 500),
]

EXTRAS = [
    (errors.InfrastructureError, {"service": "stripe", "retryable": False}),
    (
        errors.RequestTimeoutError,
        {"timeout_seconds": 2.5, "operation": "charge", "service": "s", "retryable": True},
    ),
    (errors.ValidationError, {"field": "age", "value": "x"}),
    (errors.NotFoundError, {"resource": "shop", "resource_id": "7"}),
    (errors.ConflictError, {"conflicting_resource": "shop", "current_state": "closed"}),
    (errors.UnauthorizedError, {"auth_type": "bearer"}),
    (errors.ForbiddenError, {"required_permission": "write", "resource": "shop"}),
    (errors.RateLimitExceededError, {"limit": 10, "window": "1m", "retry_after": 3.5}),
    (errors.InternalError, {"error_id": "e1"}),
    (errors.ConfigurationError, {"config_key": "K", "expected_value": "V"}),
]


@pytest.mark.parametrize(("kind", "base", "code", "status"), TREE)
def test_each_error_has_its_code_status_and_base(
    kind: type[errors.GlamBaseError], base: type, code: str, status: int
) -> None:
    """Every class of the tree defaults to its code and HTTP status, under its base."""
    error = kind("went wrong")

    assert (code, status, "went wrong") == (error.code, error.status, error.message)
    assert kind.__bases__ == (base,)
    assert "went wrong" == str(error)


def test_the_tree_is_whole() -> None:
    """Every class of the tree is exported by its module and by the package."""
    names = {kind.__name__ for kind, *_ in TREE}

    assert names == set(errors.__all__)
    assert names <= set(glam_shared.__all__)


@pytest.mark.parametrize(("kind", "extra"), EXTRAS)
def test_own_keywords_become_details(kind: type[Any], extra: dict[str, Any]) -> None:
    """What a class takes beside the message is found among the details, under the same name."""
    assert extra == kind("m", **extra).details


@pytest.mark.parametrize("value", [0, "", False, 0.0])
def test_falsy_details_are_kept(value: Any) -> None:
    """A detail of 0, "" or False is kept; only None is left out."""
    conflict = errors.ConflictError("m", conflicting_resource=value, current_state=None)

    assert {"conflicting_resource": value} == conflict.details


def test_falsy_text_details_are_kept() -> None:
    """A validated value of 0 or False is kept, as text; a limit and a wait of 0 as they are."""
    assert {"value": "0"} == errors.ValidationError("m", value=0).details
    assert {"value": "False"} == errors.ValidationError("m", value=False).details
    assert {"value": "", "field": ""} == errors.ValidationError("m", field="", value="").details
    assert {"resource_id": "0"} == errors.NotFoundError("m", resource_id=0).details
    limited = errors.RateLimitExceededError(limit=0, retry_after=0)
    assert {"limit": 0, "retry_after": 0} == limited.details
    assert 0 == limited.retry_after
    given = errors.GlamBaseError("m", details={"a": 0, "b": "", "c": False})
    assert {"a": 0, "b": "", "c": False} == given.to_dict()["details"]


def test_the_callers_details_are_not_changed() -> None:
    """The details a caller hands in stay as they were, and later changes of his do not show."""
    details = {"mine": 1}

    error = errors.NotFoundError("m", resource="shop", details=details)
    error.details["later"] = 2
    details["after"] = 3

    assert {"mine": 1, "after": 3} == details
    assert {"mine": 1, "resource": "shop", "later": 2} == error.details


def test_to_dict_leaves_absent_details_out() -> None:
    """`to_dict` has details only when there are some."""
    assert {"code": "NOT_FOUND", "message": "m"} == errors.NotFoundError("m").to_dict()


def test_code_status_and_cause_can_be_given() -> None:
    """Code and status override the class's; the cause becomes `__cause__`."""
    cause = KeyError("k")

    error = errors.DomainError("m", code="SPECIAL", status=418, cause=cause)

    assert ("SPECIAL", 418) == (error.code, error.status)
    assert error.__cause__ is cause


def test_default_messages() -> None:
    """Four errors have something to say without being told."""
    assert "Authentication required" == errors.UnauthorizedError().message
    assert "Insufficient permissions" == errors.ForbiddenError().message
    assert "Rate limit exceeded" == errors.RateLimitExceededError().message
    assert "An unexpected error occurred" == errors.InternalError().message


def test_an_infrastructure_error_is_worth_another_try_by_default() -> None:
    """`retryable` is an attribute and a detail, true unless given."""
    assert errors.ServiceUnavailableError("m").retryable
    assert {"retryable": True} == errors.ServiceUnavailableError("m").details
    assert not errors.RequestTimeoutError("m", retryable=False).retryable


@pytest.mark.parametrize(("kind", "extra"), [*EXTRAS, *[(kind, {}) for kind, *_ in TREE]])
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_every_error_pickles(kind: type[Any], extra: dict[str, Any], copied: Any) -> None:
    """An error that went through pickle says what it said before."""
    error = kind("m", **extra, code="C", status=499)

    again = copied(error)

    assert type(error) is type(again)
    assert vars(error) == vars(again)
    assert str(error) == str(again)


class ShopClosedError(errors.ConflictError):
    """An application's own error, with an argument of its own."""

    def __init__(self, shop: str) -> None:
        super().__init__(f"{shop} is closed", current_state="closed")
        self.shop = shop


def test_an_applications_own_error_pickles() -> None:
    """A subclass whose constructor takes other arguments survives pickle as well."""
    again = pickle.loads(pickle.dumps(ShopClosedError("s1")))

    assert ("s1", "s1 is closed", 409) == (again.shop, again.message, again.status)
