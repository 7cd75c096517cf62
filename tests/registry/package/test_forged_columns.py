"""Columns that no trainer writes: loading refuses them, before a server makes room for them."""

from pathlib import Path
from typing import Any

import pytest
from support.registry.packages import COLUMNS, edit_manifest, write_houses

from registry import PackageError
from registry.package import Column, load_package
from registry.package.column_kinds.dates import LATEST
from registry.package.column_kinds.texts import MAX_BUCKETS
from registry.package.columns import MAX_CATEGORIES

MANY = [f"c{i}" for i in range(MAX_CATEGORIES + 1)]
FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no category": ({"kind": "categorical"}, "0 categories"),
    "too many categories": ({"kind": "categorical", "categories": MANY}, "101 categories"),
    "a category twice": ({"kind": "categorical", "categories": ["a", "a"]}, "named twice"),
    "categories of numbers": ({"kind": "numeric", "categories": ["a"]}, "categories is not for"),
    "other numbers": ({"kind": "numeric", "other": True}, "other is not for"),
    "no part": ({"kind": "datetime"}, "each part must be named once"),
    "an unknown part": ({"kind": "datetime", "parts": ["elapsed", "moon"]}, "no part 'moon'"),
    "a part twice": ({"kind": "datetime", "parts": ["day", "day"]}, "each part must be named once"),
    "parts of a text": ({"kind": "text", "buckets": 9, "parts": ["day"]}, "parts is not for"),
    "a date beyond all years": (
        {"kind": "datetime", "parts": ["day"], "maximum": LATEST + 1},
        "no year of four digits",
    ),
    "no bucket": ({"kind": "text"}, "0 buckets"),
    "less than no bucket": ({"kind": "text", "buckets": -1}, "-1 buckets"),
    "too many buckets": ({"kind": "text", "buckets": MAX_BUCKETS + 1}, "1025 buckets"),
    "a billion buckets": ({"kind": "text", "buckets": 10**9}, "1000000000 buckets"),
    "buckets of a category": (
        {"kind": "categorical", "categories": ["a"], "buckets": 8},
        "buckets is not for",
    ),
    "an unknown kind": ({"kind": "image"}, "Invalid enum value 'image'"),
    "an unknown policy": ({"kind": "numeric", "on_unknown": "guess"}, "Invalid enum value 'guess'"),
}


@pytest.fixture
def intact_folder(tmp_path: Path) -> Path:
    write_houses(tmp_path / "package")
    return tmp_path / "package"


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_column_is_refused(intact_folder: Path, case: str) -> None:
    fields, message = FORGED[case]
    columns = [each.to_dict() for each in COLUMNS[:2]]
    edit_manifest(intact_folder, columns=[*columns, {"name": "zone", **fields}])
    with pytest.raises(PackageError, match=message):
        load_package(intact_folder)


def test_more_features_than_a_server_can_bear_are_refused(intact_folder: Path) -> None:
    texts = [{"name": f"t{i}", "kind": "text", "buckets": MAX_BUCKETS} for i in range(129)]
    edit_manifest(intact_folder, columns=texts)
    with pytest.raises(PackageError, match="132096 encoded features; at most 131072"):
        load_package(intact_folder)


@pytest.mark.parametrize(
    ("category", "rules"),
    [
        (" a", {"strip": True}),
        ("NA", {"missing": ["NA"]}),
        ("none", {"missing_in": {"zone": ["none"]}}),
    ],
)
def test_a_category_that_no_request_can_name_is_refused(
    intact_folder: Path, category: str, rules: dict[str, Any]
) -> None:
    zone = Column(name="zone", kind="categorical", categories=(category, "b"))
    columns = [each.to_dict() for each in (*COLUMNS[:2], zone)]
    edit_manifest(intact_folder, columns=columns, texts=rules)
    with pytest.raises(PackageError, match="column zone: no request can name"):
        load_package(intact_folder)
