"""Permissions as a block of nats-server's configuration file. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from glam_worker.topology.permissions import Grant, Role

_WIDEST = 72
"""Columns after which a comment is not moved further to the right."""


def authorization_block(service: str, roles: Sequence[Role]) -> str:
    """An ``authorization`` block; passwords come from variables of the server's environment."""
    users = "\n".join(_user(service, role) for role in roles)
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}"


def user_of(service: str, role: Role) -> str:
    """The name of a role's user."""
    return f"{service}-{role.name}"


def password_variable(service: str, role: Role) -> str:
    """The environment variable, of the server, that holds the user's password."""
    return re.sub(r"[^A-Z0-9]", "_", f"{user_of(service, role)}_PASSWORD".upper())


def _user(service: str, role: Role) -> str:
    return f"""\
    # {role.does}
    {{
      user: {json.dumps(user_of(service, role))}
      password: ${password_variable(service, role)}
      permissions: {{
{_allowed("publish", role.publish)}
{_allowed("subscribe", role.subscribe)}
      }}
    }}"""


def _allowed(verb: str, grants: Sequence[Grant]) -> str:
    quoted = [json.dumps(grant.subject) for grant in grants]
    width = min(max(map(len, quoted), default=0), _WIDEST)
    lines = [
        f"          {subject.ljust(width)}  # {grant.why}"
        for subject, grant in zip(quoted, grants, strict=True)
    ]
    return "\n".join([f"        {verb}: {{ allow: [", *lines, "        ] }"])
