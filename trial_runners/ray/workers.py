"""The actors of one trial of several workers. Runs on the nodes.

A ``Team`` has the name of the trial and outlives the controller. It asks for a placement group, a bundle a worker, and
makes the workers in it. All of that is its own in Ray's sense: however the team ends, Ray ends its workers and takes
the placement group back. The ``Lead`` is worker 0: its reports and its end are the trial's, in the attempt's journal,
as if it were alone. Where one of the others fails, the lead writes that down as the end, and dies.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from katib.core.errors import PermanentError
from katib.core.ports import Phase
from katib.core.trial import Attempt, AttemptId, FailureClass
from katib.report import Report, TrialStopped
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.objective_call import Ending, call, failed, make_checkpoint, surrounded
from trial_runners.ray.checkpoints import Checkpoints
from trial_runners.ray.journal import OpenJournal
from trial_runners.ray.place import Hello, Place, Told
from trial_runners.ray.ranks import ranks
from trial_runners.ray.resources import Shape
from trial_runners.ray.slot import Slot
from trial_runners.ray.worker_watch import Watch, judged, outcomes_of
from trial_runners.surroundings import surroundings_of
from trial_runners.worker import redirect

LINGER_SECONDS = 5.0
"""After the end of its trial a team waits so long for its controller to take the answer and to end it."""

_PARTING_SECONDS = 3.0  # after worker 0 has failed or stopped, the others have so long to end by themselves
_NOTHING = {"CPU": 0.001}  # a bundle cannot be empty

Handle = ray.actor.ActorHandle[Any]


class Meeting(NamedTuple):
    """Where worker 0 may listen for the others. address: in the network of the cluster."""

    address: str
    port: int


class Assistant(Slot):
    """A worker of which nothing is measured."""

    def prepare(self, attempt: Attempt, variables: Mapping[str, str]) -> None:
        """Bring the checkpoint that the attempt continues from, where it is not here yet. variables: for the call."""
        os.environ.update(variables)
        if not AttemptFolder.of(self._here.root, attempt.id).checkpoint.is_dir():
            with contextlib.suppress(OSError, PermanentError):  # the lead has had the same, and tells
                make_checkpoint(surroundings_of(Checkpoints(self._here, attempt).fetch(), self._here.root))

    def assist(self, attempt: Attempt) -> tuple[Ending, float]:
        """Call the function, whose reports and value count for nothing. How it ended, and when."""
        self._free_since = None
        folder = AttemptFolder.of(self._here.root, attempt.id)

        def receive(_reports: tuple[Report, ...]) -> None:
            if folder.ending() is not None:
                raise TrialStopped

        def objective(parameters: dict[str, Any]) -> dict[str, float]:
            self._objective(parameters)
            return {self._metric: 0.0}

        try:
            with surrounded(surroundings_of(replace(attempt, parent=None), self._here.root)):
                redirect(str(folder.path / f"worker-{os.environ['RANK']}.log"))
                ending = call(objective, attempt.parameters, self._metric, receive)
        except KeyboardInterrupt as error:
            ending = failed(error)
        except OSError as error:  # its folder cannot be made
            ending = failed(error, FailureClass.INFRASTRUCTURE)
        self._restore()
        if folder.ending() is not None and ending.failure is not None:
            ending = Ending(stopped=True)
        return ending, time.time()


class Lead(Slot):
    """Worker 0."""

    _assistants: Sequence[Handle] = ()
    _nodes: frozenset[str] = frozenset()
    _prepared: Checkpoints | None = None
    _place: Place

    def meeting(self) -> Meeting:
        """Where it may listen."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            return Meeting(ray.util.get_node_ip_address(), probe.getsockname()[1])  # type: ignore[no-untyped-call]

    def prepare(self, attempt: Attempt, variables: Mapping[str, str]) -> None:
        """Have the checkpoint ready before any worker begins. Raises PermanentError, OSError."""
        os.environ.update(variables)
        self._prepared = Checkpoints(self._here, attempt)
        make_checkpoint(surroundings_of(self._prepared.begin(), self._here.root))

    def lead(self, attempt: Attempt, assistants: Sequence[Handle], nodes: frozenset[str], place: Place) -> Told | None:
        """``run`` with the others, in order of rank. nodes: where they are."""
        self._assistants, self._nodes, self._place = assistants, nodes, place
        return self.run(attempt)

    def _checkpoints(self, attempt: Attempt) -> Checkpoints:
        return self._prepared or super()._checkpoints(attempt)

    def _call(self, checkpoints: Checkpoints, folder: AttemptFolder, journal: OpenJournal) -> Ending:
        attempt = checkpoints.attempt

        def ask_to_stop(grace: float) -> None:
            for node in self._nodes - {self._here.node}:
                where = NodeAffinitySchedulingStrategy(node, soft=False)
                request: Any = ray.remote(request_stop)
                request.options(num_cpus=0, scheduling_strategy=where).remote(self._place, attempt.id, grace)

        refs = [assistant.assist.remote(attempt) for assistant in self._assistants]
        watch = Watch(refs, folder, journal, ask_to_stop)
        ending = super()._call(checkpoints, folder, journal)
        over = time.time()
        if ending.failure is None and not ending.stopped:
            watch.wait()
        watch.close()
        outcomes = outcomes_of(refs, _PARTING_SECONDS)
        for assistant in self._assistants:
            ray.kill(assistant, no_restart=True)
        return judged(ending, outcomes, over)


