"""`make bench`: what the worker costs beside other consumers, on this machine.

Every run of a contender has a fresh nats-server with a store of its own and is a process of its
own; contenders take turns, so that a slow minute of the machine meets all of them. All of them run
on uvloop and read the same events into the same pydantic models. Add a contender or a scenario as
one file and one line in the `__init__.py` beside it.
"""
