"""Says in plain sentences what was decided about a table."""

import shlex
from collections.abc import Iterator

from trainer.profile import TableProfile
from tunegate.starters.learner_choice import FOREST_ONLY, LearnerChoice
from tunegate.starters.search_plan import plan_search
from tunegate.starters.spec_toml import counted

LISTED = 12  # columns or classes of one kind; the rest is counted


def summary_lines(
    profile: TableProfile,
    *,
    trials: int | None = None,
    learners: LearnerChoice = FOREST_ONLY,
) -> list[str]:
    """Return what was decided, a sentence a line, the most important first.

    Args:
        profile: the table's.
        trials: how many trials there will be, if the user stated it; else the table's size tells.
        learners: what the search chooses among.
    """
    return [
        *_task_lines(profile),
        *_column_lines(profile),
        *_cell_lines(profile),
        *_split_lines(profile),
        *_search_lines(profile, trials, learners),
    ]


def _task_lines(profile: TableProfile) -> Iterator[str]:
    target = profile.target
    yield (
        f"predict {target.name}: a {target.task}, for {target.reason}; "
        f"the search minimises {target.metric}"
    )
    yield f"table: {profile.rows:,} rows, {counted(len(profile.kept), 'column')} to learn from"
    if target.classes:
        total = sum(rows for _, rows in target.classes)
        shares = [f"{label} {rows / total:.1%}" for label, rows in target.classes]
        yield f"classes: {_listed(shares)}"
    if target.missing:
        yield f"target: {target.missing:,} rows have none and are left out"
    if target.skewed:
        yield f"target: skewed; learning log(1 + {target.name}) may be better (see the spec)"


def _column_lines(profile: TableProfile) -> Iterator[str]:
    for column in profile.dropped[:LISTED]:
        more = ""
        if column.fix.endswith('"text"'):
            more = f"; --include {shlex.quote(column.name)} learns from it"
        yield f"dropped {column.name}: it {column.reason}{more}"
    if len(profile.dropped) > LISTED:
        yield f"dropped {len(profile.dropped) - LISTED} more columns: see the spec"
    for column in profile.kept:
        if column.reason:
            yield f"look at {column.name}: it {column.reason}"
    if profile.dates:
        yield f"dates: {_listed(profile.dates)}"


def _cell_lines(profile: TableProfile) -> Iterator[str]:
    gaps = [f"{column.name} {column.missing:.1%}" for column in profile.kept if column.missing]
    if gaps:
        yield f"no value: {_listed(gaps)}"
    for marker in profile.markers[:LISTED]:
        cells = counted(marker.cells, "cell")
        if marker.certain:
            yield f"missing: {marker.text!r} in {cells} of {marker.column} means no value"
        else:
            yield (
                f"look at {marker.column}: {marker.text} in {cells} is far from all others; "
                "does it mean missing?"
            )
    if profile.repeated_rows:
        yield f"rows: {profile.repeated_rows:,} repeat an earlier one; they stay together"


def _split_lines(profile: TableProfile) -> Iterator[str]:
    method, reason = profile.split
    yield f"split: {method}, {reason}"
    if profile.dates:
        yield f'split: to predict what comes later, set time = "{profile.dates[0]}" in the spec'


def _search_lines(
    profile: TableProfile, trials: int | None, learners: LearnerChoice
) -> Iterator[str]:
    plan = plan_search(profile, learners)
    count = counted(trials or plan.trials, "trial")
    if learners.names == FOREST_ONLY.names:
        yield f"search: {count} of {plan.trees} trees, {plan.folds} folds each"
        return
    yield f"search: {count} of {', '.join(learners.names)}, {plan.folds} folds each"
    for name, reason in learners.left_out:
        yield f"left out {name}: {reason}"


def _listed(texts: "list[str] | tuple[str, ...]") -> str:
    shown = ", ".join(texts[:LISTED])
    if len(texts) > LISTED:
        return f"{shown} and {len(texts) - LISTED} more"
    return shown
