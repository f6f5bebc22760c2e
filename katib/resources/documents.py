"""Katib's Experiment, group kubeflow.org, version v1beta1. Field names are Katib's, in lowerCamelCase on the outside;
what each field says of itself is what ``katib explain`` prints. What belongs to an Experiment: ``trial_documents``."""

from __future__ import annotations

from pydantic import Field

from katib.core.experiment import ResumePolicy
from katib.core.priors import Distribution
from katib.resources.extensions import ParameterCondition, RetryPolicySpec
from katib.resources.shared_types import (
    AlgorithmSpec,
    Int32,
    MetricsCollectorSpec,
    Model,
    NamedValue,
    ObjectiveSpec,
    ObjectMeta,
    Observation,
    StatusCondition,
    Text,
    Tree,
    about,
)
from katib.resources.warm_start import WarmStartSpec

API_VERSION = "kubeflow.org/v1beta1"


class FeasibleSpace(Model):
    """The values of a parameter: min, max and step, or a list. distribution: uniform, logUniform, normal, logNormal."""

    min: Text | None = about("Smallest value, of double and int")
    max: Text | None = about("Largest value, of double and int")
    step: Text | None = about("Distance of the values that are tried, counted from min; an int has 1 unless given")
    values: list[Text] | None = about(
        "The values to choose from, of discrete (numbers) and categorical (any text)", alias="list"
    )
    distribution: Text | None = about(
        "How values of double and int are drawn; the log ones need min > 0",
        allowed=tuple(Distribution),
        default=Distribution.UNIFORM.value,
    )


class ParameterSpec(Model):
    """One dimension of the search space. parameterType: double, int, discrete or categorical."""

    name: Text | None = about("Name of the parameter; trialParameters refer to it")
    parameter_type: Text | None = about(
        "What its values are: numbers of a range, whole ones, numbers of a list, or texts of a list",
        allowed=("double", "int", "discrete", "categorical"),
    )
    feasible_space: FeasibleSpace | None = about("The values that it may have")
    default: Text | None = about("Value to try first, in a trial of all defaults. Beyond Katib")
    condition: ParameterCondition | None = about("When the parameter takes part; always unless given. Beyond Katib")


class GraphConfig(Model):
    """The outline of a network that is searched."""

    num_layers: Int32 | None = about("Number of layers of the network")
    input_sizes: list[Int32] | None = about("Shape of the input")
    output_sizes: list[Int32] | None = about("Shape of the output")


class Operation(Model):
    """A kind of layer, and the search space of its own parameters."""

    operation_type: Text | None = about("Kind of layer, as the training code knows it: convolution, reduction, ...")
    parameters: list[ParameterSpec] | None = about("Parameters of such a layer, each with its space")


class NasConfig(Model):
    """The search space of a neural architecture search."""

    graph_config: GraphConfig | None = about("Outline of the network: depth and sizes")
    operations: list[Operation] | None = about("Kinds of layers to choose from")


class ConfigMapSource(Model):
    """A template in a ConfigMap. templatePath: the key in its data."""

    config_map_name: Text | None = about(
        "Name of the ConfigMap; in local runs also the file or folder of that name beside the experiment"
    )
    config_map_namespace: Text | None = about("Namespace of the ConfigMap")
    template_path: Text | None = about("Key in the ConfigMap's data whose text is the template")


class TrialParameterSpec(Model):
    """``${trialParameters.<name>}`` in the template stands for ``reference``."""

    name: Text | None = about("Name in the template: ${trialParameters.NAME}")
    description: Text | None = about("What it is, for people")
    reference: Text | None = about(
        "The parameter that it stands for, or ${trialSpec.Name} (Namespace, Kind, Labels[x], ...) of the trial itself"
    )


class TrialTemplateSpec(Model):
    """The job of a trial, with placeholders. Either trialSpec or configMap is given."""

    trial_spec: Tree | None = about(
        "The job as a manifest with ${trialParameters.NAME} in its texts; this or configMap is given"
    )
    config_map: ConfigMapSource | None = about("Where the job's manifest is found instead of trialSpec")
    trial_parameters: list[TrialParameterSpec] | None = about("What stands for what in the template")
    primary_pod_labels: dict[str, Text] | None = about(
        "Labels of the pods whose metrics count, where a job has several kinds of pods"
    )
    primary_container_name: Text | None = about(
        "The container that trains: its command is what runs, its metrics are read"
    )
    success_condition: Text | None = about(
        "GJSON path into the live job; a match says that it succeeded. Known for usual kinds of jobs"
    )
    failure_condition: Text | None = about(
        "GJSON path into the live job; a match says that it failed. Tried before successCondition"
    )
    retain: bool | None = about("Whether the job (on a cluster) or its files are kept when the trial is over")


