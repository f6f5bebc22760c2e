"""What a trial of ``darts`` does: search, select, retrain; with metrics as it goes.

All of it is kept in a folder, and goes on from there when it is started again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from algorithms.architecture.cells import Genotype
from algorithms.architecture.reading import BEST_GENOTYPE
from algorithms.darts.genotype import COLLAPSED, skip_share, skips
from algorithms.darts.presets import PROJECTION, RETRAIN
from algorithms.darts.projection import project
from algorithms.darts.search import EpochReport, Search
from algorithms.networks.retraining import Retrained, Setup, retrain_all
from algorithms.networks.training import load_tensors, save_tensors

Say = Callable[[str], None]
CHECKPOINT, CANDIDATES, RETRAINED = "search.pt", "candidates", "retrained"


class SearchTrial:
    """A search within a folder, and what becomes of it."""

    def __init__(self, search: Search, folder: Path, say: Say, *, record: Path, stops_at_collapse: bool) -> None:
        """record: a file that gets a line of operations' weights for each epoch. say: prints a line.
        stops_at_collapse: whether the search ends once more than half of the normal cell is skip connections; the
        genotype then has no more than half."""
        self.search, self.folder, self.say = search, folder, say
        self._record, self._stops = record, stops_at_collapse
        self._lines: list[str] = []

    def run(self) -> None:
        """The search to its end. Raises PermanentError for a checkpoint of another search."""
        search, file = self.search, self.folder / CHECKPOINT
        if file.is_file():
            state = load_tensors(file)
            search.restore(state["search"])
            self._lines = list(state["lines"])
            for line in self._lines:
                self.say(line)
        while search.epoch < search.schedule.epochs and not self._stopped:
            for _ in range(search.steps_per_epoch):
                search.step()
            report = search.report()
            self._tell(_line(report))
            if search.warm and skip_share(report.genotype) > COLLAPSED:
                self._tell(_warning(report.genotype))
            self._note(report.epoch)
            save_tensors(file, {"search": search.state(), "lines": self._lines})

    def genotypes(self, candidates: int) -> list[Genotype]:
        """The genotypes to choose from, the best one first: one, or ``candidates`` where retraining selects."""
        search, selection = self.search, self.search.selection
        if self._stopped:
            edges = 2 * search.shape.nodes
            most = edges if selection.most_skips is None else selection.most_skips
            selection = replace(selection, most_skips=min(most, math.floor(COLLAPSED * edges)))
        if search.method.selection == PROJECTION:
            return [project(search, steps=search.steps_per_epoch)]
        return selection.ranked(search.strengths(), candidates if search.method.selection == RETRAIN else 1)

    @property
    def _stopped(self) -> bool:
        search = self.search
        if not (self._stops and search.epoch and search.warm):
            return False
        return skip_share(search.unlimited.strongest(search.strengths())) > COLLAPSED

    def _tell(self, line: str) -> None:
        self._lines.append(line)
        self.say(line)

    def _note(self, epoch: int) -> None:
        """One line in the record of the search."""
        self._record.parent.mkdir(parents=True, exist_ok=True)
        line: dict[str, Any] = {"epoch": epoch, "operations": list(self.search.shape.operations)}
        with self._record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | dict(self.search.strengths())) + "\n")


def choose(genotypes: list[Genotype], setup: Setup, folder: Path, say: Say) -> Genotype:
    """The genotype whose network, trained from scratch as ``setup`` says, is best on validation images."""
    if len(genotypes) == 1:
        return genotypes[0]
    named = [(f"candidate-{number}", genotype) for number, genotype in enumerate(genotypes, start=1)]
    found = retrain_all(named, setup, folder / CANDIDATES)
    for each in sorted(found, key=lambda one: one.name):
        kept = "" if each.validation is None else f" retrained-validation-accuracy={each.validation.mean:.4f}"
        say(f"{each.name}:{kept} retrained-test-accuracy={each.test.mean:.4f}")
    return dict(named)[found[0].name]


def retrained(genotype: Genotype, setup: Setup, folder: Path) -> Retrained:
    """Its network, trained from scratch."""
    return retrain_all([("best", genotype)], setup, folder / RETRAINED)[0]


def tell_result(best: Retrained, say: Say) -> None:
    """The last lines: the accuracy on test images as the objective, and the genotype as Katib's image prints it."""
    say(f"accuracy={best.test.mean:.4f} parameters={best.parameters}")
    say(f"{BEST_GENOTYPE}={best.architecture}")


def _line(report: EpochReport) -> str:
    values = {
        "train-loss": report.train_loss,
        "train-accuracy": report.train_accuracy,
        "validation-loss": report.validation_loss,
        "validation-accuracy": report.validation_accuracy,
        "alpha-entropy": report.entropy,
    }
    metrics = " ".join(f"{name}={value:.4f}" for name, value in values.items())
    return f"epoch={report.epoch} {metrics} normal-skips={skips(report.genotype.normal)}"


def _warning(genotype: Genotype) -> str:
    edges = sum(map(len, genotype.normal))
    return (
        f"warning: {skips(genotype.normal)} of the normal cell's {edges} edges would be skip connections: the search "
        "has collapsed, or is about to; the presets robust and darts-minus, and most_skips, keep it from that"
    )
