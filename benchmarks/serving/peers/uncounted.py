"""Our server without what counts, for `benchmarks.observing`.

    python uncounted.py [--nameless] serve …

Requests are not noted and predictions not counted, and no answer says the model's version; with
`--nameless`, nor the request's id.
"""

import sys

from starlette.types import Receive, Scope, Send

from api.middleware import request_log
from api.serving import served
from registry.package import ModelPackage
from registry.store import Pointer
from tunegate.cli import main

NAMELESS = "--nameless"
make = served.Served.make.__func__


def _make_plain(
    cls: type, package: ModelPackage, pointer: Pointer, _: object = ()
) -> served.Served:
    """Make a model without listeners, whose answers do not name it."""
    found = make(cls, package, pointer, ())
    headers = [header for header in found.headers if header[0] != b"x-model-version"]
    object.__setattr__(found, "headers", headers)
    return found


async def _pass_on(
    self: request_log.LogRequests, scope: Scope, receive: Receive, send: Send
) -> None:
    await self.app(scope, receive, send)


request_log.RequestLog.add = lambda *_: None
served.Served.make = classmethod(_make_plain)
if NAMELESS in sys.argv:
    sys.argv.remove(NAMELESS)
    request_log.LogRequests.__call__ = _pass_on
main()
