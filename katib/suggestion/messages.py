"""The messages of Katib's services and of gRPC's health check, made at run time.

What matters on the wire is each field's number and type. The tables below have them as Katib v0.19
has (pkg/apis/manager/v1beta1/api.proto), as far as our services read or write them; other fields
are ignored. Enumerations are the int32 that they are on the wire. Code that protoc writes would
belong to one version of protobuf, and the stubs that `kubeflow-katib` ships need the Kubernetes
client and an old protobuf.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "api.v1.beta1"
HEALTH_PACKAGE = "grpc.health.v1"
Fields = Mapping[str, tuple[int, str]]

# message -> field -> (number, type); "[x]" is repeated. A name with a dot is a message that lies
# within the one before the dot.
_NAMED: Fields = {"name": (1, "string"), "value": (2, "string")}
_ASSIGNMENTS: Fields = {"assignments": (1, "[ParameterAssignment]")}
KATIB: Mapping[str, Fields] = {
    "Experiment": {"name": (1, "string"), "spec": (2, "ExperimentSpec")},
    "ExperimentSpec": {
        "parameter_specs": (1, "ExperimentSpec.ParameterSpecs"),
        "objective": (2, "ObjectiveSpec"),
        "algorithm": (3, "AlgorithmSpec"),
        "early_stopping": (4, "EarlyStoppingSpec"),
        "parallel_trial_count": (5, "int32"),
        "max_trial_count": (6, "int32"),
    },
    "ExperimentSpec.ParameterSpecs": {"parameters": (1, "[ParameterSpec]")},
    "ParameterSpec": {
        "name": (1, "string"),
        "parameter_type": (2, "int32"),
        "feasible_space": (3, "FeasibleSpace"),
    },
    "FeasibleSpace": {
        "max": (1, "string"),
        "min": (2, "string"),
        "list": (3, "[string]"),
        "step": (4, "string"),
        "distribution": (5, "int32"),
    },
    "ObjectiveSpec": {"type": (1, "int32"), "objective_metric_name": (3, "string")},
    "AlgorithmSpec": {
        "algorithm_name": (1, "string"),
        "algorithm_settings": (2, "[AlgorithmSetting]"),
    },
    "AlgorithmSetting": _NAMED,
    "EarlyStoppingSpec": {
        "algorithm_name": (1, "string"),
        "algorithm_settings": (2, "[EarlyStoppingSetting]"),
    },
    "EarlyStoppingSetting": _NAMED,
    "Trial": {"name": (1, "string"), "spec": (2, "TrialSpec"), "status": (3, "TrialStatus")},
    "TrialSpec": {
        "objective": (2, "ObjectiveSpec"),
        "parameter_assignments": (3, "TrialSpec.ParameterAssignments"),
    },
    "TrialSpec.ParameterAssignments": _ASSIGNMENTS,
    "ParameterAssignment": _NAMED,
    "TrialStatus": {
        "start_time": (1, "string"),
        "condition": (3, "int32"),
        "observation": (4, "Observation"),
    },
    "Observation": {"metrics": (1, "[Metric]")},
    "Metric": _NAMED,
    "GetSuggestionsRequest": {
        "experiment": (1, "Experiment"),
        "trials": (2, "[Trial]"),
        "current_request_number": (4, "int32"),
        "total_request_number": (5, "int32"),
    },
    "GetSuggestionsReply": {
        "parameter_assignments": (1, "[GetSuggestionsReply.ParameterAssignments]"),
        "algorithm": (2, "AlgorithmSpec"),
    },
    "GetSuggestionsReply.ParameterAssignments": {**_ASSIGNMENTS, "trial_name": (2, "string")},
    "ValidateAlgorithmSettingsRequest": {"experiment": (1, "Experiment")},
    "ValidateAlgorithmSettingsReply": {},
    "GetEarlyStoppingRulesRequest": {
        "experiment": (1, "Experiment"),
        "trials": (2, "[Trial]"),
        "db_manager_address": (3, "string"),
    },
    "GetEarlyStoppingRulesReply": {"early_stopping_rules": (1, "[EarlyStoppingRule]")},
    "EarlyStoppingRule": {
        "name": (1, "string"),
        "value": (2, "string"),
        "comparison": (3, "int32"),
        "start_step": (4, "int32"),
    },
    "ValidateEarlyStoppingSettingsRequest": {"early_stopping": (1, "EarlyStoppingSpec")},
    "ValidateEarlyStoppingSettingsReply": {},
    "SetTrialStatusRequest": {"trial_name": (1, "string")},
    "SetTrialStatusReply": {},
    "GetObservationLogRequest": {
        "trial_name": (1, "string"),
        "metric_name": (2, "string"),
        "start_time": (3, "string"),
        "end_time": (4, "string"),
    },
    "GetObservationLogReply": {"observation_log": (1, "ObservationLog")},
    "ReportObservationLogRequest": {
        "trial_name": (1, "string"),
        "observation_log": (2, "ObservationLog"),
    },
    "ReportObservationLogReply": {},
    "DeleteObservationLogRequest": {"trial_name": (1, "string")},
    "DeleteObservationLogReply": {},
    "ObservationLog": {"metric_logs": (1, "[MetricLog]")},
    "MetricLog": {"time_stamp": (1, "string"), "metric": (2, "Metric")},
}
HEALTH: Mapping[str, Fields] = {
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "int32")},
}
_Field = descriptor_pb2.FieldDescriptorProto
Message = Any  # protobuf has no types


def message_classes(package: str, messages: Mapping[str, Fields]) -> Mapping[str, type[Message]]:
    """Return message classes by name.

    They come from a pool of their own, as other clients in the process may have their own messages
    of the same names.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tunegate/{package}.proto", package=package, syntax="proto3"
    )
    made: dict[str, Message] = {}
    for name, fields in messages.items():
        outer, _, inner = name.rpartition(".")
        siblings = made[outer].nested_type if outer else file.message_type
        made[name] = siblings.add(name=inner)
        for field, (number, kind) in fields.items():
            made[name].field.append(_message_field(package, field, number, kind))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{package}.{name}")) for name in messages}


def _message_field(package: str, name: str, number: int, kind: str) -> Message:
    field = _Field(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind.startswith("["):
        field.label = _Field.LABEL_REPEATED
    plain = kind.strip("[]")
    if plain[0].isupper():
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{package}.{plain}"
    else:
        field.type = getattr(_Field, f"TYPE_{plain.upper()}")
    return field
