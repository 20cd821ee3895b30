"""Services that show how the worker is used."""
