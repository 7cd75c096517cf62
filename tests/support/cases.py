"""Small tables that data scientists meet every week, made by code, and what is right about each.

Most are 60 rows whose price is three times the size, and 5 more where the colour is red, spoilt in
one way. Each is taken twice: as `tunegate run FILE --target price`, and with a spec by hand.
"""

import gzip
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

Row = list[Any]
HEAD = ("id", "size", "colour", "price")
PLAIN = {"size": "numeric", "colour": "categorical"}


@dataclass(frozen=True)
class Case:
    """A table, and what is right.

    Attributes:
        name: the case's, and the file's.
        content: of the file; None if there is none.
        learned: each column that is learned from, with its kind; empty if the table is refused.
        says: what is said of it, or why it is refused.
        refused_by_spec: what the spec is refused with, where `init` and `run` decide themselves
            what a spec has to state.
        more: the spec's other fields.
        spec_only: whether it is the spec that the case is about.
        ending: of the file's name.
        target: the column to predict.
        task: what the target asks for.
        explained: least share of the target's variance that a small forest's answers explain, or of
            rows whose class they name; less where the columns left do not tell more.
        gate: the gate's verdict: a target that no column tells of is refused.
    """

    name: str
    content: str | bytes | None
    learned: dict[str, str] = field(default_factory=lambda: PLAIN)
    says: tuple[str, ...] = ()
    refused_by_spec: tuple[str, ...] = ()
    more: str = ""
    spec_only: bool = False
    ending: str = ".csv"
    target: str = "price"
    task: str = "regression"
    explained: float = 0.9
    gate: str = "promote"


def cases() -> dict[str, Case]:
    """Return all cases by name; equal each time."""
    chance = random.Random(1)  # noqa: S311 - tables, no secrets
    return {case.name: case for case in _make_cases(chance)}


def _make_cases(chance: random.Random) -> Iterator[Case]:
    def base(rows: int = 60) -> list[Row]:
        made = []
        for number in range(1, rows + 1):
            size = round(chance.uniform(1, 9), 3)
            colour = chance.choice(["red", "blue", "green"])
            price = 3 * size + 5 * (colour == "red") + chance.gauss(0, 0.3)
            made.append([number, size, colour, round(price, 2)])
        return made

    def changed(place: int, change: Callable[[int, Any], object], rows: int = 60) -> str:
        return _text(
            [
                [*row[:place], change(number, row[place]), *row[place + 1 :]]
                for number, row in enumerate(base(rows))
            ]
        )

    frame = pd.DataFrame(base(), columns=HEAD)
    plain = _text(base())
    yield Case("plain", plain)
    yield from _dialects(base(), frame)
    yield from _names(base())
    yield from _numbers(changed)
    yield from _gaps(changed)
    yield from _texts(changed, base)
    yield from _targets(changed, plain)
    yield from _sizes(base, plain)
    yield from _specs(plain, changed(0, _iso_day, 150))
    yield from _others(base(120), changed, frame)


def _text(rows: list[Row], head: tuple[str, ...] = HEAD, separator: str = ",") -> str:
    lines = (separator.join(map(str, row)) for row in [head, *rows])
    return "\n".join(lines) + "\n"


def _iso_day(number: int, _: object) -> str:
    return f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}"


def _dialects(rows: list[Row], frame: pd.DataFrame) -> Iterator[Case]:
    plain = _text(rows)
    semicolons = _text(rows, separator=";")
    yield Case("semicolon", semicolons, says=("separator ';'",))
    yield Case("eurodecimal", semicolons.replace(".", ","), says=("decimal comma",))
    yield Case("tab", _text(rows, separator="\t"), says=("separator tab",))
    yield Case("bom", plain.encode("utf-8-sig"), more='drop = ["id"]')
    green = plain.replace("green", "grün").encode("latin-1")
    yield Case("latin1", green, says=("cp1252",))
    yield Case("crlf", plain.replace("\n", "\r\n"))
    yield Case("newline_in_quotes", plain.replace("red", '"dark\nred"'))
    yield Case("zipped", gzip.compress(plain.encode(), mtime=0), says=("gzip",), ending=".csv.gz")
    yield Case("comment", f"# made by a tool\n{plain}", says=("1 line above the table",))
    spaces = plain.replace(",", ", ")
    yield Case("leading_spaces", spaces, more='drop = ["id"]')
    for name, ending, write in (
        ("parquet", ".parquet", frame.to_parquet),
        ("excel", ".xlsx", frame.to_excel),
    ):
        sink = io.BytesIO()
        write(sink)
        yield Case(name, sink.getvalue(), ending=ending)
    headless = plain.partition("\n")[2]
    yield Case("no_header", headless, {}, ("no column price", "there is no header"))
    uneven = _text([row if i % 9 else [*row[:2], row[3]] for i, row in enumerate(rows)])
    fix = 'read.bad_lines = "drop"'
    yield Case("short_rows", uneven, {}, ("line 2 has 3 cells, the header has 4", fix))
    uneven = _text([row if i != 9 else [*row, "extra"] for i, row in enumerate(rows)])
    yield Case("long_rows", uneven, {}, ("line 11 has 5 cells, the header has 4", fix))


