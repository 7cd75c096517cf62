"""Packages that earlier releases wrote: they load, and answer the same.

That is the same bytes, except where `exp` makes the answer: numpy computes it in another way on
another kind of processor, and the last bit of a share may differ.

`formats/1` was written and answered by the sources at the end of format 1 (`fbab72c`): regression
and classification, both learners, categories, gaps and booleans; `formats/3` by the sources that
first had linear models. A file is never written again; a
new format gets a folder of its own.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from api.limits import Limits
from api.routes.predict import parse_rows
from api.routes.replies import rows_reply
from api.serving.served import Served
from registry import Pointer
from registry.package import load_package

JsonObject = dict[str, Any]
EXP_ERROR = 2.0**-50  # of a share, as docs/models.md states it
FORMATS = Path(__file__).parent / "formats"
DIGESTS = {
    "1/boston": "7a875d3e8327c592db82991804c932e8e16eeb3291eff6825ee4a245b2945b3a",
    "1/deals": "c8a93ec3635d582a23895ebe9e5d50c2160d7f4e8f2549b03d8e67d3bbca84a4",
    "1/homes": "83b4479d5aa9e17e25adf21360595421504332fde63088ed28be7d32930aad3d",
    "1/iris": "961a2c513544f1461b2e75cb75f1f4ebb6c2cd332c7ce716c4b136d314f24d46",
    "3/boston": "65a9b12b45caac8329e2df32afa05a4460e3587d55c50a98eae1719307e15c73",
    "3/iris": "22e823f01d25f95ced67c8f1e8da08cfb49ac9a9463e930faa695a34e3b6e978",
}


def test_each_package_is_listed() -> None:
    assert sorted(
        path.relative_to(FORMATS).as_posix() for path in FORMATS.glob("*/*") if path.is_dir()
    ) == sorted(DIGESTS)


def assert_equal_but_for_exp(answers: list[JsonObject], expected: list[JsonObject]) -> None:
    for answer, right in zip(answers, expected, strict=True):
        shares = answer.pop("probabilities")
        assert shares == pytest.approx(right.pop("probabilities"), rel=0, abs=EXP_ERROR)
        assert answer == right


@pytest.mark.parametrize("name", DIGESTS)
def test_a_package_of_an_earlier_release_answers_the_same(name: str) -> None:
    package = load_package(FORMATS / name, digest=DIGESTS[name])
    assert package.manifest.format == int(name.partition("/")[0])
    pointer = Pointer(model=package.manifest.name, number=1, sha256=package.digest)
    served = Served.make(package, pointer)
    document = [dict(row) for row in package.golden.rows]
    body = json.dumps(document, ensure_ascii=False).encode()
    reply = rows_reply(served, parse_rows(served, body, Limits()))
    answered = (FORMATS / f"{name}.answer.json").read_bytes()
    if package.manifest.output.link == "identity":
        assert reply.payload == answered
    else:
        assert_equal_but_for_exp(json.loads(reply.payload), json.loads(answered))
    assert not reply.warnings
    # The fast path reads the rows too, unless it leaves them to the other.
    assert served.reader
    rows = served.reader.rows(
        json.dumps([dict(row) for row in package.golden.rows], ensure_ascii=False).encode()
    )
    assert rows is not None
    assert rows_reply(served, rows).payload == reply.payload
