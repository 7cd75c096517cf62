"""Streamlit's own test harness, in `.peers/streamlit`: runs a page, reads it, changes it."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest
from ways import try_all


def page(asked: dict[str, Any]) -> AppTest:
    found = AppTest.from_string(asked["page"], default_timeout=300).run()
    assert not found.exception, found.exception
    return found


def first(asked: dict[str, Any]) -> dict[str, Any]:
    found = page(asked)
    widgets = [*found.number_input, *found.selectbox, *found.checkbox]
    return {
        "fields": {widget.label: widget.value for widget in widgets},
        "choices": {widget.label: widget.options for widget in found.selectbox},
        "answer": json.loads(found.json[0].value),
    }


def changed(asked: dict[str, Any]) -> dict[str, Any]:
    found = page(asked)
    row = asked["row"]
    for widget in [*found.number_input, *found.selectbox, *found.checkbox]:
        widget.set_value(row[widget.label])
    found.run()
    assert not found.exception, found.exception
    return dict(json.loads(found.json[0].value))


try_all({"first": first, "changed": changed})
