"""A client that has only the stubs of Katib's own protocol runs whole experiments against the three services, which are
killed and started again in the middle."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from algorithms import ALGORITHMS
from suggestion_service.generated import api_pb2 as pb
from tests.cli.command_line import started

ROOT = Path(__file__).parents[2]
CONTROLLER = Path(__file__).with_name("foreign_controller.py")

LR = {"name": "lr", "type": 1, "space": {"min": "0.01", "max": "1.0"}}
LAYERS = {"name": "layers", "type": 2, "space": {"min": "1", "max": "9"}}
OPTIMIZER = {"name": "optimizer", "type": 4, "space": {"list": ["sgd", "adam", "ftrl"]}}
SPACE = [LR, LAYERS, OPTIMIZER]
STEPPED = [{**LR, "space": {**LR["space"], "step": "0.33"}}, LAYERS]

# Algorithm -> settings, parameters, trials at a time, trials.
EXPERIMENTS = {
    "random": ({}, SPACE, 4, 24),
    "sobol": ({}, [LR, LAYERS], 4, 24),
    "tpe": ({"n_startup_trials": "6"}, SPACE, 4, 24),
    "multivariate-tpe": ({"n_startup_trials": "6"}, SPACE, 4, 24),
    "bayesianoptimization": ({"n_initial_points": "6"}, SPACE, 3, 15),
    "cmaes": ({}, [LR, LAYERS], 4, 24),
    "auto": ({"many_trials": "12"}, SPACE, 3, 24),
    "grid": ({}, STEPPED, 5, 27),
    "regularized-evolution": ({"population_size": "8", "sample_size": "4"}, SPACE, 4, 24),
    "enas": ({}, STEPPED, 4, 24),
    "local-search": ({"initial_points": "6"}, STEPPED, 4, 24),
    "hyperband": ({"r_l": "9", "eta": "3", "resource_name": "layers"}, SPACE, 9, 40),
    "pbt": (
        {"suggestion_trial_dir": "/opt/katib/data", "n_population": "8", "truncation_threshold": "0.25"},
        SPACE,
        4,
        40,
    ),
}

# One of each way to be asked: until nothing is left, with a model, with labels, with parents. The others are like tpe.
QUICK = ("grid", "tpe", "hyperband", "pbt")


def katibs_own() -> FileDescriptorProto:
    """The protocol without our fields, which are numbered from 100 up, and without what only they refer to."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.name = "api.proto"
    for message in file.message_type:
        strip(message)
    wanted = reachable(file)
    keep(file.message_type, lambda message: message.name in wanted)
    return file


def strip(message):
    for nested in message.nested_type:
        strip(nested)
    keep(message.field, lambda field: field.number < 100)
    used = {field.type_name.rpartition(".")[2] for field in message.field}
    keep(message.nested_type, lambda nested: nested.name in used)
    del message.oneof_decl[:]  # the one-element groups of our optional fields


def reachable(file):
    """Names of the messages that a method refers to, by itself or through others."""
    messages = {message.name: message for message in file.message_type}
    found, open_ = set(), [type_ for s in file.service for m in s.method for type_ in (m.input_type, m.output_type)]
    while open_:
        names = [part for part in open_.pop().split(".") if part in messages and part not in found]
        found.update(names)
        for message in map(messages.get, names):
            open_ += [field.type_name for each in (message, *message.nested_type) for field in each.field]
    return found


def keep(items, wanted):
    kept = [item for item in items if wanted(item)]
    del items[:]
    items.extend(kept)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """Folder of the modules that protoc makes of Katib's own fields and messages."""
    pytest.importorskip("grpc_tools")
    folder = tmp_path_factory.mktemp("stubs")
    own = katibs_own()
    assert not [m.name for m in own.message_type if m.name.endswith(("Record", "Condition"))]
    assert all(field.number < 100 for m in own.message_type for field in m.field)
    (folder / "api.binpb").write_bytes(FileDescriptorSet(file=[own]).SerializeToString())
    options = [f"--descriptor_set_in={folder}/api.binpb", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, "api.proto"], check=True, cwd=folder)
    return folder


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def run_experiment(folder, stubs, algorithm, *, restart):
    """The summary of a whole experiment. restart: the services are killed and started again when half of its trials
    exist."""
    settings, parameters, parallel, maximum = EXPERIMENTS[algorithm]
    port, stopping_port = free_ports(2)
    config = {
        "name": f"foreign-{algorithm}",
        "algorithm": algorithm,
        "settings": settings,
        "parameters": parameters,
        "parallel": parallel,
        "maximum": maximum,
        "address": f"127.0.0.1:{port}",
        "stopping_address": f"127.0.0.1:{stopping_port}",
    }
    words = [
        "services",
        "--port",
        port,
        "--early-stopping-port",
        stopping_port,
        "--store",
        f"sqlite:///{folder}/katib.db",
    ]
    with started(folder, *map(str, words)) as services, started_controller(stubs, config) as controller:
        services.said("EarlyStopping listening on")
        while restart and int(controller.stdout.readline().split()[1]) < maximum / 2:
            pass
        if not restart:
            return summary_of(controller)
        services.popen.kill()
        services.end()
        with started(folder, *map(str, words)) as again:
            again.said("EarlyStopping listening on")
            return summary_of(controller)


def summary_of(controller):
    output, _ = controller.communicate(timeout=240)
    assert controller.returncode == 0, output[-500:]
    return json.loads(output.splitlines()[-1])


def started_controller(stubs, config):
    environment = {**os.environ, "PYTHONPATH": str(stubs), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, str(CONTROLLER), json.dumps(config)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def marks_of(algorithm):
    slow = [] if algorithm in QUICK else [pytest.mark.slow]
    return [*slow, pytest.mark.requires("torch")] if algorithm == "enas" else slow


@pytest.mark.timeout(300)
@pytest.mark.parametrize("algorithm", [pytest.param(name, marks=marks_of(name)) for name in EXPERIMENTS])
def test_a_whole_experiment(tmp_path, stubs, algorithm, record_property):
    *_, maximum = EXPERIMENTS[algorithm]

    summary = run_experiment(tmp_path, stubs, algorithm, restart=True)

    told = {key: summary[key] for key in ("states", "calls", "refused", "retried", "rules", "best", "first")}
    record_property("experiment", told)
    print(algorithm, json.dumps(told))
    assert summary["ours"] == []  # it had the stubs alone
    assert not summary["stuck"]
    assert sum(summary["states"].values()) >= maximum
    assert summary["states"]["SUCCEEDED"] >= maximum / 3
    assert summary["states"].get("EARLYSTOPPED", 0) > 0
    assert summary["rules"] > 0
    assert summary["retried"] > 0  # it met the restart
    assert len(set(summary["names"])) == len(summary["names"])
    assert summary["best"] < summary["first"]
    assert summary["rows_left"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("algorithm", ["random", "tpe", "hyperband", "pbt"])
def test_a_restart_changes_nothing(tmp_path, stubs, algorithm):
    """What the services know they are told again with every call."""
    folders = tmp_path / "broken", tmp_path / "whole"
    for folder in folders:
        folder.mkdir()

    broken, whole = (run_experiment(f, stubs, algorithm, restart=f.name == "broken") for f in folders)

    assert broken["retried"] > whole["retried"]
    assert [broken[key] for key in ("points", "names", "labels", "states")] == [
        whole[key] for key in ("points", "names", "labels", "states")
    ]


def test_every_algorithm_has_its_experiment():
    assert sorted(EXPERIMENTS) == sorted(set(ALGORITHMS) - {"darts", "gp-nas"})  # architectures alone
