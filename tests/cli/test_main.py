"""What every command shares: the help page, exit statuses, and errors as lines without tracebacks."""

from __future__ import annotations

import subprocess

import pytest

import katib as package
from katib.cli.exits import FAILED, INTERRUPTED, NOT_FOUND, OK, USAGE, error_lines, exit_status
from katib.cli.main import COMMANDS
from katib.cli.main import katib as group
from katib.core.errors import (
    AlgorithmError,
    CorruptRecordError,
    FencedError,
    LeaseHeldError,
    MissingExtraError,
    NotFoundError,
    PermanentError,
    Problem,
    SpecError,
    UnavailableError,
    UnknownNameError,
)
from katib.core.naming import load
from tests.cli.command_line import KATIB, document, write


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_page(katib, words):
    answer = katib(*words)
    assert (answer.status, answer.err) == (OK, "")
    assert all(f"  {name} " in answer.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(katib, name):
    """The help page says of each command what the command says of itself."""
    where, about = COMMANDS[name]
    assert load("command", where, {}).short_help == about
    answer = katib(name, "--help")
    assert answer.status == OK
    assert f"katib {name}" in answer.out
    assert all(option.help for option in load("command", where, {}).params if option.param_type_name == "option")


def test_version(katib):
    assert katib("--version").out == f"katib {package.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SpecError("wrong"), USAGE),
        (UnknownNameError("runner", "x", ["local"]), USAGE),
        (PermanentError("refused"), USAGE),
        (NotFoundError("none"), NOT_FOUND),
        (FencedError("taken over"), FAILED),
        (CorruptRecordError("damaged"), FAILED),
        (AlgorithmError("broke"), FAILED),
        (MissingExtraError("skopt", "skopt"), FAILED),
        (LeaseHeldError("held"), FAILED),
        (UnavailableError("down"), FAILED),
        (OSError("disk full"), FAILED),
        (ZeroDivisionError("a defect"), FAILED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_exit_statuses(error, status):
    assert exit_status(error) == status


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        pytest.param(
            SpecError([Problem("spec.a", "bad", 3), Problem("", "worse", 4)], source="f.yaml"),
            ["error: f.yaml:3: spec.a: bad", "error: f.yaml:4: worse"],
            id="file and lines",
        ),
        pytest.param(SpecError([Problem("spec.a", "bad")], source="f.yaml"), ["error: f.yaml: spec.a: bad"], id="file"),
        pytest.param(SpecError([Problem("spec.a", "bad", 3)]), ["error: line 3: spec.a: bad"], id="line"),
        pytest.param(SpecError("bad"), ["error: bad"], id="neither"),
        pytest.param(
            PermissionError(13, "Permission denied", "/x"), ["error: /x: Permission denied"], id="file system"
        ),
        pytest.param(NotFoundError("no x"), ["error: no x"], id="ours"),
    ],
)
def test_error_lines(error, lines):
    assert error_lines(error) == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="missing"),
        pytest.param("folder", "cannot be read: Is a directory", id="folder"),
        pytest.param(b"\x7fELF\x00\xff\xfe", "the text is not UTF-8", id="binary"),
        pytest.param(b"", "the file is empty, expected a YAML document", id="empty"),
        pytest.param(b"a: [1", "not valid YAML", id="no YAML"),
        pytest.param(b"a: 1\na: 2\n", "file.yaml:2: ", id="duplicate key"),
        pytest.param(b"- 1\n", "expected a mapping with apiVersion and kind", id="list"),
        pytest.param(b"kind: Pod\n", "file.yaml:1: kind: got 'Pod', expected Experiment", id="other kind"),
        pytest.param(b"x: " + b"1" * (1 << 20), "got more than 1 MiB, expected less", id="large"),
    ],
)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_files_that_are_none(katib, tmp_path, command, content, message):
    path = tmp_path / "file.yaml"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    answer = katib(command, path)
    assert (answer.status, answer.out) == (USAGE, "")
    assert answer.err.startswith(f"error: {path}:")
    assert message in answer.err


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        pytest.param({"maxTrialcount": 3}, "spec.maxTrialcount", "(did you mean 'maxTrialCount'?)", id="unknown field"),
        pytest.param({"parallelTrialCount": "two"}, "spec.parallelTrialCount", "expected an integer", id="type"),
        pytest.param(
            {"algorithm": {"algorithmName": "randon"}},
            "spec.algorithm.algorithmName",
            "(did you mean 'random'?)",
            id="algorithm",
        ),
        pytest.param(
            {
                "algorithm": {
                    "algorithmName": "bayesianoptimization",
                    "algorithmSettings": [
                        {"name": "acq_func", "value": "EI"},
                        {"name": "n_intial_points", "value": "3"},
                    ],
                }
            },
            "spec.algorithm.algorithmSettings[1].value",
            "(did you mean 'n_initial_points'?)",
            id="setting",
        ),
        pytest.param(
            {
                "earlyStopping": {
                    "algorithmName": "medianstop",
                    "algorithmSettings": [{"name": "start_step", "value": "x"}],
                }
            },
            "spec.earlyStopping.algorithmSettings[0].value",
            "got 'x', expected an integer",
            id="setting of a stopper",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_problems_name_file_line_path_and_nearest_name(katib, tmp_path, command, change, path, message):
    file = write(tmp_path, document(**change))
    answer = katib(command, file)
    assert (answer.status, answer.out) == (USAGE, "")
    (line,) = answer.err.splitlines()
    number = int(line.removeprefix(f"error: {file}:").partition(":")[0])
    assert line.startswith(f"error: {file}:{number}: {path}: ")
    assert message in line
    key = path.rpartition(".")[2]
    assert f"{key}:" in file.read_text().splitlines()[number - 1]


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        pytest.param("katib.db", USAGE, "expected a URL such as sqlite:///path/to/katib.db", id="no URL"),
        pytest.param("sqlit:///a.db", USAGE, "unknown kind of store 'sqlit' (did you mean 'sqlite'?)", id="kind"),
        pytest.param("sqlite:///", USAGE, "names no file", id="no file"),
        pytest.param("sqlite:////proc/none/katib.db", FAILED, "/proc/none", id="folder that cannot be made"),
        pytest.param("sqlite:///text.db", FAILED, "database", id="no database"),
    ],
)
@pytest.mark.parametrize("command", [("get", "experiments"), ("describe", "x"), ("stop", "x"), ("resume", "x")])
def test_stores_that_are_none(katib, tmp_path, command, url, status, message):
    (tmp_path / "text.db").write_text("no database " * 100)
    answer = katib(*command, "--store", url)
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.startswith("error: ")
    assert message in answer.err


