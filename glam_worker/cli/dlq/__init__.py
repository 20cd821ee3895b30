"""``glam-worker dlq``: dead letters. One file per command."""
