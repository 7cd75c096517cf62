"""A fixed corpus of malformed requests.

Each is answered without a 5xx or a silent 200, with a problem to read, on a connection that stays
open.
"""

import json
import math
import re
import socket
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPResponse
from typing import Any, Self, cast

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from support.patience import patience
from support.serving.malformed import DATATYPES, GOOD, NAMES, Case, good, malformed, post
from support.serving.servers import Running, put, running

from registry import ModelStore
from registry.package import ModelPackage
from trainer.text_rules import MISSING_TEXTS

MALFORMED = malformed()
FINE = good()
ROW: dict[str, Any] = {name: json.loads(text) for name, text in GOOD.items()}
FLOAT32_MAX = float(np.finfo(np.float32).max)
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def servers(
    homes_server: Running, flowers: ModelPackage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Running]]:
    store = ModelStore(tmp_path_factory.mktemp("served") / "store")
    put(store, flowers)
    with running(store, "flowers") as server:
        yield {"homes": homes_server, "flowers": server}


class Connection:
    """A socket to a server, and answers read from it."""

    def __init__(self, server: Running) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=patience(20)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes, *, hangs_up: bool = False) -> None:
        try:
            self.socket.sendall(content)
        except (
            ConnectionError
        ):  # a server may hang up in the middle of nonsense; what it has said can still be read
            return
        if hangs_up:
            self.socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer | None:
        """Read an answer; None when there is none because the server has hung up."""
        response = HTTPResponse(self.socket)
        try:
            response.begin()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        except (BadStatusLine, ConnectionError):
            return None
        finally:
            response.close()


def good_request(model: str) -> bytes:
    return post(
        "/predict", json.dumps(ROW if model == "homes" else {"width": 0.5, "length": 1.5}).encode()
    )


def check_goes_on(connection: Connection, model: str, package: ModelPackage) -> None:
    """Send a good request, which must be answered as the package predicts."""
    connection.send(good_request(model))
    found = connection.answer()
    assert found
    assert found[0] == 200, found
    row = ROW if model == "homes" else {"width": 0.5, "length": 1.5}
    predicted = package.predict({name: [value] for name, value in row.items()})[0]
    classes = package.manifest.classes
    expected = classes[int(predicted.argmax())] if classes else float(predicted[0])
    assert json.loads(found[2])[package.manifest.prediction] == expected


def check_problem(case: Case, status: int, headers: dict[str, str], body: bytes) -> None:
    """Look for the field among the errors of a problem, or in the text of V2's error."""
    document = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["title"]
    if "error" in document:
        assert case.path.startswith("/v2") or b" /v2" in case.content
        assert isinstance(document["error"], str)
        assert case.named in document["error"]
        return
    if case.named:
        fields = [error["field"] for error in document.get("errors", [])]
        assert any(
            found == case.named or re.search(rf"[.\]]?{re.escape(case.named)}$", found)
            for found in fields
        )


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    names = [case.name for case in MALFORMED + FINE]
    assert len(MALFORMED) >= 80
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_a_malformed_request_is_refused_and_the_connection_goes_on(
    case: Case, servers: dict[str, Running], request: pytest.FixtureRequest
) -> None:
    package = request.getfixturevalue(case.model)
    with Connection(servers[case.model]) as connection:
        connection.send(case.request, hangs_up=case.hangs_up)
        found = connection.answer()
        if case.status == "none":
            assert found is None or 400 <= found[0] < 500 or found[0] == 501
        else:
            assert found
            assert re.fullmatch(case.status.replace("x", r"\d"), str(found[0])), found
            check_problem(case, *found)
        if case.status != "none" and found and found[1].get("connection") != "close":
            check_goes_on(connection, case.model, package)
    with Connection(servers[case.model]) as another:
        check_goes_on(another, case.model, package)


@pytest.mark.parametrize("case", FINE, ids=lambda case: case.name)
def test_an_odd_request_is_answered_as_the_package_predicts(
    case: Case, servers: dict[str, Running], homes: ModelPackage
) -> None:
    with Connection(servers[case.model]) as connection:
        connection.send(case.request)
        found = connection.answer()
        assert found
        assert found[0] == 200, found
        assert numbers(json.loads(found[2])) == predictions(homes, [list(row) for row in case.rows])
        check_goes_on(connection, case.model, homes)


def test_a_body_in_chunks_is_read(servers: dict[str, Running], homes: ModelPackage) -> None:
    body = json.dumps(ROW).encode()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:8], body[8:])
    )
    with Connection(servers["homes"]) as connection:
        connection.send(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunks
            + b"0\r\n\r\n"
        )
        found = connection.answer()
        assert found
        assert numbers(json.loads(found[2])) == predictions(homes, [list(ROW.values())])
        check_goes_on(connection, "homes", homes)


