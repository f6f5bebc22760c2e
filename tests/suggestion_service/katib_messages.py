"""An experiment as a controller that knows only Katib's fields sends it."""

from __future__ import annotations

from suggestion_service.codec.experiment import decode_space
from suggestion_service.generated import api_pb2 as pb

Condition = pb.TrialStatus
PARAMETERS = [
    pb.ParameterSpec(name="lr", parameter_type=pb.DOUBLE, feasible_space={"min": "0.01", "max": "1.0"}),
    pb.ParameterSpec(name="epochs", parameter_type=pb.INT, feasible_space={"min": "1", "max": "9"}),
    pb.ParameterSpec(name="batch", parameter_type=pb.DISCRETE, feasible_space={"list": ["16", "32"]}),
    pb.ParameterSpec(name="optimizer", parameter_type=pb.CATEGORICAL, feasible_space={"list": ["sgd", "adam"]}),
]
SPACE = decode_space(PARAMETERS)


def experiment_of(algorithm, name="katib-exp", parallel=9, maximum=0, **settings):
    experiment = pb.Experiment(name=name)
    spec = experiment.spec
    spec.parameter_specs.parameters.extend(PARAMETERS)
    spec.objective.CopyFrom(pb.ObjectiveSpec(type=pb.MINIMIZE, objective_metric_name="loss"))
    spec.algorithm.algorithm_name = algorithm
    for key, value in settings.items():
        spec.algorithm.algorithm_settings.add(name=key, value=value)
    spec.parallel_trial_count, spec.max_trial_count = parallel, maximum
    return experiment
