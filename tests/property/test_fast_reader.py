"""The fast reader takes less than the strict one, and never anything else."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.registry.packages import manifest

from api.codecs.fast_rows import FastRowReader
from api.codecs.json_body import load_json
from api.codecs.rows import Cells, Encoder, Rows
from api.problems import Problem
from api.routes.row_schema import RowSchema
from registry.package import Column, Manifest, encode
from registry.package.columns import FLOAT32_MAX

COLUMNS = (
    Column(name="a", kind="numeric", minimum=0.0, maximum=1.0),
    Column(name="b c", kind="numeric", nullable=True),
    Column(name="ß", kind="boolean"),
    Column(name="d", kind="categorical", categories=("", "x", "größe", 'say "x"')),
    Column(name="e", kind="categorical", categories=("x", "y"), nullable=True),
    Column(name="f", kind="boolean", nullable=True),
)
SCHEMA = RowSchema(Manifest.checked({**manifest(columns=COLUMNS, ignored=("more",)), "files": {}}))
ENCODER = Encoder(COLUMNS)
READER = FastRowReader(ENCODER)

numbers = st.one_of(
    st.floats(width=64),
    st.integers(),
    st.sampled_from(
        [0, -0.0, 5e-324, FLOAT32_MAX, FLOAT32_MAX * (1 + 1e-9), 3.5e38, 2**63, 2**64 + 1, 10**309]
    ),
)
flags = st.booleans()
right = {
    "a": st.floats(-2, 2) | st.integers(-3, 3),
    "b c": st.none() | st.floats(-1e30, 1e30),
    "ß": flags,
    "d": st.sampled_from(COLUMNS[3].categories),
    "e": st.sampled_from([None, "x", "y"]),
    "f": st.none() | flags,
}
anything = st.one_of(
    numbers, flags, st.none(), st.sampled_from(["x", "y", "", "0.5", "größe", 'say "x"', "z"])
)
rows = st.one_of(
    st.fixed_dictionaries(right),
    st.fixed_dictionaries(
        {name: kind | anything for name, kind in right.items()}, optional={"more": anything}
    ),
    st.dictionaries(st.sampled_from([*right, "more", "A", "z"]), anything),
)


def strict(text: bytes) -> list[Cells] | None:
    """Read a body of `/predict` the slow way; None where it is refused."""
    try:
        document = load_json(text)
        return SCHEMA.rows(document, "") if isinstance(document, list) else [SCHEMA.row(document)]
    except Problem:
        return None


def same(fast: Rows | Cells | None, slow: list[Cells] | None) -> bool:
    """Equal to the last bit, once encoded."""
    if not fast or slow is None:
        return False
    x = fast.x.tobytes() if isinstance(fast, Rows) else ENCODER.pack(fast)
    return x == b"".join(map(ENCODER.pack, slow))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """JSON of a row or of several.

    Sometimes with a field twice, an escape, white space, or an end too much.
    """
    document = draw(st.one_of(rows, st.lists(rows, max_size=3)))
    text = json.dumps(
        document,
        ensure_ascii=draw(flags),
        separators=draw(st.sampled_from([(",", ":"), (" , ", " :\n")])),
    )
    if draw(st.integers(0, 3)) == 0 and "{" in text:
        field = draw(st.sampled_from(sorted(right)))
        value = draw(anything)
        text = text.replace("{", "{" + json.dumps(field) + ":" + json.dumps(value) + ",", 1)
    if draw(st.integers(0, 3)) == 0:
        text = text.replace('"a"', '"\\u0061"')
    return (
        draw(st.sampled_from(["", "", " "]))
        + text
        + draw(st.sampled_from(["", "", "\n", "]", "\x00"]))
    ).encode()


@settings(max_examples=1500, deadline=None)
@given(bodies())
@example(b'{"a":1,"a":1,"b c":null,"\xc3\x9f":true,"d":"x","e":null,"f":null}')
@example(b'{"a":1,"b c":null,"\xc3\x9f":true,"d":"x","e":"x","e":null,"f":null}')
@example(b'{"a":1,"b c":null,"\xc3\x9f":true,"d":"x","e":null,"f":null}')
@example(b"\xff")
def test_what_it_reads_is_what_the_strict_reader_reads(text: bytes) -> None:
    one = READER.row(text)
    many = READER.rows(text)
    assert not (one and many)
    if found := one or many:
        assert same(found, strict(text))


@given(st.lists(st.fixed_dictionaries(right), min_size=1, max_size=5))
def test_it_does_read_what_is_right_and_plain(documents: list[dict[str, Any]]) -> None:
    plain = [
        document | {"d": "größe"} for document in documents
    ]  # a quotation mark in a text is for the other reader
    for document in plain:
        assert READER.row(json.dumps(document, ensure_ascii=False).encode()) is not None
    assert READER.rows(json.dumps(plain).encode()) is not None
    listed = [[document[column.name] for column in COLUMNS] for document in plain]
    for instances in (plain, listed):
        found = READER.instances(json.dumps({"instances": instances}).encode())
        assert same(found, strict(json.dumps(plain).encode()))


@given(st.lists(st.fixed_dictionaries(right), min_size=1, max_size=5))
def test_rows_are_encoded_as_the_package_encodes_a_table(documents: list[dict[str, Any]]) -> None:
    cells = [tuple(document[column.name] for column in COLUMNS) for document in documents]
    table = {column.name: [document[column.name] for document in documents] for column in COLUMNS}
    expected = encode(COLUMNS, table)
    assert ENCODER.rows(cells).x.tobytes() == expected.tobytes()
    assert b"".join(map(ENCODER.pack, cells)) == expected.tobytes()


@settings(max_examples=300, deadline=None)
@given(st.integers(200, 300), st.data())
def test_many_rows_of_numbers_are_read_as_few_are(n: int, data: st.DataObject) -> None:
    """Without an object for each row.

    A single wrong value anywhere, and the strict reader must look.
    """
    columns = tuple(Column(name=name, kind="numeric", minimum=0.0, maximum=1.0) for name in "abc")
    reader = FastRowReader(Encoder(columns))
    rows: list[list[Any]] = [[i / 7, -i, 1e-3 * i] for i in range(n)]
    found = reader.instances(json.dumps({"instances": rows}).encode())
    assert isinstance(found, Rows)
    assert (
        found.x.tobytes()
        == encode(columns, dict(zip("abc", zip(*rows, strict=True), strict=True))).tobytes()
    )
    assert len(found.warnings) == 20
    wrong = data.draw(st.sampled_from([True, None, "1", 3.5e38, [1.0], {}, 10**400]))
    rows[data.draw(st.integers(0, n - 1))][data.draw(st.integers(0, 2))] = wrong
    assert reader.instances(json.dumps({"instances": rows}).encode()) is None
    rows[0] = [1.0, 2.0]
    assert reader.instances(json.dumps({"instances": rows}).encode()) is None
