"""V2's requests and answers as JSON, with binary tensors after it where there are any."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
)

from api.codecs.json_body import MAX_ERRORS, UNFIT, load
from api.codecs.tensor_bytes import pack, split, unpack
from api.codecs.tensor_json import values
from api.codecs.tensors import Tensor
from api.problems import BAD_REQUEST, UNPROCESSABLE, Problem
from api.routes.open_inference import Asked, Wanted
from api.routes.v2_fast_json import (
    ALL_BINARY,
    BINARY,
    SIZE,
    Document,
    Later,
    check_alone,
    flag,
    quick,
    size,
)

Text = Annotated[
    StrictStr, AfterValidator(lambda text: text.encode().decode())
]  # not half of a surrogate pair

MOST_INPUTS = 10_000  # refused before each is looked at


def read(body: bytes, header: str | None) -> Asked:
    """Read a request.

    Args:
        body: JSON, and then the binary tensors, if any.
        header: `Inference-Header-Content-Length`, how many bytes the JSON has; None where nothing follows it.

    Raises:
        Problem: 400 for a wrong header, 422 for anything else.
    """
    length = _length(header, len(body))
    text = body if length == len(body) else body[:length]
    document = quick(text) or slow(text)
    later = [part for part in document.inputs if isinstance(part, Later)]
    contents = iter(split(memoryview(body)[length:], [part.size for part in later]))
    inputs = [
        unpack(part.name, part.datatype, part.shape, next(contents))
        if isinstance(part, Later)
        else part
        for part in document.inputs
    ]
    return Asked(
        document.id, inputs, document.outputs, flag(document.parameters, ALL_BINARY) or False
    )


def _length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if (
        not (header.isascii() and header.isdigit())
        or len(header) > len(str(size))
        or int(header) > size
    ):
        detail = (
            f"it is {header[:20]!r}; the JSON's length in bytes is expected, of a body of {size}"
        )
        raise Problem(BAD_REQUEST, "Inference-Header-Content-Length is wrong", detail)
    return int(header)


def slow(text: bytes) -> Document:
    """Read JSON and say what is wrong with it.

    Raises:
        Problem: 422.
    """
    try:
        found = _Request.model_validate(load(text))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[
            :MAX_ERRORS
        ]
        errors = [{"field": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in details]
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors) from error
    return Document(
        [_slow_input(each) for each in found.inputs],
        found.id or "",
        [Wanted(each.name, flag(each.parameters or {}, BINARY)) for each in found.outputs or ()],
        found.parameters or {},
    )


def write(
    head: Mapping[str, Any], tensors: Sequence[Tensor], binary: Sequence[bool]
) -> tuple[bytes, int | None]:
    """Return an answer's body, and its JSON's length in bytes where binary tensors follow.

    Args:
        head: the answer without its outputs.
        tensors: the outputs.
        binary: which of them go as bytes.
    """
    contents = [pack(tensor) if each else b"" for tensor, each in zip(tensors, binary, strict=True)]
    written = [
        {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        | ({"parameters": {SIZE: len(content)}} if each else {"data": tensor.values.tolist()})
        for tensor, each, content in zip(tensors, binary, contents, strict=True)
    ]
    text = msgspec.json.encode({**head, "outputs": written})
    if any(binary):
        return (text + b"".join(contents), len(text))
    return (text, None)


class _Input(BaseModel):
    """An input: its values in row-major order, flat or nested, or their size in the bytes that follow."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    shape: list[StrictInt]
    datatype: Text
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Text
    parameters: dict[str, Any] | None = None


class _Request(BaseModel):
    """A request; KServe's client names the model here too, where the path has it already."""

    model_config = ConfigDict(extra="forbid")

    id: Text | None = None
    model_name: Text | None = None
    model_version: Text | None = None
    inputs: Annotated[list[_Input], Field(min_length=1, max_length=MOST_INPUTS)]
    outputs: list[_Output] | None = None
    parameters: dict[str, Any] | None = None


def _slow_input(found: _Input) -> Tensor | Later:
    if found.data is None:
        return Later(
            found.name, found.datatype, found.shape, size(found.name, found.parameters or {})
        )
    check_alone(found.name, found.parameters or {})
    return values(found.name, found.datatype, found.shape, found.data)
