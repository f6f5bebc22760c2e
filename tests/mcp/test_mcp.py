"""``katib mcp`` as an assistant's program has it: a process, spoken to over its standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

import pytest
import yaml

from katib.cli.main import main
from tests.cli.command_line import document
from tests.integrations.needs import needs

needs("mcp")

from mcp import Client, MCPError, StdioServerParameters

TEXT = yaml.safe_dump(document(script="echo loss=${trialParameters.x}; echo loss=9", maxTrialCount=3))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KATIB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KATIB_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@asynccontextmanager
async def connected(*words):
    """A client of a ``katib mcp`` of its own."""
    environment = {name: os.environ[name] for name in ("KATIB_HOME", "PATH")}
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "katib.cli.main", "mcp", *words], env=environment
    )
    async with Client(command, read_timeout_seconds=60) as client:
        yield client


async def ask(client, tool, **arguments):
    """A tool's answer; its error as a text."""
    answer = await client.call_tool(tool, arguments)
    return answer.content[0].text if answer.is_error else answer.structured_content


def test_from_a_draft_to_the_best_trial(home):
    async def work():
        async with connected() as client:
            assert await ask(client, "list_experiments") == {"experiments": []}
            wrong = await ask(client, "validate_experiment", text=TEXT.replace("random", "randon"))
            assert "line 7: spec.algorithm.algorithmName" in wrong
            assert "did you mean 'random'" in wrong
            assert (await ask(client, "validate_experiment", text=TEXT))["name"] == "exp"
            assert await ask(client, "list_experiments") == {"experiments": []}
            made = await ask(client, "create_experiment", text=TEXT)
            assert (made["condition"], made["trials"]) == ("Created", {})
            assert "katib resume exp" in made["next"]
            assert "there is an experiment 'exp' already" in await ask(client, "create_experiment", text=TEXT)
            assert (await ask(client, "best_trial", name="exp"))["why"] == "no trial has run"
            assert main(["resume", "exp"]) == 0
            (found,) = (await ask(client, "list_experiments", namespace="default"))["experiments"]
            assert (found["condition"], found["finished"]) == ("Succeeded", 3)
            best = (await ask(client, "best_trial", name="exp"))["best"]
            ranked = await ask(client, "list_trials", name="exp", best_first=True, limit=2)
            assert (ranked["found"], len(ranked["trials"])) == (3, 2)
            assert ranked["trials"][0]["trial"] == best["trial"] == found["bestTrial"]
            losses = [trial["metrics"]["loss"] for trial in ranked["trials"]]
            assert losses == sorted(losses)
            assert losses[0] == best["parameters"]["x"] == found["bestValue"]
            curve = await ask(client, "metric_curve", trial=best["trial"])
            assert [point["value"] for point in curve["points"]] == [losses[0], 9.0]
            assert await ask(client, "list_trials", name="exp", state="Failed") == {"trials": [], "found": 0}
            shown = await client.read_resource("katib://experiments/default/exp/best")
            assert shown.contents[0].text.startswith("# Best trial of exp\n")
            stored = await client.read_resource("katib://experiments/default/exp")
            assert yaml.safe_load(stored.contents[0].text)["spec"]["maxTrialCount"] == 3
            every = await client.read_resource("katib://experiments")
            assert json.loads(every.contents[0].text)["experiments"] == [found]

    asyncio.run(work())


def test_changes(server):
    async def change():
        async with Client(server()) as client:
            await ask(client, "create_experiment", text=TEXT)
            edited = await ask(client, "edit_budget", name="exp", max_trials=30, parallel=2)
            assert edited["budget"] == {"maxTrialCount": 30, "parallelTrialCount": 2, "maxFailedTrialCount": None}
            assert (await ask(client, "stop_experiment", name="exp"))["stopped"]
            assert (await ask(client, "get_experiment", name="exp"))["condition"] == "Stopped"
            assert await ask(client, "delete_experiment", name="exp") == {"deleted": True}
            assert await ask(client, "list_experiments") == {"experiments": []}

    asyncio.run(change())


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        pytest.param("get_experiment", {"name": "exq"}, "no experiment 'exq' in namespace 'default' (did", id="name"),
        pytest.param("metric_curve", {"trial": "exp-1"}, "no trial 'exp-1' in namespace 'default'", id="trial"),
        pytest.param("edit_budget", {"name": "exp"}, "nothing to change was given; expected one of max", id="nothing"),
        pytest.param("edit_budget", {"name": "exp", "parallel": 9}, "spec.parallelTrialCount", id="budget"),
        pytest.param("list_trials", {"name": "exp", "state": "Good"}, "Succeeded", id="state"),
        pytest.param("list_algorithms", {"name": "tpee"}, "did you mean 'tpe'", id="algorithm"),
        pytest.param("create_experiment", {"text": "a: &a [*a]"}, "line 1", id="yaml"),
        pytest.param("create_experiment", {"text": "kind: Job"}, "got 'Job', expected Experiment", id="kind"),
    ],
)
def test_errors_are_for_the_model_to_read(server, tool, arguments, message):
    async def fail():
        async with Client(server()) as client:
            await ask(client, "create_experiment", text=TEXT)
            return await ask(client, tool, **arguments)

    answer = asyncio.run(fail())
    assert message in answer


def test_tools_say_what_they_do(server):
    async def tools(read_only):
        async with Client(server(read_only=read_only)) as client:
            assert "tpe" in (await ask(client, "list_algorithms"))["algorithms"]
            settings = (await ask(client, "list_algorithms", name="tpe"))["settings"]
            assert "n_ei_candidates" in {setting["name"] for setting in settings}
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    every, readers = asyncio.run(tools(False)), asyncio.run(tools(True))
    assert all(tool.annotations.read_only_hint for tool in readers.values())
    writers = {name: tool.annotations.destructive_hint for name, tool in every.items() if name not in readers}
    assert writers == {
        "create_experiment": False,
        "stop_experiment": True,
        "edit_budget": True,
        "delete_experiment": True,
    }
    assert all(tool.description for tool in every.values())


def test_a_missing_experiment_is_no_resource(server):
    async def read():
        async with Client(server()) as client:
            with pytest.raises(MCPError, match="no experiment 'none' in namespace 'default'"):
                await client.read_resource("katib://experiments/default/none/best")

    asyncio.run(read())


@pytest.fixture
def server(tmp_path):
    """Makes servers in this process, over one store in memory each."""
    from katib.compose import Workshop
    from katib.mcp.experiments import Experiments
    from katib.mcp.server import make_server
    from katib.options import Options

    workshops = []

    def make(*, read_only=False):
        workshops.append(Workshop(Options(tmp_path, "memory://")))
        return make_server(Experiments(workshops[-1]), read_only=read_only)

    yield make
    for workshop in workshops:
        workshop.close()
