"""Facts in; log lines, Prometheus metrics and health out."""
