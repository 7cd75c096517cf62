"""A line of the access log is safe to look at in a terminal."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from api.middleware.access_log import AccessLog, LogLine


def written(path: str) -> bytes:
    read, write = os.pipe()
    log = AccessLog(write)
    line = LogLine.make(
        at=0,
        seconds=0,
        client=None,
        method="GET",
        path=path,
        status=404,
        request_id="",
        model_version="",
        trace="",
    )
    log.write([line])
    log.close()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read()


@given(st.text(max_size=40) | st.text(st.characters(min_codepoint=0x7F, max_codepoint=0x9F)))
def test_a_path_is_logged_as_it_was_without_characters_that_control_a_terminal(path: str) -> None:
    line = written(path)
    assert json.loads(line)["path"] == path
    text = line.decode().removesuffix("\n")
    assert text.splitlines() == [text]
    assert not any(0x80 <= ord(character) <= 0x9F for character in text)