def _names(rows: list[Row]) -> Iterator[Case]:
    doubled = [[row[0], row[1], row[1] * 2, row[3]] for row in rows]
    yield Case(
        "duplicate_names",
        _text(doubled, ("id", "size", "size", "price")),
        {"size": "numeric", "size.1": "numeric"},
        ('the later ones are called "size.1"',),
        explained=0.7,
    )
    yield Case("empty_name", _text(rows, ("", *HEAD[1:])), says=("Unnamed: 0",))
    odd = ("größe in m²", "a.b", "class", "from", "model_version", "1st", "the price (€)")
    yield Case(
        "odd_names",
        _text([[row[1], row[2], 1, 2, 3, row[1], row[3]] for row in rows], odd),
        {"größe in m²": "numeric", "a.b": "categorical"},
        ("1st", "has the same content as größe in m²"),
        target="the price (€)",
    )
    reserved = ("instances", "inputs", "__proto__", "constructor", "price")
    yield Case(
        "reserved_names",
        _text([[1.0 * i, row[1], row[1], row[2], row[3]] for i, row in enumerate(rows)], reserved),
        {"inputs": "numeric", "constructor": "categorical"},
        ("__proto__", "has the same content as inputs"),
    )
    yield Case(
        "big_int_id", _text([[2**63 + i, *row[1:]] for i, row in enumerate(rows)]), says=("id",)
    )
    constant = _text([[row[0], 7, *row[2:]] for row in rows])
    only_colour = {"colour": "categorical"}
    yield Case(
        "constant_column",
        constant,
        only_colour,
        ("'7' in every row",),
        explained=0.05,
        gate="refuse",
    )
    head = ("id", "note", "colour", "size", "price")
    empty = _text([[row[0], "", row[2], row[1], row[3]] for row in rows], head)
    yield Case("empty_column", empty, says=("note", "empty"))


def _numbers(changed: Callable[..., str]) -> Iterator[Case]:
    marks = "marks between thousands are taken off"
    yield Case("thousands", changed(1, lambda _, size: f'"{size * 1000:,.2f}"'), says=(marks,))
    amounts = changed(3, lambda _, price: f'"{price * 1000:,.2f}"')
    yield Case("thousands_target", amounts, says=(marks,))
    yield Case("currency_target", changed(3, lambda _, price: f"${price}"), says=("'$'",))
    units = changed(1, lambda _, size: f"{size} km", 200)
    yield Case("numbers_with_units", units, says=("'km'",))
    unknown = "columns.size.missing"
    ways = ('columns.size.type = "categorical"', 'drop = ["size"]')
    yield Case(
        "silent_categorical",
        changed(1, lambda number, size: size if number != 40 else "unknown", 80),
        says=("'unknown' in 1 cell of size means no value",),
        refused_by_spec=("79 of 80 cells are numbers; line 42 says 'unknown'", unknown, *ways),
    )
    yield Case(
        "mixed_types",
        changed(1, lambda number, size: size if number % 10 else "n/a?"),
        says=("'n/a?' in 6 cells of size means no value",),
        refused_by_spec=("54 of 60 cells are numbers; line 2 says 'n/a?'", unknown, *ways),
        explained=0.7,
    )
    yield Case(
        "mixed_types_two",
        changed(1, lambda number, size: size if number != 40 else "unknown", 300),
        says=("'unknown' in 1 cell of size means no value",),
        refused_by_spec=("299 of 300 cells are numbers; line 42 says 'unknown'", unknown, *ways),
    )
    infinite = changed(1, lambda number, size: size if number != 5 else "inf")
    yield Case("inf", infinite, {}, ("line 7 says 'inf'", 'columns.size.missing = ["inf"]'))


