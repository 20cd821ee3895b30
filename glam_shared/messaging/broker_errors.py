"""What can go wrong between this process and the broker.

Errors of the NATS client never leave this package: they are translated here, so that
callers catch one tree.

    InfrastructureError
    └── BrokerError                 anything below
        ├── ConnectionFailed        `connect` gave up: servers and cause
        │   └── ServerTooOld        connected, but the server lacks what we need
        ├── ConnectionLost          the connection broke (or was closed) before the answer came
        ├── NoAnswer                the server did not answer in time
        ├── NobodyListens           no stream or no JetStream listens on the subject
        ├── StoredElsewhere         only a stream of another JetStream domain has the message
        ├── NotSendable             a subject or header the protocol does not allow; not sent
        ├── PermissionDenied        the server refused to let this user publish or subscribe
        ├── ApiError                JetStream answered a request with an error
        │   └── NotFound            ... the stream, consumer or message does not exist
        └── PublishFailed           a message is not known to be stored
            ├── BulkFailed              some of many messages are not known to be stored
            ├── MessageTooLarge     larger than the server or the publisher allows; not sent
            └── PublishRefused      the stream answered that it will not store it
"""

from __future__ import annotations

from collections.abc import Sequence

from glam_shared.errors import InfrastructureError


class BrokerError(InfrastructureError):
    """The broker could not do what was asked."""

    def __init__(
        self, message: str, *, retryable: bool = True, cause: BaseException | None = None
    ) -> None:
        super().__init__(message, service="nats", retryable=retryable, cause=cause)


class ConnectionFailed(BrokerError):
    """`connect` gave up. `servers` are without credentials; `causes` holds one line for each."""

    def __init__(self, message: str, *, servers: Sequence[str], causes: Sequence[str]) -> None:
        super().__init__(message)
        self.servers = tuple(servers)
        self.causes = tuple(causes)


class ServerTooOld(ConnectionFailed):
    """The server's version is below what is needed."""

    def __init__(self, server: str, *, found: str, needed: str) -> None:
        cause = f"nats-server {found} is too old: {needed} or newer is needed"
        super().__init__(
            f"{server}: {cause}. Upgrade the server.", servers=[server], causes=[cause]
        )
        self.found = found
        self.needed = needed


class ConnectionLost(BrokerError):
    """The connection broke, or was closed, before the answer came: the outcome is unknown."""


class NoAnswer(BrokerError):
    """The server did not answer in time: the outcome is unknown."""

    def __init__(self, operation: str, timeout: float) -> None:
        super().__init__(f"No answer to {operation} within {timeout:.2g} s.")
        self.operation = operation
        self.timeout = timeout


class NobodyListens(BrokerError):
    """Nothing listens on the subject: no stream takes it, or JetStream is not available."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"Nothing listens on {subject}: {_why_nobody(subject)}")
        self.subject = subject


def _why_nobody(subject: str) -> str:
    first, _, rest = subject.partition(".")
    domain = rest.partition(".")[0]
    if first == "$JS" and domain not in ("API", "ACK"):
        bucket = "no bucket takes the key, " if ".API.$KV." in subject else ""
        return (
            f"{bucket}there is no JetStream domain {domain} (setting js_domain), or it is not "
            "connected just now."
        )
    return (
        "no stream takes the subject, its leader is being elected, or JetStream is not enabled "
        "for this account."
    )


class StoredElsewhere(BrokerError):
    """A stream of another JetStream domain says it has the message; the one asked for is silent."""

    def __init__(self, subject: str, *, stream: str, found: str, wanted: str) -> None:
        has = f"of JetStream domain {found}" if found else "of no JetStream domain"
        super().__init__(
            f"The message for {subject} was stored by stream {stream} {has}, not by domain "
            f"{wanted} (setting js_domain), which has not answered. Delete that other stream, "
            f"which takes the same subjects, and see that {wanted} is connected; if {wanted} "
            f"is the name of an account import, allow $JS.{wanted}.API.STREAM.INFO.{stream}."
        )
        self.subject = subject
        self.stream = stream
        self.found = found
        self.wanted = wanted


class NotSendable(BrokerError):
    """The subject or a header is not allowed by the protocol; nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class PermissionDenied(BrokerError):
    """The server does not allow this user to publish to, or subscribe to, a subject."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"The server does not allow this user to {operation}. Add it to the user's permissions."
        )
        self.operation = operation


class ApiError(BrokerError):
    """JetStream answered with an error; `err_code` is the number of the server's errors.json."""

    def __init__(self, operation: str, *, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{operation}: {description} (code {code}, err_code {err_code})")
        self.operation = operation
        self.api_code = code
        self.err_code = err_code
        self.description = description


class NotFound(ApiError):
    """The stream, consumer or message asked for does not exist."""


class PublishFailed(BrokerError):
    """A message is not known to be stored. `subject` and `msg_id` say which."""

    def __init__(
        self,
        message: str,
        *,
        subject: str,
        msg_id: str | None = None,
        retryable: bool = True,
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, cause=cause)
        self.subject = subject
        self.msg_id = msg_id


class MessageTooLarge(PublishFailed):
    """Body and headers together exceed the limit; nothing was sent."""

    def __init__(self, subject: str, *, size: int, limit: int) -> None:
        super().__init__(
            f"The message for {subject} has {size} bytes, headers included; "
            f"at most {limit} are allowed. Send less, or a reference to the data.",
            subject=subject,
            retryable=False,
        )
        self.size = size
        self.limit = limit


class PublishRefused(PublishFailed):
    """The stream will not store the message; waiting does not change that."""

    def __init__(self, subject: str, *, code: int, err_code: int, description: str) -> None:
        super().__init__(
            f"The stream refused the message for {subject}: {description} "
            f"(code {code}, err_code {err_code}).",
            subject=subject,
        )
        self.api_code = code
        self.err_code = err_code
        self.description = description


class BulkFailed(PublishFailed):
    """Publishing many stopped at the first that failed.

    `failures` holds (position, error); all others before `taken` are stored, and nothing from
    position `taken` on was sent.
    """

    def __init__(self, failures: Sequence[tuple[int, Exception]], *, taken: int) -> None:
        position, first = failures[0]
        super().__init__(
            f"{len(failures)} of the first {taken} messages are not known to be stored; "
            f"number {position}: {first}",
            subject=getattr(first, "subject", ""),
            retryable=bool(getattr(first, "retryable", False)),
            cause=first,
        )
        self.failures = tuple(failures)
        self.taken = taken
