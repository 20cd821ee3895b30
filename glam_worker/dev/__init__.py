"""For developing a service: a nats-server of one's own, and reload on change."""
