"""A small shop service: five handlers, a database, and traffic for them."""