def test_no_malformed_request_was_an_error_of_the_servers(servers: dict[str, Running]) -> None:
    for case in MALFORMED:
        with Connection(servers[case.model]) as connection:
            connection.send(case.request, hangs_up=case.hangs_up)
            connection.answer()
    assert all("Traceback" not in server.log_text() for server in servers.values())


def numbers(document: Any) -> list[float]:  # noqa: ANN401 - JSON
    """Return the predicted numbers of any route's answer for `homes`."""
    if isinstance(document, list):
        return [each["predicted_price"] for each in document]
    if "predictions" in document:
        return cast("list[float]", document["predictions"])
    if "outputs" in document:
        return cast("list[float]", document["outputs"][0]["data"])
    return [document["predicted_price"]]


def predictions(package: ModelPackage, rows: list[list[Any]]) -> list[float]:
    table = {name: [row[i] for row in rows] for i, name in enumerate(NAMES)}
    return [float(value) for value in package.predict(table)[:, 0]]


# What follows reads a row on its own, in the plainest way, and asks the server for the same
# judgement.


def cell_fits(name: str, value: Any) -> bool:  # noqa: ANN401 - JSON
    if name == "garden":
        return isinstance(value, bool)
    if name == "region":
        return value in ("east", "north", "south") and isinstance(value, str)
    if value is None:
        return name == "age"
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX
    )


