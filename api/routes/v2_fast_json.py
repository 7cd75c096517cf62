"""V2's requests as JSON, read quickly where they are surely right.

msgspec does not see a field that is there twice. But each name and each text costs two quotation marks, so a body with
just as many as its fields and texts need has none twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.codecs.tensor_json import fast_values
from api.codecs.tensors import LARGEST, Tensor, fault
from api.problems import Problem
from api.routes.open_inference import Wanted

Parameters = Mapping[str, Any]
NAMES_OF_INPUT = 3
TEXTS_OF_INPUT = 2  # name, shape, datatype; of which the shape is no text
QUOTES = 2  # around a name, and around a text
ABSENT = msgspec.Raw()
SIZE = "binary_data_size"
BINARY = "binary_data"
ALL_BINARY = "binary_data_output"


@dataclass(frozen=True, slots=True)
class Later:
    """An input whose bytes follow the JSON."""

    name: str
    datatype: str
    shape: Sequence[int]
    size: int


@dataclass(frozen=True, slots=True)
class Document:
    """A request's JSON; an input is a tensor, or what is needed to read it from the bytes that follow."""

    inputs: Sequence[Tensor | Later]
    id: str = ""
    outputs: Sequence[Wanted] = ()
    parameters: Parameters = field(default_factory=dict)


class QuickInput(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An input, its data not yet read."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = ABSENT
    parameters: dict[str, bool | int | float | str] | UnsetType = UNSET


class QuickOutput(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An output that is asked for."""

    name: str
    parameters: dict[str, bool | int | float | str] | UnsetType = UNSET


class Quick(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A request."""

    inputs: list[QuickInput]
    id: str | UnsetType = UNSET
    model_name: str | UnsetType = UNSET
    model_version: str | UnsetType = UNSET
    outputs: list[QuickOutput] | UnsetType = UNSET
    parameters: dict[str, bool | int | float | str] | UnsetType = UNSET


DECODER = msgspec.json.Decoder(Quick)


def quick(text: bytes) -> Document | None:
    """Read JSON that is surely right; None where `slow` must look."""
    try:
        found = DECODER.decode(text)
        inputs = [_quick_input(each) for each in found.inputs]
        wanted = [
            Wanted(each.name, flag(each.parameters or {}, BINARY)) for each in found.outputs or ()
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Problem):
        return None
    sure = [part for part in inputs if part is not None]
    texts = sum(
        len(part.values) for part in sure if isinstance(part, Tensor) and part.datatype == "BYTES"
    )
    if not inputs or len(sure) < len(inputs) or text.count(b'"') != quotes(found, texts):
        return None
    return Document(sure, found.id or "", wanted, found.parameters or {})


def flag(parameters: Parameters, name: str) -> bool | None:
    """Return a parameter that is true or false, or None where it is not there.

    Raises:
        Problem: 422 where it is anything else.
    """
    found = parameters.get(name)
    if found is not None and not isinstance(found, bool):
        fault(name, "must be true or false")
    return found


def size(name: str, parameters: Parameters) -> int:
    """Return how many bytes of the tensor follow the JSON.

    Raises:
        Problem: 422 where that is not said.
    """
    found = parameters.get(SIZE)
    if type(found) is not int or not 0 <= found <= LARGEST:
        fault(name, f"needs data, or {SIZE} as a number of bytes")
    return found


def _quick_input(found: QuickInput) -> Tensor | Later | None:
    parameters = found.parameters or {}
    if found.data is ABSENT:
        return Later(found.name, found.datatype, found.shape, size(found.name, parameters))
    check_alone(found.name, parameters)
    return fast_values(found.name, found.datatype, found.shape, found.data)


def check_alone(name: str, parameters: Parameters) -> None:
    """Refuse a tensor that has data here and is said to have bytes that follow.

    Raises:
        Problem: 422.
    """
    if parameters.get(SIZE) is not None:
        fault(name, f"has data, and {SIZE} too")


def quotes(found: Quick, texts: int) -> int:
    """Return how many quotation marks a request needs whose tensors hold so many texts, if none has one in it."""
    outputs = found.outputs or ()
    names = 1 + (found.outputs is not UNSET) + len(outputs)
    for about in (found.id, found.model_name, found.model_version):
        if about is not UNSET:
            names = names + 1
            texts = texts + 1
    for each in found.inputs:
        names += NAMES_OF_INPUT + (each.data is not ABSENT)
    parameters = [
        each.parameters for each in (*found.inputs, *outputs, found) if each.parameters is not UNSET
    ]
    for found_here in parameters:
        names += 1 + len(found_here)
        texts += sum(isinstance(value, str) for value in found_here.values())
    return QUOTES * (names + texts + TEXTS_OF_INPUT * len(found.inputs) + len(outputs))
