"""``python -m tests.chaos --minutes 5 --seed 7``: random faults under load, and the figures."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.story import chaos


def main() -> int:
    """Run; 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="default: a random one")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    logging.disable(logging.CRITICAL)  # of the publisher's connection, which breaks as well
    print(f"chaos: {given.minutes:g} minutes, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="glam-chaos-"))
    report = asyncio.run(chaos(folder, given.minutes, seed))
    print("\n".join(report.lines()))
    if report.problems:
        print("\n".join(report.problems[:40]))
        print(f"the journal, the logs and the stores are in {folder}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
