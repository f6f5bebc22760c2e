"""The answers of a Katib suggestion image, which knows Katib's fields alone."""

from __future__ import annotations

import pytest

from katib.core.errors import AlgorithmError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import Key, Proposal
from suggestion_service.codec.proposals import decode_proposal
from suggestion_service.generated import api_pb2 as pb


def spec_of(space, nas=None):
    return ExperimentSpec(Key("default", "e"), space, Objective("loss"), Component("random"), nas=nas)


class TestForeignReplies:
    """A Katib suggestion image answers with Katib's fields alone."""

    spec = spec_of(SearchSpace((Real("x", 0, 1), Integer("n", 1, 9))))

    def reply(self, *sets):
        return pb.GetSuggestionsReply(
            parameter_assignments=[
                {"assignments": [{"name": name, "value": value} for name, value in values.items()]} for values in sets
            ]
        )

    def test_texts_become_typed_values(self):
        proposal = decode_proposal(self.reply({"x": "0.034999999999999996", "n": "3"}), self.spec, 1, waiting=False)

        assert proposal.suggestions[0].parameters == {"x": 0.034999999999999996, "n": 3}
        assert not proposal.exhausted

    @pytest.mark.parametrize(
        ("count", "waiting", "exhausted"),
        [
            pytest.param(2, False, True, id="nothing-more-to-come"),
            pytest.param(2, True, False, id="trials-still-running"),
            pytest.param(0, False, False, id="nothing-asked"),
        ],
    )
    def test_an_empty_reply_ends_the_search_when_nothing_runs(self, count, waiting, exhausted):
        assert decode_proposal(self.reply(), self.spec, count, waiting) == Proposal(exhausted=exhausted)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            pytest.param({"x": "2", "n": "3"}, "left the search space", id="outside"),
            pytest.param({"x": "0.5"}, "left the search space", id="incomplete"),
            pytest.param({"x": "?", "n": "1"}, "left the search space", id="no-number"),
        ],
    )
    def test_an_answer_outside_the_space_is_the_algorithms_error(self, values, words):
        with pytest.raises(AlgorithmError, match=words):
            decode_proposal(self.reply(values), self.spec, 1, waiting=False)

    def test_more_than_asked_is_the_algorithms_error(self):
        with pytest.raises(AlgorithmError, match="asked for 1 suggestions, got 2"):
            decode_proposal(self.reply({"x": "0", "n": "1"}, {"x": "1", "n": "1"}), self.spec, 1, waiting=False)

    def test_an_architecture_is_passed_on_as_it_is(self):
        nas = spec_of(SearchSpace(), nas={"graphConfig": {"numLayers": 1}})

        proposal = decode_proposal(self.reply({"architecture": "[[0]]"}), nas, 1, waiting=False)

        assert proposal.suggestions[0].parameters == {"architecture": "[[0]]"}
