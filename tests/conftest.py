"""What all tests share: the signals that a user's terminal would send."""

from __future__ import annotations

import signal

# A shell that runs the tests in the background ignores SIGINT, and every process that they start
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
