"""Small tables that data scientists meet every week, made by code, and what is right about each."""

import gzip
import io
import random
from collections.abc import Callable
from typing import Any

import pandas as pd

Row = list[Any]
HEADER = "id,size,colour,price"


def rows(count: int = 120) -> list[Row]:
    """Make rows whose price is 3 times the size, and 5 more where the colour is red."""
    chance = random.Random(1)  # noqa: S311 - a table, no secret
    made = []
    for number in range(1, count + 1):
        size = round(chance.uniform(1, 9), 3)
        colour = chance.choice(["red", "blue", "green"])
        made.append([number, size, colour, round(3 * size + 5 * (colour == "red"), 2)])
    return made


def text(made: list[Row], header: str = HEADER, separator: str = ",") -> str:
    lines = (separator.join(map(str, row)) for row in made)
    return "\n".join([header.replace(",", separator), *lines]) + "\n"


def changed(position: int, change: Callable[[int, Any], object], count: int = 120) -> str:
    """Return a table with one column's cells changed by `change(row number, cell)`."""
    return text(
        [
            [*row[:position], change(number, row[position]), *row[position + 1 :]]
            for number, row in enumerate(rows(count))
        ]
    )


def decimal_commas() -> str:
    return text(rows(), separator=";").replace(".", ",")


def parquet() -> bytes:
    sink = io.BytesIO()
    pd.DataFrame(rows(), columns=HEADER.split(",")).to_parquet(sink)
    return sink.getvalue()


def json_lines() -> str:
    frame = pd.DataFrame(rows(), columns=HEADER.split(","))
    return str(frame.to_json(orient="records", lines=True))


LEARNED: dict[str, tuple[str | bytes, dict[str, str]]] = {
    "plain": (text(rows()), {}),
    "semicolon": (text(rows(), separator=";"), {}),
    "tab": (text(rows(), separator="\t"), {}),
    "eurodecimal": (decimal_commas(), {}),
    "latin1": (text(rows()).replace("green", "grün").encode("latin-1"), {}),
    "excel_utf16": (text(rows(), separator="\t").encode("utf-16"), {}),
    "zipped": (gzip.compress(text(rows()).encode(), mtime=0), {}),
    "comment": ("# made by a tool\n" + text(rows()), {}),
    "thousands": (changed(1, lambda _, size: f'"{size * 1000:,.2f}"'), {}),
    "thousands_target": (changed(3, lambda _, price: f'"{price * 1000:,.2f}"'), {}),
    "currency_target": (changed(3, lambda _, price: f"${price}"), {}),
    "units": (changed(1, lambda _, size: f"{size} km"), {}),
    "per_cent": (changed(1, lambda _, size: f"{size}%"), {}),
    "blanks": (changed(1, lambda number, size: size if number % 40 else " "), {}),
    "leading_spaces": (text(rows()).replace(",", ", "), {}),
    "spaces_in_values": (changed(2, lambda number, colour: colour + " " * (number % 2)), {}),
    "newlines": (changed(2, lambda _, colour: f'"dark\n{colour}"'), {}),
    "true_false": (
        changed(
            2,
            lambda number, colour: str(colour == "red").upper() if number % 2 else colour == "red",
        ),
        {"colour": "boolean"},
    ),
    "yes_no_spelled_twice": (
        changed(
            2,
            lambda number, colour: ["no", "yes", "No", "Yes"][(colour == "red") + 2 * (number % 2)],
        ),
        {"colour": "boolean"},
    ),
    "yes_no": (changed(2, lambda _, colour: "yes" if colour == "red" else "no"), {}),
    "dates_iso": (
        changed(0, lambda number, _: f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}"),
        {"id": "datetime"},
    ),
    "dates_german": (
        changed(0, lambda number, _: f"{1 + number % 28:02d}.{1 + number // 28:02d}.2026"),
        {"id": "datetime"},
    ),
    "bom": (text(rows()).encode("utf-8-sig"), {}),
    "crlf": (text(rows()).replace("\n", "\r\n"), {}),
    "bars": (text(rows(), separator="|"), {}),
    "trailing_commas": (text(rows()).replace("\n", ",\n"), {}),
    "index_of_pandas": (text(rows(), header=",size,colour,price"), {}),
    "parquet": (parquet(), {}),
    "json_lines": (json_lines(), {}),
    "many_categories": (
        changed(0, lambda number, _: f"c{number % 110}", 900),
        {"id": "categorical"},
    ),
}

# Tables that could be learned wrongly, with the words that their refusal must say.
REFUSED: tuple[tuple[str, list[str]], ...] = (
    (
        changed(1, lambda number, size: size if number != 40 else "unknown"),
        ["column size: 119 of 120 cells are numbers; line 42 says 'unknown'"],
    ),
    (
        changed(1, lambda number, size: size if number % 10 else "n/a?"),
        ["108 of 120 cells are numbers; line 2 says 'n/a?' (and 11 more)"],
    ),
    (changed(3, lambda number, price: price if number % 9 else ""), ["14 of 120 cells"]),
    (changed(3, lambda _, price: "yes" if price > 17 else "no"), ['task = "classification"']),
    (changed(1, lambda number, size: size if number != 5 else "inf"), ["line 7 says 'inf'"]),
    (text([row[:3] if row[0] == 9 else row for row in rows()]), ["line 10 has 3 cells"]),
    (text([[*row, "x"] if row[0] == 9 else row for row in rows()]), ["line 10 has 5 cells"]),
    ("\n".join(text(rows()).splitlines()[1:]), ["no column price", "there is no header"]),
    (
        changed(0, lambda number, _: f"{1 + number % 12:02d}/{1 + number // 12:02d}/2026"),
        ["no cell tells whether the day or the month comes first", "date_format"],
    ),
    (text(rows(3)), ["too few rows"]),
)
