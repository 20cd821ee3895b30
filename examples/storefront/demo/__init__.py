"""What ``make demo`` shows: the shop's worker under traffic, with failures, and their repair."""
