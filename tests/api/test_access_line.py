"""The access line of a service in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request

PROGRAM = """
import socket, sys, uvicorn
from fastapi import FastAPI
from glam_shared.api import setup_middleware
app = FastAPI()
setup_middleware(app, "shop-service")
app.get("/items/{item}")(lambda item: item)
config = uvicorn.Config(app, access_log=False, log_config=None)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def test_the_line_is_out_while_the_service_runs_on() -> None:
    """The line reaches a pipe as soon as the answer is out, not when the process ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(descriptor)],
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/items/7", timeout=30) as answer:
                correlation_id = answer.headers["X-Correlation-ID"]
            line = json.loads(process.stdout.readline())
            assert process.poll() is None
        finally:
            process.terminate()
            process.communicate(timeout=30)

    assert ("/items/{item}", 200, correlation_id) == (
        line["route"],
        line["status"],
        line["correlation_id"],
    )