def without_marker(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Strip a text; one that means a missing value is none."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return None if text in MISSING_TEXTS else text


def read_row(document: Any) -> list[Any] | None:  # noqa: ANN401 - JSON
    """Return the four values of an object or a list; None where it is no row."""
    if isinstance(document, dict):
        if not set(NAMES) <= document.keys() <= {*NAMES, "note"}:
            return None
        document = [document[name] for name in NAMES]
    if not isinstance(document, list) or len(document) != len(NAMES):
        return None
    document = [without_marker(value) for value in document]
    return document if all(map(cell_fits, NAMES, document)) else None


def read_rows(documents: Any) -> list[list[Any]] | None:  # noqa: ANN401 - JSON
    if not isinstance(documents, list) or not documents:
        return None
    rows = [read_row(document) for document in documents]
    return None if None in rows else cast("list[list[Any]]", rows)


def read_predict(document: Any) -> list[list[Any]] | None:  # noqa: ANN401 - JSON
    return read_rows(document if isinstance(document, list) else [document])


def read_v1(document: Any) -> list[list[Any]] | None:  # noqa: ANN401 - JSON
    if isinstance(document, dict) and document.keys() == {"instances"}:
        return read_rows(document["instances"])
    return None


def read_v2(document: Any) -> list[list[Any]] | None:  # noqa: ANN401 - JSON
    """Read columns by what every client must get right.

    That is names, kinds, and as many values as the shape says.
    """
    try:
        columns = {tensor["name"]: flat(tensor["data"]) for tensor in document["inputs"]}
        sizes = [math.prod(tensor["shape"]) for tensor in document["inputs"]]
        kinds = [tensor["datatype"] for tensor in document["inputs"]]
        if (
            columns.keys() != set(NAMES)
            or len(sizes) != len(NAMES)
            or sizes != [len(c) for c in columns.values()]
        ):
            return None
        expected = [DATATYPES[name] for name in columns]
        if any(right not in (kind, "FP64") for kind, right in zip(kinds, expected, strict=True)):
            return None
        return read_rows(
            [list(cells) for cells in zip(*(columns[name] for name in NAMES), strict=True)]
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return None


def flat(data: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [leaf for part in data for leaf in (flat(part) if isinstance(part, list) else [part])]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
number = st.floats(-FLOAT32_MAX, FLOAT32_MAX) | st.integers(-1000, 1000)
cells: dict[str, SearchStrategy[Any]] = {
    "size": number,
    "age": number | st.none(),
    "region": st.sampled_from(["east", "north", "south"]),
    "garden": st.booleans(),
}


@st.composite
def row_like(draw: st.DrawFn) -> Any:  # noqa: ANN401 - JSON
    """Draw a good row, as object or list, with nothing or one thing wrong."""
    row: dict[str, Any] = {name: draw(cell) for name, cell in cells.items()}
    match draw(st.integers(0, 6)):
        case 0:
            row[draw(st.sampled_from(NAMES))] = draw(anything)
        case 1:
            row[draw(st.text(max_size=6) | st.just("note"))] = draw(anything)
        case 2:
            del row[draw(st.sampled_from(NAMES))]
        case 3 | 4:
            return list(row.values())
        case _:
            pass
    return row


@st.composite
def infer_like(draw: st.DrawFn) -> Any:  # noqa: ANN401 - JSON
    """Draw a good request of V2, with at most one thing in it exchanged for anything."""
    rows = draw(st.integers(1, 3))
    tensors = [
        {
            "name": name,
            "shape": [rows],
            "datatype": DATATYPES[name],
            "data": draw(st.lists(cell, min_size=rows, max_size=rows)),
        }
        for name, cell in cells.items()
    ]
    document: dict[str, Any] = {"inputs": tensors}
    tensor = draw(st.sampled_from(tensors))
    key = draw(st.sampled_from(["name", "shape", "datatype", "data"]))
    match draw(st.integers(0, 4)):
        case 0:
            tensor[key] = draw(anything)
        case 1:
            tensor["data"][draw(st.integers(0, rows - 1))] = draw(anything)
        case 2:
            tensor["shape"] = draw(st.lists(st.integers(-4, 4) | st.integers(), max_size=3))
        case 3:
            document[draw(st.text(max_size=6) | st.just("inputs"))] = draw(anything)
        case _:
            pass
    return document


ROUTES = {
    "/predict": (anything | row_like() | st.lists(row_like(), max_size=3), read_predict),
    "/v1/models/homes:predict": (
        anything
        | st.fixed_dictionaries({"instances": anything | st.lists(row_like(), max_size=3)}),
        read_v1,
    ),
    "/v2/models/homes/infer": (anything | infer_like(), read_v2),
}


def check_judgement(
    path: str,
    content: bytes,
    rows: list[list[Any]] | None,
    ask: httpx.Client,
    package: ModelPackage,
) -> None:
    """Send a body: it must be answered if and only if the reading above has found rows in it."""
    answer = ask.post(path, content=content)
    if rows is None:
        assert 400 <= answer.status_code < 500, answer.text
    elif path.startswith("/v2") and answer.status_code != 200:
        assert (
            answer.status_code == 422
        )  # stricter than this reading: about shapes, datatypes and other keys
    else:
        assert answer.status_code == 200, answer.text
        assert numbers(answer.json()) == predictions(package, rows)


def parse(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """Read strict JSON: UTF-8, a field once, no NaN.

    Raises:
        ValueError: where it is not.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a field twice")
        return dict(pairs)

    def never(text: str) -> None:
        raise ValueError(text)

    return json.loads(content.decode(), object_pairs_hook=once, parse_constant=never)


@pytest.mark.parametrize("path", ROUTES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_document_is_answered_only_where_it_is_a_request(
    path: str, data: st.DataObject, homes_server: Running, homes: ModelPackage
) -> None:
    strategy, read = ROUTES[path]
    document = data.draw(strategy)
    check_judgement(path, json.dumps(document).encode(), read(document), homes_server.client, homes)


PIECES = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"0",
    b"1e400",
    b"-",
    b".",
    b"e",
    b"null",
    b"true",
    b"NaN",
]
PIECES += [
    b"\\",
    b"\\u0073",
    b"size",
    b'"age": 1, ',
    b"\x00",
    b"\n",
    b"\xff",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
]
BODIES = {
    "/predict": (
        b'{"size": 80.5, "age": null, "region": "north", "garden": true, "note": [1, {"a": "b"}]}',
        read_predict,
    ),
    "/v1/models/homes:predict": (
        (
            b'{"instances": [[80.5, 12, "north", true], '
            b'{"size": 2e1, "age": null, "region": "east", "garden": false}]}'
        ),
        read_v1,
    ),
    "/v2/models/homes/infer": (
        json.dumps(
            {
                "inputs": [
                    {
                        "name": name,
                        "shape": [2],
                        "datatype": DATATYPES[name],
                        "data": [ROW[name]] * 2,
                    }
                    for name in NAMES
                ]
            }
        ).encode(),
        read_v2,
    ),
}


@pytest.mark.parametrize("path", BODIES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_text_is_answered_only_where_it_is_a_request(
    path: str, data: st.DataObject, homes_server: Running, homes: ModelPackage
) -> None:
    """Cut a few bytes out of a good body, and put others in their place."""
    content, read = BODIES[path]
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(content)))
        end = at + data.draw(st.integers(0, 6))
        content = (
            content[:at]
            + data.draw(st.sampled_from([b"", *PIECES]) | st.binary(max_size=2))
            + content[end:]
        )
    try:
        rows = read(parse(content))
    except (ValueError, RecursionError):
        rows = None
    check_judgement(path, content, rows, homes_server.client, homes)