class ExperimentSpec(Model):
    """What the user asks for."""

    parameters: list[ParameterSpec] | None = about(
        "The search space: one entry for each parameter. This or nasConfig is given"
    )
    objective: ObjectiveSpec | None = about("What is optimised")
    algorithm: AlgorithmSpec | None = about("How the space is searched")
    early_stopping: AlgorithmSpec | None = about("Rule by which hopeless trials are ended early; none unless given")
    trial_template: TrialTemplateSpec | None = about("The job that a trial runs")
    parallel_trial_count: Int32 | None = about(
        "Most trials that run at a time; lowered to maxTrialCount if left out. May be edited later", default=3
    )
    max_trial_count: Int32 | None = about(
        "The experiment ends with success when so many trials are finished; no limit if left out. May be edited later"
    )
    max_failed_trial_count: Int32 | None = about(
        "The experiment fails when so many trials have failed (0 and 1 both mean the first); no limit if left out. May "
        "be edited later"
    )
    metrics_collector_spec: MetricsCollectorSpec | None = about(
        "How metrics are collected; what trials print is read unless given"
    )
    nas_config: NasConfig | None = about("The search space of an architecture search, instead of parameters")
    resume_policy: Text | None = about(
        "Whether an experiment that used up maxTrialCount can go on with more: no, or with its algorithm kept running "
        "(LongRunning) or started again (FromVolume)",
        allowed=tuple(ResumePolicy),
        default=ResumePolicy.NEVER.value,
    )
    constraints: list[Text] | None = about(
        "Expressions that must hold, of parameters (checked before a trial is started) or metrics (a trial that breaks "
        "one is no solution): lr * batch <= 1, `hidden-units` in (32, 64), latency < 50. Beyond Katib"
    )
    initial_trials: list[dict[str, Text]] | None = about(
        "Points to try first, each a mapping from parameters to values; what one leaves out has its default, else the "
        "middle of its range. Beyond Katib"
    )
    max_duration: Text | None = about(
        "The experiment ends with success when it has run so long, pauses not counted: 90s, 1h30m. Beyond Katib"
    )
    max_trial_duration: Text | None = about("An attempt of a trial that runs longer is ended: TimeOut. Beyond Katib")
    no_metric_timeout: Text | None = about("A trial that reports no metric for so long is ended: TimeOut. Beyond Katib")
    retry_policy: RetryPolicySpec | None = about("Which failures of a trial are tried again. Beyond Katib")
    seed: int | None = about("Seed of all random numbers; drawn at creation and kept unless given. Beyond Katib")
    repeats: Int32 | None = about(
        "Trials that run with the same parameters, whose mean is what counts: for noisy objectives. Beyond Katib",
        default=1,
    )
    warm_start: WarmStartSpec | None = about("Former experiments to learn from. Beyond Katib")


class Status(Model):
    """What the status of every kind has."""

    start_time: Text | None = about("When it began to run")
    completion_time: Text | None = about("When it ended; null before")
    last_reconcile_time: Text | None = about("When a cluster's controller looked at it last")
    conditions: list[StatusCondition] | None = about("What is true of it, the newest last")

    def holds(self, condition: str) -> StatusCondition | None:
        """The condition of that type if it is True."""
        found = (c for c in self.conditions or () if c.type == condition and c.status == "True")
        return next(found, None)


class OptimalTrial(Model):
    """The best trial so far."""

    best_trial_name: Text | None = about("Name of the best trial")
    parameter_assignments: list[NamedValue] | None = about("Its parameters")
    observation: Observation | None = about("Its metrics")


class ExperimentStatus(Status):
    """Counts and names of trials, and the best one."""

    current_optimal_trial: OptimalTrial | None = about("The best trial so far")
    running_trial_list: list[Text] | None = about("Names of trials that run")
    pending_trial_list: list[Text] | None = about("Names of trials that wait to be started")
    failed_trial_list: list[Text] | None = about("Names of trials that failed")
    succeeded_trial_list: list[Text] | None = about("Names of trials that succeeded")
    killed_trial_list: list[Text] | None = about("Names of trials that were stopped because the experiment was over")
    early_stopped_trial_list: list[Text] | None = about("Names of trials that were stopped early")
    metrics_unavailable_trial_list: list[Text] | None = about("Names of trials that gave no value of the objective")
    trials: Int32 | None = about("Number of trials")
    trials_succeeded: Int32 | None = about("Number of trials that succeeded")
    trials_failed: Int32 | None = about("Number of trials that failed")
    trials_killed: Int32 | None = about("Number of trials that were stopped because the experiment was over")
    trials_pending: Int32 | None = about("Number of trials that wait to be started")
    trials_running: Int32 | None = about("Number of trials that run")
    trials_early_stopped: Int32 | None = about("Number of trials that were stopped early")
    trial_metrics_unavailable: Int32 | None = about("Number of trials that gave no value of the objective")


class Resource(Model):
    """What every kind has. The status of a document that a user applies is ignored."""

    api_version: Text | None = about("Group and version of the kind", allowed=("kubeflow.org/v1beta1",))
    kind: Text | None = about("Experiment, Trial or Suggestion")
    metadata: ObjectMeta = Field(default_factory=ObjectMeta, description="Name, namespace and labels of the object")


class Experiment(Resource):
    """A search: space, objective, algorithm, budget and the job that evaluates one point."""

    spec: ExperimentSpec = Field(default_factory=ExperimentSpec, description="What is searched, and how")
    status: ExperimentStatus | None = about(
        "How it stands; written by the engine, ignored in a document that is applied"
    )
