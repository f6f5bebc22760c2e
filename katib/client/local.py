"""This machine as a place for experiments: a store, and threads of this process that run what the client makes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from katib.client.backend import Place, Tree
from katib.compose import Workshop
from katib.core.errors import NotFoundError, PermanentError
from katib.core.experiment import Experiment
from katib.core.objective import Measurement
from katib.core.trial import AttemptId, Key
from katib.engine.supervisor import Supervisor, has_job
from katib.options import Options
from katib.server.experiment_writes import WritableExperiments
from katib.server.katib_objects import Suggestions, Trials
from katib.server.kinds import EXPERIMENT
from katib.server.mirror import Mirror
from katib.server.objects import Collection, WriteOptions
from katib.server.selectors import selector
from katib.server.status import ApiError, not_found
from katib.server.stored_objects import ConfigMaps
from katib.server.writing import merge_into, named
from suggestion_service.observations import Observations

CHUNK = 1 << 18  # bytes of output that are read at a time
POLL_SECONDS = 0.2

_STRICT = WriteOptions(strict=True)


class LocalBackend:
    """A store. The experiments that are made, edited, deleted or waited for here run in threads of this process as
    long as nobody else runs them; all others are only looked at."""

    def __init__(self, options: Options) -> None:
        """Open the store. Raises SpecError on a bad URL, UnavailableError if it does not answer."""
        self._workshop = Workshop(options)
        store = self._workshop.store
        self._mirror = Mirror(store)
        self._experiments = WritableExperiments(self._mirror, self._workshop, ConfigMaps(self._mirror, store.documents))
        self._trials = Trials(self._mirror)
        collections: list[Collection] = [self._experiments, self._trials, Suggestions(self._mirror)]
        self._collections = {collection.kind: collection for collection in collections}
        self._observations = Observations(store)
        self._adopted: set[Key] = set()
        self._supervisor = Supervisor(store, self._workshop.employ, self._accepts)
        self._lock = threading.Lock()
        self._running = False
        try:
            self._mirror.start()
        except BaseException:
            self._workshop.close()
            raise

    def get(self, place: Place, timeout: float) -> Tree:
        """The object."""
        each = self._collections[place.kind].get(place.namespace, place.name)
        if each is None:
            raise NotFoundError(str(not_found(place.kind.full_name, place.name)))
        return each.tree

    def list(self, place: Place, labels: str, timeout: float) -> Sequence[Tree]:
        """The objects with these labels."""
        matches = selector(labels, "")
        found = self._collections[place.kind].list(place.namespace)
        return [each.tree for each in found if matches is None or matches(each)]

    def create(self, place: Place, tree: Tree, timeout: float) -> Tree:
        """Make an experiment, and begin to run it."""
        try:
            given = named(tree)
        except ApiError as error:
            raise PermanentError(str(error)) from error
        written = self._experiments.create(place.namespace, given, _STRICT)
        self._adopt(Key(place.namespace, written.object.name))
        return written.object.tree

    def patch(self, place: Place, change: Tree, timeout: float) -> Tree:
        """Merge ``change`` into an experiment."""
        self.get(place, timeout)
        written = merge_into(self._experiments, place.namespace, place.name, change, _STRICT)
        self._adopt(Key(place.namespace, place.name))
        return written.object.tree

    def delete(self, place: Place, options: Tree, timeout: float) -> None:
        """End an experiment's trials and remove it. The options have no meaning here, but for ``dryRun``."""
        dry_run = options.get("dryRun") == ["All"]
        self._experiments.delete(place.namespace, place.name, WriteOptions(dry_run))
        if not dry_run:
            self._adopt(Key(place.namespace, place.name))

    def await_change(self, place: Place, seen: str, timeout: float) -> None:
        """Return when the mirror shows another state. The experiment is run here from now on, if nobody else does."""
        if place.kind == EXPERIMENT:
            self._adopt(Key(place.namespace, place.name))
        moved = threading.Event()
        end = self._mirror.listen(moved.set)
        deadline = time.monotonic() + timeout
        try:
            while self._revision(place) == seen and (left := deadline - time.monotonic()) > 0:
                moved.wait(left)
                moved.clear()
        finally:
            end()

    def metrics(self, place: Place, address: str, timeout: float) -> Sequence[Measurement]:
        """What the store has of the trial."""
        self.get(place, timeout)
        return self._observations.read(place.namespace, place.name)

    def logs(self, place: Place, follow: bool) -> Iterator[str]:
        """What the trial's newest attempt printed on this machine."""
        self.get(place, 0)
        rest = b""
        for data in self._output(place, follow):
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if rest:
            yield rest.decode(errors="replace")

    def close(self) -> None:
        """Stop running experiments; trials that run go on, and are taken up by whoever runs the experiment next."""
        with self._lock:
            if self._running:
                self._supervisor.close()
        self._mirror.close()
        self._workshop.close()

    def _output(self, place: Place, follow: bool) -> Iterator[bytes]:
        reader, offset, attempt = self._workshop.log_reader(), 0, 0
        while (found := self._trials.trial(place.namespace, place.name)) is not None:
            snapshot, trial = found
            attempt = attempt or trial.attempt
            over = not follow or trial.state.finished or trial.attempt > attempt
            while data := reader.read(AttemptId(snapshot.key, trial.name, attempt), offset, CHUNK):
                offset += len(data)
                yield data
            if over:
                return
            time.sleep(POLL_SECONDS)

    def _revision(self, place: Place) -> str:
        each = self._collections[place.kind].get(place.namespace, place.name)
        return "" if each is None else str(each.revision)

    def _adopt(self, key: Key) -> None:
        """Run the experiment here, if nobody else does."""
        with self._lock:
            if key in self._adopted:
                return
            self._adopted.add(key)
            if not self._running:
                self._supervisor.start()
                self._running = True
        self._supervisor.look(key)

    def _accepts(self, experiment: Experiment) -> bool:
        return experiment.key in self._adopted and has_job(experiment)
