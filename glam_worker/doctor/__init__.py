"""``glam-worker doctor``: what of a real set-up can lose events, and what to do about it.

``gathering`` looks at the server and makes a ``Snapshot``; each check is a pure function from
that to findings; ``checks`` lists them all. A new check is one function and one line there.
"""
