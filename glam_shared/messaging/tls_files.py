"""The files of TLS: our certificate, its key, the authority's; and what is wrong with one."""

from __future__ import annotations

import ssl
from pathlib import Path

from glam_shared.messaging.key_files import CredentialsUnreadable

_Path = str | Path | None


class _PassPhraseWanted(Exception):
    """Python would ask the terminal for it, at every attempt."""


def client_context(ca: _Path, cert: _Path, key: _Path) -> ssl.SSLContext:
    """A verifying context of the files as they are now.

    Raises CredentialsUnreadable that names the file, what is wrong and what to do.
    """
    context = authority_context(ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        _add_certificate(context, cert, cert if key is None else key)
    return context


def authority_context(ca: _Path) -> ssl.SSLContext:
    """A context that trusts whom this authority signed; the system's without one.

    Raises as `client_context` does.
    """
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ValueError) as error:
        raise CredentialsUnreadable(f"the file of the TLS authority {_wrong(ca, error)}") from error


def _add_certificate(context: ssl.SSLContext, cert: str | Path, key: str | Path) -> None:
    def refuse() -> str:
        raise _PassPhraseWanted

    for what, path in (("client's certificate", cert), ("key of the client's certificate", key)):
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:
            raise CredentialsUnreadable(f"the {what} {_wrong(path, error)}") from error
    try:
        context.load_cert_chain(str(cert), str(key), password=refuse)
    except _PassPhraseWanted:
        raise CredentialsUnreadable(
            f"the key {str(key)!r} of the client's certificate is encrypted, and nobody is there "
            "to type its pass phrase; give one without: openssl pkey -in OLD -out NEW"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise CredentialsUnreadable(
            f"the client's certificate {str(cert)!r} and its key {str(key)!r} cannot be used: "
            f"{why}; give a PEM certificate and the PEM key that belongs to it"
        ) from error


def _wrong(path: _Path, error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{str(path)!r} holds no certificate: {error.reason or error}; give a PEM file"
    why = getattr(error, "strerror", None) or error
    return f"{str(path)!r} cannot be read: {why}; correct the path or its permissions"
