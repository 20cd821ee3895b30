"""The console: a page about handlers and dead letters, over what ``operate`` can do."""