def _gaps(changed: Callable[..., str]) -> Iterator[Case]:
    blanks = changed(1, lambda number, size: size if number % 10 else " ", 300)
    yield Case("blank_strings", blanks, says=("no value: size 10.0%",), explained=0.8)
    yield Case(
        "target_nan",
        changed(3, lambda number, price: price if number % 9 else ""),
        says=("7 rows have none and are left out",),
        refused_by_spec=("7 of 60 cells of the target are missing", 'target_gaps = "drop"'),
    )
    spaces = changed(2, lambda number, colour: colour + " " * (number % 2))
    yield Case("spaces_in_values", spaces, says=("spaces around texts are taken off",))


def _texts(changed: Callable[..., str], base: Callable[..., list[Row]]) -> Iterator[Case]:
    boolean = {"size": "numeric", "colour": "boolean"}
    yield Case("bool_text", changed(2, lambda _, colour: colour == "red"), boolean)
    gaps = changed(
        2, lambda number, colour: "True" if colour == "red" else "False" * (number % 7 > 0)
    )
    yield Case("bool_nan", gaps, boolean)
    spellings = ("TRUE", "False", "true", "false")
    mixed = changed(2, lambda number, colour: spellings[(colour != "red") + 2 * (number % 2)])
    yield Case("bool_mixed_case", mixed, boolean)
    text = _text(
        [
            [row[0], row[1], f"flat number {row[0]} with a {row[2]} door", row[3]]
            for row in base(200)
        ]
    )
    left_out = ("colour: it has another text in each row",)
    yield Case("text_column", text, {"size": "numeric"}, left_out, explained=0.7)
    cities = [[f"c{7 * row[0] % 150}", *row[1:]] for row in base(900)]
    yield Case(
        "high_card",
        _text(cities, ("city", *HEAD[1:])),
        {"city": "categorical", **PLAIN},
        ("the 100 most frequent of 150 texts are categories",),
    )
    days = changed(0, _iso_day, 150)
    yield Case("dates_iso", days, {"id": "datetime", **PLAIN}, ("dates: id",))
    rows = base(40)
    repeated = {"id": "numeric", **PLAIN}
    yield Case("duplicates", _text(rows + rows), repeated, ("40 repeat an earlier one",))


def _targets(changed: Callable[..., str], plain: str) -> Iterator[Case]:
    classes = "classification"
    yes_no = changed(3, lambda _, price: "yes" if price > 17 else "no")
    yield Case("yes_no", yes_no, says=("a classification",), task=classes)
    yield Case(
        "float_classes",
        changed(3, lambda _, price: 0.5 if price > 17 else 1.5),
        says=("a classification",),
        task=classes,
    )
    few = ("class 1: too few rows", "there are 3")
    yield Case(
        "imbalanced", changed(3, lambda number, _: int(number < 3), 1000), {}, few, task=classes
    )
    yield Case(
        "imbalanced_8",
        changed(3, lambda number, _: int(number < 8), 1000),
        says=("stratified, only 8 rows of class 1",),
        task=classes,
        gate="refuse",
    )
    yield Case(
        "target_is_int_regression_as_class",
        changed(3, lambda number, _: number % 40, 200),
        says=("a regression, for it has 40 different numbers",),
        refused_by_spec=("of 40 classes", 'task = "regression"'),
        task=classes,
        explained=0.3,
        gate="refuse",
    )
    numbers = ("if it is a number", 'task = "regression"')
    yield Case("regression_as_class", plain, {}, numbers, spec_only=True, task=classes)
    texts = ("0 of 60 cells are numbers", 'task = "classification"')
    yield Case("class_as_regression", yes_no, {}, texts, spec_only=True)


def _sizes(base: Callable[..., list[Row]], plain: str) -> Iterator[Case]:
    yield Case("three_rows", _text(base(3)), {}, ("too few rows", "at least 20 + 10"))
    yield Case("header_only", plain.partition("\n")[0] + "\n", {}, ("no rows",))
    yield Case("empty_file", "", {}, ("no rows", "the file is empty"))