def test_home_that_is_a_file(katib, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KATIB_HOME", str(tmp_path / "file"))
    answer = katib("get", "experiments")
    assert (answer.status, answer.err) == (FAILED, f"error: {tmp_path / 'file'}: File exists\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("frob",), "unknown command 'frob'", id="command"),
        pytest.param(("decsribe", "x"), "(did you mean 'describe'?)", id="misspelt command"),
        pytest.param(("run",), "Missing argument 'FILE'", id="argument"),
        pytest.param(("run", "x", "--paralel", "2"), "No such option", id="option"),
        pytest.param(("run", "x", "--parallel", "0"), "0 is not in the range", id="range"),
        pytest.param(("run", "x", "--seed", "one"), "'one' is not a valid", id="type"),
        pytest.param(("--nope",), "No such option", id="option of katib"),
        pytest.param(("suggestion-service", "--port", "70000"), "70000 is not in the range", id="port"),
    ],
)
def test_bad_usage(katib, words, message):
    answer = katib(*words)
    assert (answer.status, answer.out) == (USAGE, "")
    assert answer.err.startswith("error: ")
    assert message in answer.err


def test_defects_are_one_line_too(katib, monkeypatch):
    def broken():
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(group, "invoke", lambda context: broken())
    answer = katib("doctor")
    assert answer.status == FAILED
    assert answer.err.startswith("error: ZeroDivisionError: division by zero\n")
    assert "Traceback" not in answer.err
    monkeypatch.setenv("KATIB_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        katib("doctor")


def test_interrupt(katib, monkeypatch):
    def interrupted(context):
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "invoke", interrupted)
    assert katib("doctor").status == INTERRUPTED


@pytest.mark.parametrize("words", [("get", "trials", "exp", "-o", "json"), ("describe", "exp")])
def test_reader_that_leaves(finished, words):
    pipe = 'set -o pipefail; "$@" | head -c 1'
    done = subprocess.run(["bash", "-c", pipe, "bash", *KATIB, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (OK, "")
