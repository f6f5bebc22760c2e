"""The wire is Katib's: names, numbers and types of every field, written down here apart from the proto file."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from suggestion_service.generated import api_pb2 as pb

ROOT = Path(__file__).parents[2]

# Message: field = number: type. "*" marks a repeated field.
KATIB = """
Experiment: name=1 string, spec=2 ExperimentSpec
ExperimentSpec: parameter_specs=1 ParameterSpecs, objective=2 ObjectiveSpec, algorithm=3 AlgorithmSpec,
 early_stopping=4 EarlyStoppingSpec, parallel_trial_count=5 int32, max_trial_count=6 int32, nas_config=7 NasConfig
ExperimentSpec.ParameterSpecs: parameters=1 *ParameterSpec
ParameterSpec: name=1 string, parameter_type=2 ParameterType, feasible_space=3 FeasibleSpace
FeasibleSpace: max=1 string, min=2 string, list=3 *string, step=4 string, distribution=5 Distribution
ObjectiveSpec: type=1 ObjectiveType, goal=2 double, objective_metric_name=3 string, additional_metric_names=4 *string
AlgorithmSpec: algorithm_name=1 string, algorithm_settings=2 *AlgorithmSetting
AlgorithmSetting: name=1 string, value=2 string
EarlyStoppingSpec: algorithm_name=1 string, algorithm_settings=2 *EarlyStoppingSetting
EarlyStoppingSetting: name=1 string, value=2 string
NasConfig: graph_config=1 GraphConfig, operations=2 Operations
NasConfig.Operations: operation=1 *Operation
GraphConfig: num_layers=1 int32, input_sizes=2 *int32, output_sizes=3 *int32
Operation: operation_type=1 string, parameter_specs=2 ParameterSpecs
Operation.ParameterSpecs: parameters=1 *ParameterSpec
Trial: name=1 string, spec=2 TrialSpec, status=3 TrialStatus
TrialSpec: objective=2 ObjectiveSpec, parameter_assignments=3 ParameterAssignments, labels=4 *LabelsEntry
TrialSpec.ParameterAssignments: assignments=1 *ParameterAssignment
ParameterAssignment: name=1 string, value=2 string
TrialStatus: start_time=1 string, completion_time=2 string, condition=3 TrialConditionType, observation=4 Observation
Observation: metrics=1 *Metric
Metric: name=1 string, value=2 string
ObservationLog: metric_logs=1 *MetricLog
MetricLog: time_stamp=1 string, metric=2 Metric
ReportObservationLogRequest: trial_name=1 string, observation_log=2 ObservationLog
ReportObservationLogReply:
GetObservationLogRequest: trial_name=1 string, metric_name=2 string, start_time=3 string, end_time=4 string
GetObservationLogReply: observation_log=1 ObservationLog
DeleteObservationLogRequest: trial_name=1 string
DeleteObservationLogReply:
GetSuggestionsRequest: experiment=1 Experiment, trials=2 *Trial, current_request_number=4 int32,
 total_request_number=5 int32
GetSuggestionsReply: parameter_assignments=1 *ParameterAssignments, algorithm=2 AlgorithmSpec,
 early_stopping_rules=3 *EarlyStoppingRule
GetSuggestionsReply.ParameterAssignments: assignments=1 *ParameterAssignment, trial_name=2 string, labels=3 *LabelsEntry
ValidateAlgorithmSettingsRequest: experiment=1 Experiment
ValidateAlgorithmSettingsReply:
GetEarlyStoppingRulesRequest: experiment=1 Experiment, trials=2 *Trial, db_manager_address=3 string
GetEarlyStoppingRulesReply: early_stopping_rules=1 *EarlyStoppingRule
EarlyStoppingRule: name=1 string, value=2 string, comparison=3 ComparisonType, start_step=4 int32
ValidateEarlyStoppingSettingsRequest: early_stopping=1 EarlyStoppingSpec
ValidateEarlyStoppingSettingsReply:
SetTrialStatusRequest: trial_name=1 string
SetTrialStatusReply:
"""
ENUMS = {
    "ParameterType": "UNKNOWN_TYPE DOUBLE INT DISCRETE CATEGORICAL",
    "Distribution": "DISTRIBUTION_UNSPECIFIED UNIFORM LOG_UNIFORM NORMAL LOG_NORMAL",
    "ObjectiveType": "UNKNOWN MINIMIZE MAXIMIZE",
    "ComparisonType": "UNKNOWN_COMPARISON EQUAL LESS GREATER",
    "TrialStatus.TrialConditionType": "CREATED RUNNING SUCCEEDED KILLED FAILED METRICSUNAVAILABLE EARLYSTOPPED UNKNOWN",
}
SERVICES = {
    "DBManager": ["ReportObservationLog", "GetObservationLog", "DeleteObservationLog"],
    "Suggestion": ["GetSuggestions", "ValidateAlgorithmSettings"],
    "EarlyStopping": ["GetEarlyStoppingRules", "SetTrialStatus", "ValidateEarlyStoppingSettings"],
}
_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_DOUBLE: "double",
}


def rows():
    for line in KATIB.replace("\n ", " ").strip().splitlines():
        name, _, fields = line.partition(":")
        yield pytest.param(name, [field for field in fields.strip().split(", ") if field], id=name)


def without_json_names(file):
    """Generated code leaves them out, as they follow from the fields' names."""
    return [line for line in str(file).splitlines() if "json_name:" not in line]


def found(kind, path):
    holder = pb.DESCRIPTOR
    tables = {"message": "message_types_by_name", "enum": "enum_types_by_name"}
    nested = {"message": "nested_types_by_name", "enum": "enum_types_by_name"}
    *outer, last = path.split(".")
    for name in outer:
        holder = holder.message_types_by_name[name]
    return getattr(holder, (nested if outer else tables)[kind])[last]


def as_row(field):
    type_ = field.message_type or field.enum_type
    name = type_.name if type_ else _SCALARS[field.type]
    return f"{field.name}={field.number} {'*' if field.is_repeated else ''}{name}"


@pytest.mark.parametrize(("name", "expected"), list(rows()))
def test_fields_below_100_are_katibs(name, expected):
    fields = [field for field in found("message", name).fields if field.number < 100]

    assert sorted(map(as_row, fields)) == sorted(expected)


@pytest.mark.parametrize(("name", "values"), ENUMS.items(), ids=list(ENUMS))
def test_enums_are_katibs(name, values):
    numbers = {value.name: value.number for value in found("enum", name).values}

    assert numbers == {value: i for i, value in enumerate(values.split())}


@pytest.mark.parametrize(("name", "methods"), SERVICES.items(), ids=list(SERVICES))
def test_services_are_katibs(name, methods):
    service = pb.DESCRIPTOR.services_by_name[name]

    assert service.full_name == f"api.v1.beta1.{name}"
    assert [(m.name, m.input_type.name, m.output_type.name) for m in service.methods] == [
        (method, f"{method}Request", f"{method}Reply") for method in methods
    ]


def test_generated_code_is_that_of_the_proto_file(tmp_path):
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed")
    target = tmp_path / "api.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Isuggestion_service/generated=suggestion_service/proto"]
    subprocess.run(
        [*command, f"--descriptor_set_out={target}", "suggestion_service/generated/api.proto"], cwd=ROOT, check=True
    )

    committed = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(committed)
    compiled = FileDescriptorSet.FromString(target.read_bytes()).file[0]
    assert without_json_names(committed) == without_json_names(compiled)
