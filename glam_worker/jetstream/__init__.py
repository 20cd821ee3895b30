"""The broker's side of the runtime: the only importer of nats in this package."""
