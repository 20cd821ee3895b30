"""``glam-worker top``: a live view of handlers, with keys."""
