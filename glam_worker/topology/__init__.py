"""Where messages live: which streams and consumers the declarations need, and what differs."""
