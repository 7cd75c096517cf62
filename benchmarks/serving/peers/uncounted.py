"""Our server without what counts: `python uncounted.py [--nameless] serve …`; for `benchmarks.observing`.

Requests are not noted and predictions not counted, and no answer says the model's version; with `--nameless`, nor the
request's id.
"""

import sys

from api.middleware import fast_path, request_log
from api.serving import served as slot
from tunegate.cli import main

NAMELESS = "--nameless"


def _without_version(served: slot.Served) -> list[tuple[bytes, bytes]]:
    return [header for header in served.headers if header[0] != b"x-model-version"]


def _start_without_name(
    _: fast_path.Hot, status: int, headers: list[fast_path.Header], __: bytes
) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


make = slot.Served.make.__func__
request_log.Notes.add = lambda *_: None
slot.Served.make = classmethod(
    lambda cls, package, pointer, _=(): _plain(make(cls, package, pointer, ()))
)


def _plain(served: slot.Served) -> slot.Served:
    object.__setattr__(served, "headers", _without_version(served))
    return served


if NAMELESS in sys.argv:
    sys.argv.remove(NAMELESS)
    request_log.Identities.of = lambda *_: (b"", b"")
    fast_path.Hot._start = _start_without_name  # noqa: SLF001 - to leave it out is the point
main()