class Team:
    """Makes the workers of one trial, and ends them."""

    def __init__(self, attempt: Attempt, objective: bytes, metric: str, place: Place, needs: tuple[Shape, int]) -> None:
        """needs: of one worker, and how many there are."""
        place.find_modules()
        self._attempt = attempt
        self._arguments = objective, metric, place
        self._place = place
        self._shape, self._count = needs
        self._workers: list[Handle] = []
        self._hellos: list[Hello] = []
        self._asked = False

    def hello(self) -> Hello:
        """Answers once all are there, for the first of them."""
        if not self._hellos:
            bundle = self._shape.bundle() or _NOTHING
            group = placement_group([bundle] * self._count, strategy="PACK")
            while not group.wait(60):
                pass
            objective, metric, place = self._arguments
            shared: Any = ray.put(objective)
            for index in range(self._count):
                where = PlacementGroupSchedulingStrategy(group, index)
                kind: Any = ray.remote(Assistant if index else Lead)
                actor = kind.options(**self._shape.options(), scheduling_strategy=where)
                self._workers.append(actor.remote(shared, metric, place))
            self._hellos = ray.get([worker.hello.remote() for worker in self._workers])
        return self._hellos[0]

    def run(self) -> Told | None:
        """Run the trial to its end; None if its folder has more to say of it than fits in here, or it was run."""
        if self._asked:
            return None
        self._asked = True
        try:
            self.hello()
            lead, attempt = self._workers[0], self._attempt
            meeting = Meeting(*ray.get(lead.meeting.remote()))
            nodes = [hello.node for hello in self._hellos]
            address = "127.0.0.1" if len(set(nodes)) == 1 else meeting.address
            places = ranks(nodes)
            for worker, place in zip(self._workers, places, strict=True):  # one by one: some share a folder
                ray.get(worker.prepare.remote(attempt, place.variables(address, meeting.port)))
            ordered = [self._workers[places.index(place)] for place in sorted(places)]
            told: Told | None = ray.get(lead.lead.remote(attempt, ordered[1:], frozenset(nodes), self._place))
            return told
        finally:
            self._end_later()

    def _end_later(self) -> None:
        """Give the resources back, and after some time go."""
        for worker in self._workers:
            ray.kill(worker, no_restart=True)
        this = ray.get_runtime_context().current_actor
        timer = threading.Timer(LINGER_SECONDS, lambda: ray.kill(this, no_restart=True))
        timer.daemon = True
        timer.start()


def request_stop(place: Place, id: AttemptId, grace: float) -> None:
    """Write down on this node that the attempt is to end."""
    place.find_modules()
    folder = AttemptFolder.of(place.here().root, id)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.end(Phase.STOPPED, None, "stopped", grace)
