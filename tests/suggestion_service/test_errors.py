"""An error raised in the service is raised again, equal, in the engine; foreign statuses become the nearest class."""

from __future__ import annotations

import contextlib

import grpc
import pytest

from katib.core.errors import (
    AlgorithmError,
    ConflictError,
    CorruptRecordError,
    KatibError,
    MissingExtraError,
    NotFoundError,
    PermanentError,
    Problem,
    SpecError,
    UnavailableError,
    UnknownNameError,
)
from suggestion_service.errors import METADATA_KEY, decode_error, encode_error, error_of, errors_as_status

Code = grpc.StatusCode


class Aborted(Exception):
    """What gRPC's own context raises when a call is ended."""


class Context:
    """The three methods of a gRPC server context that matter, recording."""

    metadata = ()

    def set_trailing_metadata(self, metadata):
        self.metadata = metadata

    def abort(self, code, details):
        self.status = (code, details)
        raise Aborted


class Status:
    """A failed call as the client sees it."""

    def __init__(self, code, details="", metadata=()):
        self._code, self._details, self._metadata = code, details, metadata

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._metadata


def across(error, refusal=None):
    context = Context()
    with contextlib.suppress(Aborted), errors_as_status(context, refusal):
        raise error
    return context, error_of(Status(*context.status, context.metadata), "127.0.0.1:1")


def contents(error):
    return type(error), str(error), vars(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(
            SpecError([Problem("spec.x[0]", "bad ü", 3), Problem("", "worse")], source="a.yaml"),
            Code.INVALID_ARGUMENT,
            id="spec",
        ),
        pytest.param(UnknownNameError("algorithm", "randm", ["random", "grid"]), Code.NOT_FOUND, id="unknown-name"),
        pytest.param(MissingExtraError("skopt", "skopt"), Code.FAILED_PRECONDITION, id="missing-extra"),
        pytest.param(NotFoundError("no experiment 'a'"), Code.NOT_FOUND, id="not-found"),
        pytest.param(AlgorithmError("diverged"), Code.INTERNAL, id="algorithm"),
        pytest.param(UnavailableError("later"), Code.UNAVAILABLE, id="unavailable"),
        pytest.param(PermanentError("no"), Code.FAILED_PRECONDITION, id="permanent"),
        pytest.param(KatibError("?"), Code.INTERNAL, id="base"),
    ],
)
def test_an_error_arrives_equal(error, code):
    context, back = across(error)

    assert context.status[0] is code
    assert contents(back) == contents(error)


@pytest.mark.parametrize(
    ("error", "cls", "code"),
    [
        pytest.param(CorruptRecordError("x"), PermanentError, Code.FAILED_PRECONDITION, id="permanent"),
        pytest.param(ConflictError("x"), KatibError, Code.UNAVAILABLE, id="retryable"),
    ],
)
def test_a_class_that_is_not_in_the_table_arrives_as_its_base(error, cls, code):
    context, back = across(error)

    assert context.status[0] is code
    assert isinstance(back, cls)
    assert isinstance(error, type(back))
    assert str(back) == "x"


def test_a_refusal_has_one_code_and_keeps_its_class():
    error = UnknownNameError("algorithm", "a", ["b"])

    context, back = across(error, refusal=Code.INVALID_ARGUMENT)

    assert context.status[0] is Code.INVALID_ARGUMENT
    assert contents(back) == contents(error)


def test_an_error_that_may_pass_is_no_refusal():
    context, _ = across(UnavailableError("later"), refusal=Code.INVALID_ARGUMENT)

    assert context.status[0] is Code.UNAVAILABLE


def test_an_unexpected_exception_is_logged_and_tells_the_peer_its_class_only(caplog):
    context, back = across(ZeroDivisionError("secret"))

    assert context.status == (Code.INTERNAL, "unexpected ZeroDivisionError; see the log of the service")
    assert isinstance(back, AlgorithmError)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        pytest.param(Code.INVALID_ARGUMENT, SpecError, id="invalid-argument"),
        pytest.param(Code.UNAVAILABLE, UnavailableError, id="unavailable"),
        pytest.param(Code.DEADLINE_EXCEEDED, UnavailableError, id="deadline"),
        pytest.param(Code.UNKNOWN, AlgorithmError, id="unknown"),
        pytest.param(Code.RESOURCE_EXHAUSTED, AlgorithmError, id="message-too-large"),
    ],
)
def test_a_status_of_a_foreign_service(code, cls):
    error = error_of(Status(code, "the reason"), "127.0.0.1:1")

    assert type(error) is cls
    assert "the reason" in str(error)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'["NoSuchError", "x"]', b'["SpecError", 3]', b"\xff", b"[" * 100_000]
)
def test_metadata_that_is_not_ours_is_passed_over(data):
    assert decode_error(data) is None
    assert isinstance(error_of(Status(Code.UNKNOWN, "x", ((METADATA_KEY, data),)), "a:1"), AlgorithmError)


def test_very_many_problems_fit_into_the_metadata():
    error = SpecError([Problem(f"spec.parameters[{i}]", "is wrong: ü" * 5) for i in range(1000)])

    context, back = across(error)

    assert len(encode_error(error)) <= 4000
    assert len(context.status[1].encode()) <= 1000
    assert isinstance(back, SpecError)
    assert back.problems[0] == error.problems[0]
    assert back.problems[-1].message == f"and {1000 - len(back.problems) + 1} more problems"


def test_one_very_long_problem_fits_into_the_metadata():
    _, back = across(SpecError("x" * 100_000))

    assert str(back).startswith("xxx")
