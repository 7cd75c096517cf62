"""Tables as newcomers bring them, taken as `tunegate run FILE --target Y` takes them.

Each is learned rightly (the right columns, a forest that learns the target) or refused for the
right reason. `tests/tunegate/test_cases.py` has the small ones judged, promoted and served.

    python -m benchmarks.tables.kinds
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tests.support.cases import Case, cases, write_case
from tests.support.tables import MadeTable, made_tables
from trainer.dataset import Dataset, load_dataset
from trainer.errors import DataError
from trainer.profile import TableProfile
from tunegate.starters import Starter, start_from_table

ROWS = (400,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a table; `wrong` is empty where it is right."""

    name: str
    did: str
    wrong: str = ""


def main() -> int:
    """Try all tables, print a line each, return 1 if any went wrong."""
    with TemporaryDirectory() as folder:
        outcomes = list(try_tables(Path(folder)))
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    for outcome in outcomes:
        mark = "WRONG" if outcome.wrong else "right"
        print(f"{mark}  {outcome.name:34}  {outcome.did}  {outcome.wrong}".rstrip())
    refused = sum(outcome.did.startswith("refused") for outcome in outcomes)
    print(f"{len(outcomes) - len(wrong)} of {len(outcomes)} tables are right, {refused} refused")
    return int(bool(wrong))


def try_tables(folder: Path) -> Iterator[Outcome]:
    """Yield what becomes of each table, written into the folder."""
    for made in made_tables(ROWS):
        yield _try_public(made, folder)
    for case in cases().values():
        yield _try_case(case, folder)


def _try_public(made: MadeTable, folder: Path) -> Outcome:
    """Try a table like a well-known one: what is dropped, reported and missing must be right."""
    path = folder / f"{made.name}.csv"
    made.frame.to_csv(path, index=False)
    try:
        starter = _write_files(path, made.target, folder)
        data = load_dataset(str(starter.spec_path))
    except DataError as error:
        return Outcome(made.name, "refused", str(error))
    wrong = ", ".join(_differences(made, starter.profile))
    return Outcome(made.name, f"learned from {_columns(data)}", wrong)


def _differences(made: MadeTable, profile: TableProfile) -> Iterator[str]:
    if profile.target.task != made.task:
        yield f"task {profile.target.task}"
    dropped = {column.name for column in profile.dropped}
    if dropped != made.dropped:
        yield f"dropped {sorted(dropped)}, not {sorted(made.dropped)}"
    reported = {column.name for column in profile.kept if column.reason}
    if reported != made.suspicious:
        yield f"reported {sorted(reported)}, not {sorted(made.suspicious)}"
    if set(profile.dates) != set(made.dates):
        yield f"dates {profile.dates}"


def _try_case(case: Case, folder: Path) -> Outcome:
    """Try a small odd table, or a spec of one: its columns and its target, or its refusal."""
    table, spec = write_case(case, folder)
    try:
        if not case.spec_only:
            spec = _write_files(table, case.target, folder).spec_path
        data = load_dataset(str(spec))
    except DataError as error:
        message = f"{error} / {error.hint}"
        missing = [words for words in case.says if words not in message]
        wrong = f"does not say {missing}" if missing else ""
        if case.learned:
            wrong = "should be learned from"
        return Outcome(case.name, f"refused: {str(error).splitlines()[-1].strip()}", wrong)
    found = {column.name: column.kind for column in data.columns}
    did = f"learned from {_columns(data)}"
    if found != case.learned:
        return Outcome(case.name, did, f"should be {case.learned or 'refused'}")
    explained = _explained(data)
    did = f"{did}, explains {explained:.2f}"
    if explained < case.explained:
        return Outcome(case.name, did, f"explains less than {case.explained}")
    return Outcome(case.name, did)


def _write_files(path: Path, target: str, folder: Path) -> Starter:
    starter = start_from_table(path, target, folder=folder)
    starter.spec_path.write_text(starter.spec)
    return starter


def _explained(data: Dataset) -> float:
    """Return a small forest's R2, or accuracy, on the rows that it learned from."""
    kind = RandomForestClassifier if data.classes else RandomForestRegressor
    x = data.matrix(data.training)
    forest = kind(30, random_state=0).fit(x, data.training.y)
    return float(forest.score(x, data.training.y))


def _columns(data: Dataset) -> str:
    return ", ".join(f"{column.name} ({column.kind})" for column in data.columns)


if __name__ == "__main__":
    sys.exit(main())
