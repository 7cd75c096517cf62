"""Bad requests: never a 5xx, never a silent 200, and the field is named where there is one."""

import json
import socket
from typing import Any

import pytest
from support.patience import patience
from support.serving.servers import Running

from api.limits import Limits

ROW: dict[str, Any] = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
HUGE = "9" * 400


def text(**changes: str) -> bytes:
    """Return a row whose values are these JSON texts."""
    fields = {name: json.dumps(value) for name, value in ROW.items()} | changes
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in ROW.items() if key != name}).encode()


def named(name: str) -> bytes:
    """Return a row with one more field, whose name is this JSON text."""
    return text()[:-1] + b", " + name.encode() + b": 1}"


WRONG_FIELDS = {
    "NaN": (text(size="NaN"), "size"),
    "infinity": (text(size="Infinity"), "size"),
    "minus infinity": (text(size="-Infinity"), "size"),
    "a number beyond float64": (text(size="1e400"), "size"),
    "an integer beyond float64": (text(size=HUGE), "size"),
    "a number beyond float32": (text(size="3.5e38"), "size"),
    "a negative number beyond float32": (text(size="-3.5e38"), "size"),
    "null where nothing was ever missing": (text(size="null"), "size"),
    "NaN where null is allowed": (text(age="NaN"), "age"),
    "a number as text": (text(size='"0.5"'), "size"),
    "true for a number": (text(size="true"), "size"),
    "false for a number": (text(age="false"), "age"),
    "a list for a number": (text(size="[80.5]"), "size"),
    "an object for a number": (text(size='{"value": 80.5}'), "size"),
    "an empty text for a number": (text(size='""'), "size"),
    "a number for a flag": (text(garden="1"), "garden"),
    "a text for a flag": (text(garden='"true"'), "garden"),
    "null for a flag": (text(garden="null"), "garden"),
    "an unknown category": (text(region='"west"'), "region"),
    "a category in other letters": (text(region='"North"'), "region"),
    "a number for a category": (text(region="1"), "region"),
    "a lone surrogate for a category": (text(region='"\\ud800"'), "region"),
    "a lone surrogate for a number": (text(size='"\\udfff"'), "size"),
    "a NUL in a category": (text(region='"north\\u0000"'), "region"),
    "a missing number": (without("size"), "size"),
    "a missing number that may be null": (without("age"), "age"),
    "a missing category": (without("region"), "region"),
    "a missing flag": (without("garden"), "garden"),
    "an empty object": (b"{}", "garden"),
    "an unknown field": (named('"colour"'), "colour"),
    "a field in other letters": (named('"Size"'), "Size"),
    "a field with an empty name": (named('""'), ""),
    "the target": (named('"price"'), "price"),
    "an internal name": (named('"f0"'), "f0"),
    "a field twice": (named('"size"'), "size"),
    "a field twice, once escaped": (named('"\\u0073ize"'), "size"),
}
NOT_AN_OBJECT = {
    "a text": b'"size"',
    "a number": b"80.5",
    "null": b"null",
    "true": b"true",
}
NOT_JSON = {
    "an empty body": b"",
    "white space": b"  \n",
    "half a row": text()[:-1],
    "a row and a half": text() + b"{",
    "a comma too many": text()[:-1] + b",}",
    "single quotes": text().replace(b'"', b"'"),
    "a comment": b"/* row */" + text(),
    "a form": b"size=80.5&age=12",
    "a number with a leading zero": text(size="080"),
    "hexadecimal": text(size="0x50"),
    "a control character in a text": text(region='"no\nrth"'),
    "deep nesting": b"[" * 100_000,
    "deep nesting of objects": b'{"size":' * 50_000,
    "an integer of a hundred thousand digits": text(size="9" * 100_000),
    "a byte order mark": b"\xef\xbb\xbf" + text(),
    "UTF-16": text().decode().encode("utf-16"),
    "UTF-16 without a mark": text().decode().encode("utf-16-le"),
    "UTF-32": text().decode().encode("utf-32"),
    "Latin-1": '{"größe": 1}'.encode("latin-1"),
    "a surrogate in UTF-8": text(region='"\x00"').replace(b"\x00", b"\xed\xa0\x80"),
    "a field named by a lone surrogate": named('"\\ud800"'),
    "a field named by a lone surrogate, twice": named('"\\ud800"')[:-1] + b', "\\ud800": 2}',
    "bytes": bytes(range(256)),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


def problem(server: Running, body: bytes) -> dict[str, Any]:
    """Send a body and return the problem it is answered with."""
    answer = server.client.post(
        "/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == 422
    assert document["title"]
    return document


def test_the_row_that_all_others_are_made_of_is_good(homes_server: Running) -> None:
    assert homes_server.client.post("/predict", content=text()).status_code == 200


@pytest.mark.parametrize(("body", "field"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_wrong_field_is_named(homes_server: Running, body: bytes, field: str) -> None:
    errors = problem(homes_server, body)["errors"]
    assert field in [error["field"] for error in errors]
    assert all(error["problem"] for error in errors)


@pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
def test_anything_but_an_object_is_refused(homes_server: Running, body: bytes) -> None:
    assert problem(homes_server, body)["title"] == "A row must be a JSON object"


LISTS = {
    "of nothing": (b"[]", "of at least one"),
    "of a number": (b"[1]", "A row must be a JSON object"),
    "of too few values": (b"[[80.5, 12.0]]", "has 2 values; the model has 4 columns"),
    "of a wrong second row": (
        json.dumps([ROW, {**ROW, "size": "80"}]).encode(),
        '"field":"[1].size"',
    ),
}


@pytest.mark.parametrize(("body", "expected"), LISTS.values(), ids=LISTS)
def test_a_list_is_refused_for_its_first_wrong_row(
    homes_server: Running, body: bytes, expected: str
) -> None:
    assert expected in json.dumps(problem(homes_server, body), separators=(",", ":"))


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_in_utf_8_is_refused(homes_server: Running, body: bytes) -> None:
    assert problem(homes_server, body)["title"] == "The body is not JSON"


def test_all_wrong_fields_are_named_at_once(homes_server: Running) -> None:
    body = text(size="NaN", region='"west"', colour="1").replace(b'"garden": true', b'"x": 2')
    errors = problem(homes_server, body)["errors"]
    assert {error["field"] for error in errors} == {"size", "region", "garden", "colour", "x"}


def test_a_body_of_very_many_fields_is_answered_like_any_other(homes_server: Running) -> None:
    """As many as fit into the limit, one of them twice.

    This must not take time by the square of their number.
    """
    body = b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b',"0":1}'
    assert len(body) < 1 << 20
    assert [error["field"] for error in problem(homes_server, body)["errors"]] == ["0"]


def test_very_many_unknown_fields_are_answered_in_few_words(homes_server: Running) -> None:
    body = b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}"
    assert len(problem(homes_server, body)["errors"]) <= 100


@pytest.mark.parametrize("size", [Limits().body + 1, 64 << 20])
def test_a_body_that_is_too_large_is_refused(homes_server: Running, size: int) -> None:
    answer = homes_server.client.post("/predict", content=b" " * size)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_a_body_of_the_largest_size_is_read(homes_server: Running) -> None:
    body = text() + b" " * (Limits().body - len(text()))
    assert homes_server.client.post("/predict", content=body).status_code == 200


@pytest.mark.parametrize(
    "path", ["/predictt", "/predict/x", "/v1", "/%00", "/..%2f..%2fetc%2fpasswd"]
)
def test_a_wrong_path_is_not_found(homes_server: Running, path: str) -> None:
    answer = homes_server.client.post(path, content=text())
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_a_wrong_method_is_not_allowed(homes_server: Running, method: str) -> None:
    answer = homes_server.client.request(method, "/predict", content=text())
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "request_text",
    [
        b"NONSENSE\r\n\r\n",
        b"BREW /predict HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nonsense", "unknown method", "negative length", "length in words", "broken chunk"],
)
def test_what_is_not_http_is_refused(homes_server: Running, request_text: bytes) -> None:
    with socket.create_connection(
        ("127.0.0.1", int(homes_server.url.rpartition(":")[2])), timeout=patience(10)
    ) as connection:
        connection.sendall(request_text)
        answer = connection.recv(1 << 16)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or answer == b""


def test_a_client_that_leaves_in_the_middle_does_no_harm_and_is_no_error_of_ours(
    homes_server: Running,
) -> None:
    address = ("127.0.0.1", int(homes_server.url.rpartition(":")[2]))
    for _ in range(5):
        with socket.create_connection(address, timeout=patience(10)) as connection:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
            )
    for _ in range(5):
        assert homes_server.client.post("/predict", content=text()).status_code == 200
    assert "Traceback" not in homes_server.log_text()


def test_the_body_counts_and_not_the_name_of_its_type(homes_server: Running) -> None:
    for kind in ("text/plain", "application/json; charset=utf-16", ""):
        answer = homes_server.client.post(
            "/predict", content=text(), headers={"Content-Type": kind}
        )
        assert answer.status_code == 200


def test_bad_requests_leave_no_traceback_in_the_log(homes_server: Running) -> None:
    for body in [
        *(body for body, _ in WRONG_FIELDS.values()),
        *NOT_AN_OBJECT.values(),
        *NOT_JSON.values(),
    ]:
        homes_server.client.post("/predict", content=body)
    assert "Traceback" not in homes_server.log_text()
