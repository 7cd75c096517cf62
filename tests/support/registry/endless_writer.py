"""Append promotions to a ledger until killed; print each number once it is live."""

import sys
from itertools import count
from pathlib import Path

from registry.ledger import next_number
from registry.sqlite import SqliteLedger
from support.registry.ledgers import outcome, promotion


def main(path: str) -> None:
    ledger = SqliteLedger(Path(path))
    for number in count(next_number(ledger.history("houses"))):
        ledger.create(promotion(number))
        ledger.close("houses", number, outcome())
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
