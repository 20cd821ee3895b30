"""An HTTP service that turns webhooks and requests into events."""
