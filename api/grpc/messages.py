"""The messages of the Open Inference Protocol over gRPC, made at run time.

Code that protoc writes belongs to one version of protobuf, and registers names that another client
in the same process registers too. All that matters on the wire is each field's number and type.
They are listed here as the protocol has them, and registered in a pool of their own.

Source: `open_inference_grpc.proto` in https://github.com/kserve/open-inference-protocol.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
CHOICE = "parameter_choice"
Fields = Mapping[str, tuple[int, str]]

# message -> field -> (number, type)
# "[x]" is repeated, "{x}" a map from strings, "?x" one of a choice.
_TENSOR: Fields = {
    "name": (1, "string"),
    "datatype": (2, "string"),
    "shape": (3, "[int64]"),
    "parameters": (4, "{InferParameter}"),
    "contents": (5, "InferTensorContents"),
}
_NAMED: Fields = {"name": (1, "string"), "version": (2, "string")}
INFERENCE_MESSAGES: Mapping[str, Fields] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": (1, "bool")},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": (1, "bool")},
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": {"ready": (1, "bool")},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {**_NAMED, "extensions": (3, "[string]")},
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "versions": (2, "[string]"),
        "platform": (3, "string"),
        "inputs": (4, "[ModelMetadataResponse.TensorMetadata]"),
        "outputs": (5, "[ModelMetadataResponse.TensorMetadata]"),
        "properties": (6, "{string}"),
    },
    "ModelMetadataResponse.TensorMetadata": {
        name: _TENSOR[name] for name in ("name", "datatype", "shape")
    },
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, "{InferParameter}"),
        "inputs": (5, "[ModelInferRequest.InferInputTensor]"),
        "outputs": (6, "[ModelInferRequest.InferRequestedOutputTensor]"),
        "raw_input_contents": (7, "[bytes]"),
    },
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": {
        "name": (1, "string"),
        "parameters": (2, "{InferParameter}"),
    },
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, "{InferParameter}"),
        "outputs": (5, "[ModelInferResponse.InferOutputTensor]"),
        "raw_output_contents": (6, "[bytes]"),
    },
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "InferParameter": {
        "bool_param": (1, "?bool"),
        "int64_param": (2, "?int64"),
        "string_param": (3, "?string"),
        "double_param": (4, "?double"),
        "uint64_param": (5, "?uint64"),
    },
    "InferTensorContents": {
        "bool_contents": (1, "[bool]"),
        "int_contents": (2, "[int32]"),
        "int64_contents": (3, "[int64]"),
        "uint_contents": (4, "[uint32]"),
        "uint64_contents": (5, "[uint64]"),
        "fp32_contents": (6, "[float]"),
        "fp64_contents": (7, "[double]"),
        "bytes_contents": (8, "[bytes]"),
    },
}
HEALTH_MESSAGES: Mapping[str, Fields] = {
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "int32")},  # an enumeration, on the wire an int32
}
_Field = descriptor_pb2.FieldDescriptorProto
Message = Any  # of a class made at run time, which has no types


def grpc_message_classes(package: str, messages: Mapping[str, Fields]) -> Mapping[str, Any]:
    """Return message classes by name.

    Args:
        package: the protobuf package.
        messages: fields by message; a name with a dot is nested in the message before the dot,
            which comes first.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tunegate/{package}.proto", package=package, syntax="proto3"
    )
    found: dict[str, Any] = {}
    for name, fields in messages.items():
        outer, _, inner = name.rpartition(".")
        siblings = found[outer].nested_type if outer else file.message_type
        found[name] = siblings.add(name=inner or name)
        for field, (number, kind) in fields.items():
            _add_field(found[name], f".{package}.", name, _Field(name=field, number=number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{package}.{name}")) for name in messages}


def _add_field(message: Message, package: str, name: str, field: Message, kind: str) -> None:
    if kind[0] in "[{":
        field.label = _Field.LABEL_REPEATED
    else:
        field.label = _Field.LABEL_OPTIONAL
    plain = kind.strip("[]{}?")
    if kind[0] == "{":
        entry = message.nested_type.add(
            name="".join(map(str.title, field.name.split("_"))) + "Entry"
        )
        entry.options.map_entry = True
        _add_field(entry, package, "", _Field(name="key", number=1), "string")
        _add_field(entry, package, "", _Field(name="value", number=2), plain)
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f"{package}{name}.{entry.name}"
    elif plain[0].isupper():
        field.type = _Field.TYPE_MESSAGE
        field.type_name = package + plain
    else:
        field.type = getattr(_Field, f"TYPE_{plain.upper()}")
    if kind[0] == "?":
        if not message.oneof_decl:
            message.oneof_decl.add(name=CHOICE)
        field.oneof_index = 0
    message.field.append(field)