def _specs(plain: str, days: str) -> Iterator[Case]:
    yield Case("missing_file", None, {}, ("missing_file.csv: ", "uch file"))
    yield Case("bad_target", plain, {}, ("no column Price", "price"), target="Price")
    yield Case(
        "bad_task", plain, {}, ("'binary' is not 'regression'",), spec_only=True, task="binary"
    )
    metric = ('metric = "auc"', ("metric 'auc' is not one of mse",))
    yield Case("bad_metric_auc", plain, {}, metric[1], more=metric[0], spec_only=True)
    yield Case("metric_rmse", plain, more='metric = "rmse"', spec_only=True)
    misspelt = ("seperator: there is no such field; did you mean read.separator?",)
    yield Case("unknown_field", plain, {}, misspelt, more='seperator = ";"', spec_only=True)
    named = ("'My Model' is not made of lower-case letters",)
    yield Case("upper_name", plain, {}, named, more='name = "My Model"', spec_only=True)
    folder = ("Is a directory", "name the files by a pattern")
    yield Case("folder_source", plain, {}, folder, more='source = "."', spec_only=True)
    url = "http://127.0.0.1:9/data.csv"
    refused = ("check the address",)
    yield Case("url_source", plain, {}, refused, more=f'source = "{url}"', spec_only=True)
    time = 'drop = ["id"]\n[split]\nmethod = "time"\nby = ["id"]'
    yield Case("time_split", days, {}, ('write time = "id"',), more=time, spec_only=True)


def _others(rows: list[Row], changed: Callable[..., str], frame: pd.DataFrame) -> Iterator[Case]:
    plain = _text(rows)
    yield Case("excel_utf16", _text(rows, separator="\t").encode("utf-16"), says=("separator tab",))
    yield Case("bars", _text(rows, separator="|"), says=("separator '|'",))
    owned = {"owner's size": "numeric", "colour": "categorical"}
    yield Case("apostrophe", plain.replace("size", "owner's size", 1), owned)
    yield Case("trailing_commas", plain.replace("\n", ",\n"))
    json_lines = frame.to_json(orient="records", lines=True)
    yield Case("json_lines", json_lines, ending=".jsonl")
    yield Case("per_cent", changed(1, lambda _, size: f"{size}%"), says=("'%'",))
    answers = ["no", "yes", "No", "Yes"]
    twice = changed(2, lambda number, colour: answers[(colour == "red") + 2 * (number % 2)])
    boolean = {"size": "numeric", "colour": "boolean"}
    yield Case("yes_no_spelled_twice", twice, boolean)
    once = changed(2, lambda _, colour: answers[colour == "red"])
    yield Case("yes_no_in_a_column", once)
    german = changed(0, lambda number, _: f"{1 + number % 28:02d}.{1 + number // 28:02d}.2026")
    yield Case("dates_german", german, {"id": "datetime", **PLAIN}, ("dates: id",))
    months = changed(0, lambda number, _: f"{2015 + number // 12}-{1 + number % 12:02d}")
    yield Case("months", months, {"id": "datetime", **PLAIN}, ("dates are read as %Y-%m",))
    dots = changed(1, lambda number, size: size if number % 5 else ".")
    said = ("'.' in 12 cells of size means no value",)
    yield Case("dots", dots, says=said, refused_by_spec=("line 2 says '.'",), explained=0.6)
    yield Case(
        "marks_in_the_target",
        changed(3, lambda number, price: price if number % 9 else "-"),
        says=("'-' in 7 cells of price means no value", "7 rows have none and are left out"),
        refused_by_spec=("line 2 says '-'",),
    )
    errors = changed(2, lambda number, colour: colour if number % 5 else "#NV")
    said = ("'#NV' in 12 cells of colour means no value",)
    yield Case("excel_errors", errors, says=said)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    yield Case("lfs_pointer", pointer, {}, ("a pointer of Git LFS", "git lfs pull"))
    carets = _text(rows, separator="^")
    yield Case("carets", carets, {}, ("all cells are in one column", "read.separator"))
    neither = changed(0, lambda number, _: f"{1 + number % 12:02d}/{1 + number // 12:02d}/2026")
    day_or_month = ("no cell tells whether the day or the month comes first", "date_format")
    yield Case("dates_ambiguous", neither, {}, day_or_month)


def write_case(case: Case, folder: Path) -> tuple[Path, Path]:
    """Write a case's table and its spec; return both paths."""
    table = folder / (case.name + case.ending)
    if isinstance(case.content, str):
        table.write_bytes(case.content.encode())
    elif case.content is not None:
        table.write_bytes(case.content)
    fields = {
        "name": case.name,
        "source": table.name,
        "target": case.target,
        "task": case.task,
    }
    stated = case.more.partition(" = ")[0]
    lines = [f'{key} = "{value}"' for key, value in fields.items() if key != stated]
    spec = folder / f"{case.name}.toml"
    spec.write_text("\n".join([*lines, case.more]) + "\n")
    return table, spec
