"""What routes depend on: the server's state, and the models that answer."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.problems import NOT_FOUND, UNAVAILABLE, Problem
from api.serving.served import Served, Slot, Slots
from api.serving.state import State


def get_state(request: Request) -> State:
    """Return the application's state."""
    state: State = request.app.state.serving
    return state


ServerState = Annotated[State, Depends(get_state)]


def require_served(slot: Slot) -> Served:
    """Return the model that serves; a request keeps it to its end.

    Raises:
        Problem: 503 where none does.
    """
    if slot.served is None:
        detail = slot.refused or slot.removed or "nothing has been promoted yet"
        raise Problem(UNAVAILABLE, "No model is loaded", detail)
    return slot.served


def require_model(slots: Slots, name: str) -> Served:
    """Return the model that serves under a name.

    Raises:
        Problem: 404 for an unknown name, 503 where nothing of it has been promoted yet.
    """
    if name not in slots:
        raise Problem(NOT_FOUND, "No such model", f"here serves {', '.join(slots)}")
    return require_served(slots[name])


def require_version(slots: Slots, name: str, version: str = "") -> Served:
    """Return the model that serves under a name and a version.

    Args:
        slots: all models.
        name: the model's.
        version: the package's digest, or the number of its promotion; empty for whichever serves.

    Raises:
        Problem: 404 where another model or version serves, 503 where none does.
    """
    served = require_model(slots, name)
    digest = served.package.digest
    number = str(served.pointer.number)
    if version and version not in {digest, number}:
        detail = f"of {name} serves {digest}, promotion {number}"
        raise Problem(NOT_FOUND, "No such version", detail)
    return served


def get_named_model(name: str, state: ServerState) -> Served:
    """Return the model that the path names; raises as `require_model` does."""
    return require_model(state.slots, name)


def get_named_version(name: str, version: str, state: ServerState) -> Served:
    """Return the model and version that the path names; raises as `require_version` does."""
    return require_version(state.slots, name, version)


NamedModel = Annotated[Served, Depends(get_named_model)]
NamedVersion = Annotated[Served, Depends(get_named_version)]
