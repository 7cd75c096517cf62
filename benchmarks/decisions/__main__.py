"""`python -m benchmarks.decisions`: run what is missing; `--table` prints docs/decisions.md."""

import argparse
import json
from pathlib import Path

from benchmarks.decisions.page import render_page
from benchmarks.decisions.quick_forest import use_quick_forest
from benchmarks.decisions.results import summarize
from benchmarks.decisions.runs import Journal, all_cells, run_missing

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run, or print."""
    options = _arguments()
    if options.table:
        print(render_page(json.loads(RESULTS.read_text())), end="")
        return
    if not options.library:
        use_quick_forest()
    cells = [cell for cell in all_cells() if options.only in f"{cell.kind} {cell.name}"]
    journal = Journal(options.folder)
    for line in run_missing(
        cells, journal, decisions=options.decisions, seconds=60 * options.minutes
    ):
        print(line, flush=True)
    results = summarize(list(all_cells()), journal)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=2000, help="of each cell")
    parser.add_argument("--minutes", type=float, default=600, help="begin nothing after these")
    parser.add_argument("--only", default="", help="cells whose kind and name have this text")
    parser.add_argument(
        "--library", action="store_true", help="scikit-learn's forests, for six times as long"
    )
    parser.add_argument("--folder", type=Path, default=Path(".cache/decisions"))
    parser.add_argument("--table", action="store_true", help="print docs/decisions.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
