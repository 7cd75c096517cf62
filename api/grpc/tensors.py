"""Reads and writes the tensors of the protocol's gRPC messages, with typed or raw contents."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.tensor_bytes import decode_texts, pack, unpack
from api.codecs.tensors import NUMBERS, Tensor, count, fault, faults, known
from api.grpc.messages import INFERENCE_MESSAGES, PACKAGE, Message, grpc_message_classes
from api.problems import UNFIT, UNPROCESSABLE, Problem, read_all
from api.routes.open_inference import InferRequest, RequestedOutput

INFERENCE = grpc_message_classes(PACKAGE, INFERENCE_MESSAGES)
CONTENTS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
WIDE: Mapping[str, type] = {
    "BOOL": np.bool_,
    "UINT64": np.uint64,
    "FP32": np.float32,
    "FP64": np.float64,
}


def read_infer_request(request: Message) -> InferRequest:
    """Read a `ModelInferRequest`; if its contents are raw, the answer's are to be raw too.

    Raises:
        Problem: 422 for what the protocol does not allow.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        detail = (
            f"{len(raw)} raw contents for {len(request.inputs)} inputs; each input needs its own"
        )
        raise Problem(UNPROCESSABLE, UNFIT, detail)
    if raw:
        pairs = zip(request.inputs, raw, strict=True)
        inputs = read_all(lambda pair: _raw_tensor(*pair), pairs)
    else:
        inputs = read_all(_typed_tensor, request.inputs)
    outputs = [RequestedOutput(each.name) for each in request.outputs]
    return InferRequest(request.id, inputs, outputs, binary=bool(raw))


def write_infer_response(head: Mapping[str, str], tensors: Sequence[Tensor], *, raw: bool) -> bytes:
    """Return a `ModelInferResponse` in bytes.

    Args:
        head: the fields that come before the tensors.
        tensors: the outputs.
        raw: whether their contents are to be raw.
    """
    response = INFERENCE["ModelInferResponse"](**head)
    for tensor in tensors:
        output = response.outputs.add(
            name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
        )
        if raw:
            response.raw_output_contents.append(pack(tensor))
        else:
            values = tensor.values.tolist()
            if tensor.datatype == "BYTES":
                values = [text.encode() for text in values]
            getattr(output.contents, CONTENTS[tensor.datatype]).extend(values)
    content: bytes = response.SerializeToString()
    return content


def _raw_tensor(tensor: Message, content: bytes) -> Tensor:
    if tensor.HasField("contents"):
        fault(tensor.name, "has contents, and raw contents too")
    return unpack(tensor.name, tensor.datatype, list(tensor.shape), content)


def _typed_tensor(tensor: Message) -> Tensor:
    name = tensor.name
    datatype = known(tensor.name, tensor.datatype)
    shape = list(tensor.shape)
    if datatype not in CONTENTS:
        fault(name, f"is {datatype}, which must be sent as raw contents")
    field = CONTENTS[datatype]
    n = count(name, shape)
    if others := [found.name for found, _ in tensor.contents.ListFields() if found.name != field]:
        fault(name, f"has {others[0]}; {field} is expected for {datatype}")
    values = getattr(tensor.contents, field)
    if len(values) != n:
        fault(name, f"has {len(values)} values for shape {shape}")
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, decode_texts(name, values))
    found: NDArray[Any] = np.fromiter(values, dtype=WIDE.get(datatype, np.int64), count=n)
    if datatype in {"INT8", "INT16", "UINT8", "UINT16"}:  # the field is wider
        limits = np.iinfo(NUMBERS[datatype])
        wrong = np.flatnonzero((found < limits.min) | (found > limits.max)).tolist()
        faults(name, dict.fromkeys(wrong, f"does not fit {datatype}"))
    return Tensor(name, datatype, shape, found)
