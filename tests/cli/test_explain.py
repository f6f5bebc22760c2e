"""``katib explain``: every field can be asked for; what is printed, and the schema."""

from __future__ import annotations

import json

import pytest

from algorithms import ALGORITHMS
from katib.cli.exits import OK, USAGE
from katib.resources.fields import KINDS, fields_of, json_schema


def paths(kind):
    def below(model, path):
        for field in fields_of(model):
            yield f"{path}.{field.name}", field
            if field.model:
                yield from below(field.model, f"{path}.{field.name}")

    return list(below(KINDS[kind], kind))


PAGE = """\
GROUP:      kubeflow.org
KIND:       Experiment
VERSION:    v1beta1

FIELD: distribution <string>

DESCRIPTION:
    How values of double and int are drawn; the log ones need min > 0
    allowed: uniform, logUniform, normal, logNormal
    default: uniform
"""


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained(katib, kind):
    assert len(paths(kind)) > 30
    for path, field in paths(kind):
        answer = katib("explain", path)
        assert (answer.status, answer.err) == (OK, "")
        assert f"FIELD: {field.name} <{field.kind}>" in answer.out
        assert max(map(len, answer.out.splitlines())) <= 100


@pytest.mark.parametrize(
    "words",
    [
        ("experiment.spec.parameters.feasibleSpace.distribution",),
        ("experiments.spec.parameters[0].feasibleSpace.distribution",),
        ("spec.parameters.feasibleSpace.distribution",),
        ("exp.spec.parameters.feasibleSpace.distribution", "--recursive"),
    ],
    ids=" ".join,
)
def test_page(katib, words):
    assert katib("explain", *words).out == PAGE


def test_recursive_names_every_field(katib):
    lines = katib("explain", "experiment", "--recursive").out.partition("FIELDS:\n")[2].splitlines()
    assert len(lines) == len(paths("experiment"))
    assert "        distribution  <string>" in lines


def test_algorithms_are_named(katib):
    text = katib("explain", "spec.algorithm.algorithmName").out
    assert all(name in text for name in ALGORITHMS)
    assert "medianstop" in katib("explain", "spec.earlyStopping").out


@pytest.mark.parametrize("kind", KINDS)
def test_schema(katib, kind):
    answer = katib("explain", kind, "--schema")
    schema = json.loads(answer.out)
    assert schema["properties"]["kind"]["enum"] == [kind.capitalize()]
    assert schema["$defs"].keys() == json_schema(kind)["$defs"].keys()


def test_mistakes(katib):
    answer = katib("explain", "experiment.spec.objectiv")
    assert (answer.status, answer.out) == (USAGE, "")
    assert "unknown field of experiment.spec 'objectiv' (did you mean 'objective'?)" in answer.err
