"""The MCP server: tools and resources over ``katib.mcp.experiments``, on standard input and output."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field

from katib import __version__
from katib.compose import Workshop
from katib.core.errors import KatibError, MissingExtraError
from katib.core.trial import Key, TrialState
from katib.mcp.experiments import Answer, Experiments, algorithms, counts_of
from katib.options import Options

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ToolError
    from mcp.types import ToolAnnotations
except ModuleNotFoundError as error:
    raise MissingExtraError("mcp", "mcp") from error

Function = TypeVar("Function", bound=Callable[..., Any])

INSTRUCTIONS = (
    "Hyperparameter tuning with Katib Experiments. An experiment is a Katib v1beta1 Experiment in YAML: an objective, "
    "an algorithm, parameters and a trial template. Check a draft with validate_experiment, store it with "
    "create_experiment; a person (or `katib serve`) then runs it. Read results with best_trial, list_trials and "
    "metric_curve."
)

Name = Annotated[str, Field(description="Name of the experiment")]
Namespace = Annotated[str, Field(description="Its namespace")]
Text = Annotated[str, Field(description="A Katib v1beta1 Experiment as YAML; ConfigMaps with its template may follow")]
Limit = Annotated[int, Field(ge=2, le=1000, description="At most so many")]
Count = Annotated[int | None, Field(ge=0, description="Leave out what stays as it is")]

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_EDITS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def serve(options: Options, *, read_only: bool = False) -> None:
    """Serve until standard input ends. read_only: without the tools that change something."""
    with closing(Workshop(options)) as workshop:
        make_server(Experiments(workshop), read_only=read_only).run("stdio")


def make_server(experiments: Experiments, *, read_only: bool = False) -> MCPServer:
    """The server with its tools and resources."""
    server = MCPServer("katib", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    _add_readers(server, experiments)
    _add_trial_readers(server, experiments)
    _add_resources(server, experiments)
    if not read_only:
        _add_writers(server, experiments)
    return server


def _add_readers(server: MCPServer, experiments: Experiments) -> None:
    @_tool(server, _READS)
    def list_experiments(
        namespace: Annotated[str | None, Field(description="Leave out for all namespaces")] = None,
    ) -> Answer:
        """List experiments: how each stands, its budget, how many trials there are, and the best value."""
        return experiments.list(namespace)

    @_tool(server, _READS)
    def get_experiment(name: Name, namespace: Namespace = "default") -> Answer:
        """Show an experiment: how it stands, and its document."""
        return experiments.get(Key(namespace, name))

    @_tool(server, _READS)
    def validate_experiment(text: Text) -> Answer:
        """Check an Experiment without storing it. Errors name the line, the field, the value and what was expected."""
        return experiments.validate(text)

    @_tool(server, _READS)
    def list_algorithms(
        name: Annotated[
            str | None, Field(description="An algorithm, for its settings; leave out for all names")
        ] = None,
    ) -> Answer:
        """List search algorithms and early-stopping rules, or the settings of one: type, default, range."""
        return algorithms(name)


def _add_trial_readers(server: MCPServer, experiments: Experiments) -> None:
    @_tool(server, _READS)
    def best_trial(name: Name, namespace: Namespace = "default") -> Answer:
        """Report the best trial: parameters, metrics, seeds, files, the 95 % interval over repeats, and the command
        that runs it again."""
        return experiments.best(Key(namespace, name))

    @_tool(server, _READS)
    def list_trials(
        name: Name,
        namespace: Namespace = "default",
        state: Annotated[TrialState | None, Field(description="Only trials in this state")] = None,
        best_first: Annotated[bool, Field(description="Sorted by the objective, else by number")] = False,
        limit: Limit = 50,
    ) -> Answer:
        """List an experiment's trials: parameters, metrics, state, seconds, and why one failed."""
        return experiments.trials(Key(namespace, name), state.value if state else None, best_first, limit)

    @_tool(server, _READS)
    def metric_curve(
        trial: Annotated[str, Field(description="Name of the trial, as list_trials has it")],
        namespace: Namespace = "default",
        metric: Annotated[str | None, Field(description="Leave out for the objective")] = None,
        limit: Limit = 100,
    ) -> Answer:
        """Show what a trial reported of a metric, step by step; long curves are thinned."""
        return experiments.curve(namespace, trial, metric, limit)


def _add_writers(server: MCPServer, experiments: Experiments) -> None:
    @_tool(server, _ADDS)
    def create_experiment(text: Text) -> Answer:
        """Store a new experiment. It does not run yet: the answer has the command that runs it."""
        return experiments.create(text)

    @_tool(server, _EDITS)
    def stop_experiment(name: Name, namespace: Namespace = "default") -> Answer:
        """Stop an experiment: its running trials end now, and run again when somebody resumes it."""
        return experiments.stop(Key(namespace, name))

    @_tool(server, _EDITS)
    def edit_budget(
        name: Name,
        namespace: Namespace = "default",
        max_trials: Count = None,
        parallel: Count = None,
        max_failed: Count = None,
    ) -> Answer:
        """Change how many trials an experiment may have, run at a time, and see fail, as it runs or after its end."""
        given = {"maxTrialCount": max_trials, "parallelTrialCount": parallel, "maxFailedTrialCount": max_failed}
        return experiments.edit_budget(Key(namespace, name), counts_of(given))

    @_tool(server, _EDITS)
    def delete_experiment(name: Name, namespace: Namespace = "default") -> Answer:
        """Delete an experiment with all its trials, metrics and files. This cannot be undone."""
        return experiments.delete(Key(namespace, name))


def _add_resources(server: MCPServer, experiments: Experiments) -> None:
    @server.resource("katib://experiments", mime_type="application/json")
    @_told(ResourceError)
    def all_experiments() -> str:
        """All experiments, as list_experiments has them."""
        return json.dumps(experiments.list(None))

    @server.resource("katib://experiments/{namespace}/{name}", mime_type="application/yaml")
    @_told(ResourceError)
    def document(namespace: str, name: str) -> str:
        """An experiment's document."""
        found = experiments.get(Key(namespace, name))["document"]
        return yaml.safe_dump(found, sort_keys=False, allow_unicode=True)

    @server.resource("katib://experiments/{namespace}/{name}/best", mime_type="text/markdown")
    @_told(ResourceError)
    def best(namespace: str, name: str) -> str:
        """An experiment's best-trial report."""
        return experiments.best_page(Key(namespace, name))


def _tool(server: MCPServer, annotations: ToolAnnotations) -> Callable[[Function], Function]:
    """Register a tool."""
    return lambda function: server.tool(annotations=annotations)(_told(ToolError)(function))


def _told(kind: type[Exception]) -> Callable[[Function], Function]:
    """Our errors as ones that the model reads; what the library does not know it takes for a crash and hides."""

    def wrap(function: Function) -> Function:
        @functools.wraps(function)
        def told(*args: Any, **named: Any) -> Any:
            try:
                return function(*args, **named)
            except KatibError as error:
                raise kind(str(error)) from error

        return told  # type: ignore[return-value]

    return wrap
