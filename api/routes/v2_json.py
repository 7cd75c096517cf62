"""V2's requests and answers as JSON, with binary tensors after it where there are any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
)

from api.codecs.json_body import load_json
from api.codecs.tensor_bytes import pack, split, unpack
from api.codecs.tensor_json import json_tensor
from api.codecs.tensors import LARGEST, Tensor, fault
from api.problems import BAD_REQUEST, MAX_ERRORS, UNFIT, UNPROCESSABLE, Problem, read_all
from api.routes.open_inference import InferRequest, RequestedOutput
from api.routes.replies import encode_json

# Encoding refuses half of a surrogate pair, which is no text.
Text = Annotated[StrictStr, AfterValidator(lambda text: text.encode().decode())]
Parameters = dict[str, Any]
MAX_INPUTS = 10_000  # refused before each is looked at
SIZE = "binary_data_size"
BINARY = "binary_data"
ALL_BINARY = "binary_data_output"


class InputTensor(BaseModel):
    """An input: values in row-major order, flat or nested, or the size of bytes that follow."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    shape: list[StrictInt]
    datatype: Text
    data: list[Any] | None = None
    parameters: Parameters | None = None


class OutputName(BaseModel):
    """An output that is requested."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    parameters: Parameters | None = None


class InferenceRequest(BaseModel):
    """A request; KServe's client names the model here too, although the path names it."""

    model_config = ConfigDict(extra="forbid")

    id: Text | None = None
    model_name: Text | None = None
    model_version: Text | None = None
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=MAX_INPUTS)]
    outputs: list[OutputName] | None = None
    parameters: Parameters | None = None


class OutputTensor(BaseModel):
    """An output: values in row-major order, or their size in the bytes that follow."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] = []
    parameters: Parameters = {}


class InferenceResponse(BaseModel):
    """An answer."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


@dataclass(frozen=True, slots=True)
class PendingTensor:
    """An input whose bytes follow the JSON."""

    name: str
    datatype: str
    shape: Sequence[int]
    size: int


def parse_infer_request(body: bytes, header: str | None) -> InferRequest:
    """Read a request.

    Args:
        body: JSON, and then the binary tensors, if any.
        header: `Inference-Header-Content-Length`, the number of bytes of the JSON; None where
            nothing follows it.

    Raises:
        Problem: 400 for a wrong header, 422 for anything else.
    """
    length = _json_length(header, len(body))
    document = _validate(body if length == len(body) else body[:length])
    tensors = read_all(_read_input, document.inputs)
    pending = [tensor for tensor in tensors if isinstance(tensor, PendingTensor)]
    contents = iter(split(memoryview(body)[length:], [tensor.size for tensor in pending]))

    def fill(tensor: Tensor | PendingTensor) -> Tensor:
        if isinstance(tensor, PendingTensor):
            return unpack(tensor.name, tensor.datatype, tensor.shape, next(contents))
        return tensor

    inputs = read_all(fill, tensors)
    outputs = [
        RequestedOutput(each.name, _flag(each.parameters or {}, BINARY))
        for each in document.outputs or ()
    ]
    binary = _flag(document.parameters or {}, ALL_BINARY) or False
    return InferRequest(document.id or "", inputs, outputs, binary)


def format_infer_response(
    head: Mapping[str, Any], tensors: Sequence[Tensor], binary: Sequence[bool]
) -> tuple[bytes, int | None]:
    """Return an answer's body, and its JSON's length in bytes where binary tensors follow.

    Args:
        head: the answer without its outputs.
        tensors: the outputs.
        binary: which of them go as bytes.
    """
    contents: list[bytes] = []
    outputs: list[Parameters] = []
    for tensor, as_bytes in zip(tensors, binary, strict=True):
        output: Parameters = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": tensor.shape,
        }
        if as_bytes:
            contents.append(pack(tensor))
            output["parameters"] = {SIZE: len(contents[-1])}
        else:
            output["data"] = tensor.values.tolist()
        outputs.append(output)
    text = encode_json({**head, "outputs": outputs})
    return (text + b"".join(contents), len(text)) if any(binary) else (text, None)


def _json_length(header: str | None, size: int) -> int:
    if header is None:
        return size
    digits = header.isascii() and header.isdigit()
    if not digits or len(header) > len(str(size)) or int(header) > size:
        expected = f"the JSON's length in bytes is expected, of a body of {size}"
        detail = f"it is {header[:20]!r}; {expected}"
        raise Problem(BAD_REQUEST, "Inference-Header-Content-Length is wrong", detail)
    return int(header)


def _validate(text: bytes) -> InferenceRequest:
    try:
        return InferenceRequest.model_validate(load_json(text))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        errors = [
            {"field": ".".join(map(str, each["loc"])), "problem": each["msg"]}
            for each in details[:MAX_ERRORS]
        ]
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors) from error


def _read_input(tensor: InputTensor) -> Tensor | PendingTensor:
    size = (tensor.parameters or {}).get(SIZE)
    if tensor.data is None:
        if type(size) is not int or not 0 <= size <= LARGEST:
            fault(tensor.name, f"needs data, or {SIZE} as a number of bytes")
        return PendingTensor(tensor.name, tensor.datatype, tensor.shape, size)
    if size is not None:
        fault(tensor.name, f"has data, and {SIZE} too")
    return json_tensor(tensor.name, tensor.datatype, tensor.shape, tensor.data)


def _flag(parameters: Parameters, name: str) -> bool | None:
    """Return a parameter that is true or false, or None where it is not given."""
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        fault(name, "must be true or false")
    return value
