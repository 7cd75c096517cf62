"""Tables as newcomers bring them, taken as `tunegate run FILE --target Y` takes them.

Each is learned rightly (the right columns, a forest that predicts) or refused for the right reason.

    python -m benchmarks.tables.kinds
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.ensemble import RandomForestRegressor

from tests.support.newcomers import LEARNED, REFUSED
from tests.support.tables import MadeTable, made_tables
from trainer.dataset import Dataset, load_dataset
from trainer.errors import DataError
from trainer.profile import TableProfile
from tunegate.starters import Starter, start_from_table

ROWS = (400,)
LEAST_R2 = 0.85


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
        print(f"{mark}  {outcome.name:28}  {outcome.did}  {outcome.wrong}".rstrip())
    print(f"{len(outcomes) - len(wrong)} of {len(outcomes)} tables are right")
    return int(bool(wrong))


def try_tables(folder: Path) -> Iterator[Outcome]:
    """Yield what becomes of each table, written into the folder."""
    for made in made_tables(ROWS):
        yield _try_public(made, folder)
    for name, (content, _) in LEARNED.items():
        yield _try_small(name, content, folder)
    for number, (content, words) in enumerate(REFUSED, start=1):
        yield _try_refusal(f"refused-{number}", content, words, folder)


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


def _try_small(name: str, content: str | bytes, folder: Path) -> Outcome:
    """Try a table whose price follows from size and colour: a small forest must find that."""
    path = folder / f"{name.replace('_', '-')}.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        data = load_dataset(str(_write_files(path, "price", folder).spec_path))
    except DataError as error:
        return Outcome(name, "refused", str(error))
    score = _explained(data)
    did = f"learned from {_columns(data)}, R2 {score:.3f}"
    if score < LEAST_R2:
        return Outcome(name, did, f"R2 below {LEAST_R2}")
    return Outcome(name, did)


def _try_refusal(name: str, content: str, words: list[str], folder: Path) -> Outcome:
    path = folder / f"{name}.csv"
    path.write_text(content)
    spec = folder / f"{name}.toml"
    spec.write_text(
        f'name = "{name}"\nsource = "{path.name}"\ntarget = "price"\ntask = "regression"\n'
    )
    try:
        data = load_dataset(str(spec))
    except DataError as error:
        message = f"{error} / {error.hint}"
        missing = [word for word in words if word not in message]
        first = str(error).splitlines()[-1].strip()
        return Outcome(name, f"refused: {first}", f"does not say {missing}" if missing else "")
    return Outcome(name, f"learned from {_columns(data)}", "should have been refused")


def _write_files(path: Path, target: str, folder: Path) -> Starter:
    starter = start_from_table(path, target, folder=folder)
    starter.spec_path.write_text(starter.spec)
    return starter


def _explained(data: Dataset) -> float:
    forest = RandomForestRegressor(30, random_state=0)
    forest.fit(data.matrix(data.training), data.training.y)
    return float(forest.score(data.matrix(data.holdout), data.holdout.y))


def _columns(data: Dataset) -> str:
    return ", ".join(f"{column.name} ({column.kind})" for column in data.columns)


if __name__ == "__main__":
    sys.exit(main())
