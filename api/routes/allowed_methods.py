"""Which methods a path has, for the `Allow` header of a refusal (RFC 9110, section 15.5.6).

Starlette names those of the first route alone that has the path, and a path may have several: what
`/v1/models/{name}` takes for a name could be `prices:predict`.
"""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods of the path that names the most of a request's path, sorted.

    Args:
        routes: the application's.
        scope: the request's.
    """
    found = [
        route
        for route in routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
    ]
    if not found:
        return []
    closest = max(found, key=_named_letters).path_format
    methods = {
        method for route in found if route.path_format == closest for method in route.methods or ()
    }
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def _named_letters(route: Route) -> int:
    """Return how many letters of a path are the route's own."""
    names = sum(len(name) + 2 for name in route.param_convertors)  # and the brackets
    return len(route.path_format) - names
