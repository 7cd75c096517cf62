"""Writes the spec that a table begins with: each decision on a line, with its reason."""

from trainer.profile import ColumnProfile, TableProfile
from trainer.tables.paste_lines import missing_line, toml_key, toml_value

LISTED_COLUMNS = 100
COMMENT = "# "


def render_spec(profile: TableProfile, *, name: str, source: str, query: str = "") -> str:
    """Return the spec's TOML, commented.

    Args:
        profile: the table's.
        name: the data set's, and the model's.
        source: the table, as the spec names it.
        query: the SQL whose rows are the table, where the source is a database.
    """
    sections = [
        _head(profile, source),
        _target(profile, name, source, query),
        _dropped(profile),
        _suspicious(profile),
        _missing(profile),
        _split(profile),
        _overruled(profile),
        _overview(profile),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _comment(text: str) -> str:
    """Return a text that stays within one line of comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def _head(profile: TableProfile, source: str) -> list[str]:
    lines = [
        f"# What is learned from {_comment(source)}:",
        "# written by `tunegate init`, yours to edit.",
        f"# {profile.rows:,} rows, {len(profile.columns) + 1} columns. Every field: docs/data.md.",
    ]
    if profile.repeated_rows:
        lines.append(f"# {profile.repeated_rows:,} rows repeat an earlier one.")
    return lines


def _target(profile: TableProfile, name: str, source: str, query: str) -> list[str]:
    target = profile.target
    lines = [
        f"name = {toml_value(name)} # also the model's name",
        f"source = {toml_value(source)}",
        *([f"read.query = {toml_value(query)}"] if query else []),
        f"target = {toml_value(target.name)}",
        f"task = {toml_value(target.task)} # {_comment(target.reason)}",
        f"metric = {toml_value(target.metric)} # what the search minimises",
    ]
    if target.classes:
        lines += _class_lines(profile)
    if target.missing:
        count = f"{target.missing:,} of {profile.rows:,} rows have none"
        lines.append(f'target_gaps = "drop" # {count}; "refuse" stops at them')
    if target.skewed:
        lines += [
            "# A few values are far above all others. If it is ratios that count, learn on a log",
            "# scale; predictions stay in the target's unit:",
            '# target_transform = "log1p"',
        ]
    return lines


def _class_lines(profile: TableProfile) -> list[str]:
    classes = profile.target.classes
    total = sum(rows for _, rows in classes)
    shown = [f"{_comment(label)} {rows / total:.1%}" for label, rows in classes[:10]]
    more = f" and {len(classes) - 10} more" if len(classes) > 10 else ""  # noqa: PLR2004 - a line
    lines = [f"# Classes: {', '.join(shown)}{more}."]
    if classes[0][1] >= 4 * classes[-1][1]:
        lines += [
            "# To give each class the same weight (probabilities then no longer match shares):",
            '# class_weight = "balanced"',
        ]
    return lines


def _dropped(profile: TableProfile) -> list[str]:
    if not profile.dropped:
        return []
    entries = [f"  {toml_value(c.name)}, # {_comment(c.reason)}" for c in profile.dropped]
    return ["# Not learned from; requests may carry these columns.", "drop = [", *entries, "]"]


def _suspicious(profile: TableProfile) -> list[str]:
    suspects = [column for column in profile.kept if column.reason]
    if not suspects:
        return []
    lines = ["# Learned from, but suspicious. Move a name into `drop` if it is known only later:"]
    return lines + [
        f"# {toml_value(column.name)} # {_comment(column.reason)}" for column in suspects
    ]


def _missing(profile: TableProfile) -> list[str]:
    lines = []
    if texts := profile.missing_texts:
        found = [marker for marker in profile.markers if marker.everywhere]
        columns = sorted({marker.column for marker in found})
        cells = counted(sum(marker.cells for marker in found), "cell")
        lines.append(
            f"missing = {toml_value(texts)} # in {cells} of {_comment(', '.join(columns))}"
        )
    for column, texts in profile.missing_in.items():
        lines.append(f"{missing_line(column, texts)} # all others are numbers")
    for marker in profile.markers:
        if not marker.certain:
            cells = counted(marker.cells, "cell")
            lines += [
                f"# {marker.text}, in {cells} of {_comment(marker.column)},",
                "# is far from all other numbers. If it means missing:",
                f"# {missing_line(marker.column, [marker.text])}",
            ]
    return lines


def _split(profile: TableProfile) -> list[str]:
    method, reason = profile.split
    lines = ["[split]", f'method = "{method}" # {_comment(reason)}', "holdout = 0.2"]
    for name in profile.dates:
        lines += [
            "# If you predict what comes later, hold out the latest rows, instead of `method`:",
            f"# time = {toml_value(name)}",
        ]
    return lines


def _overruled(profile: TableProfile) -> list[str]:
    """Return how each dropped column could be learned from after all."""
    if not profile.dropped:
        return []
    lines = ["# To learn from a column after all, take it out of `drop` and state its type:"]
    for column in profile.dropped:
        kind = "text" if column.fix.endswith('"text"') else column.kind
        lines += [f"# [columns.{_comment(toml_key(column.name))}]", f'# type = "{kind}"']
    return lines


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 cell", "12 cells"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"


def _overview(profile: TableProfile) -> list[str]:
    columns = profile.kept
    shown = columns[:LISTED_COLUMNS]
    lines = ["# Learned from:", *(f"#   {_comment(c.name)}: {column_facts(c)}" for c in shown)]
    if len(columns) > LISTED_COLUMNS:
        lines.append(f"#   and {len(columns) - LISTED_COLUMNS} more")
    return lines


def column_facts(column: ColumnProfile) -> str:
    """Return a column's kind and what is worth knowing about it, as one phrase."""
    kind = column.kind
    if kind == "categorical":
        kind_text = f"categorical, {column.distinct:,} values"
    else:
        kind_text = kind
    return "; ".join([kind_text, *map(_comment, column.notes)])
