"""Templates: what is put in, where, and that nothing put in can change the tree."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.core.experiment import Component, ExperimentSpec, TemplateParameter, TrialTemplate
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Trial
from katib.resources.substitution import filled, substituted
from katib.resources.template import META_KEYS, meta_reference, meta_value, placeholders, render

SPACE = SearchSpace(
    (
        Real("lr", 1e-5, 1.0),
        Integer("layers", 1, 8),
        Ordinal("batch", (16, 32), ("16", "32")),
        Choice("optimizer", ("sgd", "adam")),
        Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",))),
    )
)


def spec_of(document, parameters, space=SPACE):
    template = TrialTemplate(document, tuple(TemplateParameter(*p) for p in parameters), "training")
    return ExperimentSpec(Key("team", "tune"), space, Objective("loss"), Component("random"), template=template)


def rendered(document, parameters, values, space=SPACE):
    return render(spec_of(document, parameters, space), Trial(0, "tune-abc", values))


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"labels": {"app": "mnist", "kubeflow.org/x": "y"}, "annotations": {"note": "n"}},
    "spec": {"args": ["--lr=${trialParameters.lr}", "${trialParameters.lr}/${trialParameters.lr}", 3, None, True]},
}


def test_values_take_the_place_of_all_placeholders():
    result = rendered(JOB, [("lr", "lr")], {"lr": 0.001})
    assert result["spec"] == {"args": ["--lr=0.001", "0.001/0.001", 3, None, True]}
    assert result["metadata"] == {**JOB["metadata"], "name": "tune-abc", "namespace": "team"}
    assert "name" not in JOB["metadata"]


@pytest.mark.parametrize(
    ("reference", "value", "text"),
    [
        ("lr", 1e-5, "1e-05"),
        ("lr", 1, "1.0"),
        ("layers", 3, "3"),
        ("batch", 16, "16"),
        ("optimizer", "adam", "adam"),
        ("architecture", "[[1], [2, 0]]", "[[1], [2, 0]]"),
    ],
)
def test_texts_of_values(reference, value, text):
    values = {reference: value}
    assert rendered({"a": "${trialParameters.p}"}, [("p", reference)], values)["a"] == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("Name", "tune-abc"),
        ("Namespace", "team"),
        ("Kind", "Job"),
        ("APIVersion", "batch/v1"),
        ("Labels[app]", "mnist"),
        ("Labels[kubeflow.org/x]", "y"),
        ("Annotations[note]", "n"),
    ],
)
def test_meta_references(key, text):
    document = {**JOB, "spec": "<${trialParameters.meta}>"}
    assert rendered(document, [("meta", f"${{trialSpec.{key}}}")], {})["spec"] == f"<{text}>"
    assert key.partition("[")[0] in META_KEYS


@pytest.mark.parametrize("key", ["Names", "Labels[none]", "Annotations[app]", "Labels", "Labels[]", "labels[app]", ""])
def test_bad_meta_reference(key):
    with pytest.raises(SpecError):
        meta_value(key, JOB, name="n", namespace="ns")


def test_kind_is_missing():
    with pytest.raises(SpecError, match="stands for nothing"):
        meta_value("Kind", {}, name="n", namespace="ns")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("${trialSpec.Name}", "Name"),
        ("${trialSpec.Labels[a.b/c]}", "Labels[a.b/c]"),
        ("${trialSpec.}", None),
        ("x${trialSpec.Name}", None),
        ("lr", None),
        ("${trialParameters.lr}", None),
    ],
)
def test_meta_reference(text, key):
    assert meta_reference(text) == key


def test_placeholders_in_texts_and_keys():
    tree = {"a": ["${trialParameters.x} ${trialParameters.y-1}"], "${trialParameters.k}": 1, "b": "${trialSpec.Name}"}
    assert placeholders(tree) == {"x", "y-1", "k"}


@pytest.mark.parametrize(
    ("document", "parameters", "values", "path", "message"),
    [
        pytest.param(
            {"spec": {"args": ["ok", "${trialParameters.lrr}"]}}, [("lr", "lr")], {"lr": 0.1},
            "spec.trialTemplate.trialSpec.spec.args[1]", "did you mean 'lr'", id="undefined",
        ),
        pytest.param(
            {"a": 1}, [("x", "lr"), ("y", "layers")], {"lr": 0.1},
            "spec.trialTemplate.trialParameters[1].reference", "has no parameter 'layers'", id="missing-value",
        ),
        pytest.param(
            {"a": 1}, [("x", "lr")], {"lr": 7.0},
            "spec.trialTemplate.trialParameters[0].reference", "expected a number from 1e-05 to 1", id="outside",
        ),
        pytest.param(
            {"a": 1}, [("x", "${trialSpec.Labels[q]}")], {},
            "spec.trialTemplate.trialParameters[0].reference", "Labels[q]", id="no-label",
        ),
        pytest.param(
            {"b": {"${trialParameters.x}": 1, "adam": 2}}, [("x", "optimizer")], {"optimizer": "adam"},
            "spec.trialTemplate.trialSpec.b.adam", "two keys become 'adam'", id="keys-collide",
        ),
        pytest.param(
            {"metadata": "${trialParameters.x}"}, [("x", "optimizer")], {"optimizer": "adam"},
            "spec.trialTemplate.trialSpec.metadata", "expected an object", id="metadata-is-text",
        ),
    ],
)  # fmt: skip
def test_errors_have_paths(document, parameters, values, path, message):
    with pytest.raises(SpecError) as caught:
        rendered(document, parameters, values)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert message in problem.message


def test_inactive_parameter_is_an_empty_text():
    assert rendered({"a": "[${trialParameters.m}]"}, [("m", "momentum")], {"optimizer": "adam"})["a"] == "[]"


def test_python_objectives_have_no_job():
    assert rendered({}, [], {"lr": 0.1}) == {}


def test_integer_fields_of_a_yaml_template():
    text = """
    spec:
      parallelism: ${trialParameters.n}
      completions: "1${trialParameters.n}"
      backoffLimit: ${trialParameters.name}
      other: ${trialParameters.n}
      template: {metadata: {labels: {replicas: "${trialParameters.n}"}}}
    """
    result = rendered(
        yaml.safe_load(text), [("n", "layers"), ("name", "optimizer")], {"layers": 4, "optimizer": "adam"}
    )
    assert result["spec"] == {
        "parallelism": 4,
        "completions": "14",
        "backoffLimit": "adam",
        "other": "4",
        "template": {"metadata": {"labels": {"replicas": "4"}}},
    }


# --- Nothing that is put in can change the tree ---

FRAGMENTS = [
    '"', "'", "`id`", "$(id)", "${trialParameters.other}", "${trialParameters.payload}", "${trialSpec.Name}", "$$",
    "\\", "\\n", "\n", "\r\n", "\t", "\0", "{", "}", "[", "]", ",", ":", ": ", "- ", "# x", "&a", "*a", "|", ">",
    "!!python/object:os.system", "---", "...", "null", "true", "~", "1", "0x10", "1e3", '", "evil": "1', '"]}}', "}}}",
    "{{inputs}}", "; rm -rf /", "&& id", "%s", "%(x)s", "{0}", "é", "漢字", "\u202e", "\ufeff", "\U0001f600", "<<: *a",
    "${IFS}", "$1", "\\g<0>", "\\1", "<a>", "",
]  # fmt: skip
PAYLOADS = [
    *FRAGMENTS,
    *(f"a{f}b" for f in FRAGMENTS),
    *(f"{f}{f}" for f in FRAGMENTS),
    *(f + g for f, g in zip(FRAGMENTS, reversed(FRAGMENTS), strict=True)),
    *("x" + f + "\n" + f for f in FRAGMENTS),
]
TEMPLATE = {
    "kind": "Job",
    "spec": {
        "args": ["--p=${trialParameters.payload}", "${trialParameters.payload}", "${trialParameters.other}"],
        "${trialParameters.payload}": {"x-${trialParameters.payload}": 1},
        "env": [{"name": "A", "value": "<${trialParameters.payload}|${trialParameters.payload}>"}],
        "parallelism": "${trialParameters.other}",
        "numbers": [1, 2.5, None, False],
    },
}


def expected_tree(payload):
    return {
        "kind": "Job",
        "metadata": {"name": "tune-abc", "namespace": "team"},
        "spec": {
            "args": [f"--p={payload}", payload, "other"],
            payload: {f"x-{payload}": 1},
            "env": [{"name": "A", "value": f"<{payload}|{payload}>"}],
            "parallelism": "other",
            "numbers": [1, 2.5, None, False],
        },
    }


def rendered_payload(payload):
    space = SearchSpace((Choice("payload", (payload, "!other!")), Choice("other", ("other",))))
    return rendered(
        TEMPLATE, [("payload", "payload"), ("other", "other")], {"payload": payload, "other": "other"}, space
    )


def test_there_are_enough_payloads():
    assert len(set(PAYLOADS)) >= 200


@pytest.mark.parametrize("payload", list(dict.fromkeys(PAYLOADS)), ids=ascii)
def test_payload_stays_in_its_text(payload):
    result = rendered_payload(payload)
    assert result == expected_tree(payload)
    assert json.loads(json.dumps(result)) == expected_tree(payload)


@settings(deadline=None)
@given(st.text().filter(lambda text: text not in ("args", "env", "parallelism", "numbers", "!other!")))
def test_any_text_stays_in_its_text(payload):
    assert rendered_payload(payload) == expected_tree(payload)


@pytest.mark.parametrize("payload", ["args", "env"])
def test_a_value_cannot_take_the_place_of_a_field(payload):
    with pytest.raises(SpecError, match="two keys become"):
        rendered_payload(payload)


@pytest.mark.parametrize(
    "template",
    [
        {"a": ["${trialParameters.x}", {"b": "-${trialParameters.x}-"}], "replicas": "${trialParameters.n}"},
        {"labels": {"replicas": "${trialParameters.n}"}, "spec": {"replicas": " ${trialParameters.n}"}},
        {"a-${trialParameters.x}": "${trialParameters.n}", "b": 1},
        {"a": ("${trialParameters.x}", None, 1.5, True), "b": {}},
        {"a": "${other} ${trialParameters.x"},
    ],
    ids=["lists-and-integers", "no-integers", "keys", "tuples", "no-placeholders"],
)
def test_filled_again_and_again_is_as_filled_once(template):
    for values in ({"x": "1", "n": "2"}, {"x": "${trialParameters.n}", "n": "many"}):
        once = substituted(template, values)
        assert filled(template, values) == once
        again = filled(template, values)
        assert again == once
        again["more"] = again.pop(next(iter(again)))  # a copy of the caller's own
        assert filled(template, values) == once


def test_what_is_not_defined_is_told_with_its_place():
    template = {"a": [{"b": "${trialParameters.y}"}]}
    for _ in range(2):
        with pytest.raises(SpecError) as caught:
            filled(template, {"x": "1"})
        assert caught.value.problems[0].path == "a[0].b"
