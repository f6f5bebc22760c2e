"""The suggestion service: Katib's ``Suggestion`` gRPC service over this project's algorithms.

Stateless: a request carries the whole history, so any replica answers any call and a restart loses nothing. What is
kept between calls are algorithm objects, which saves building them again and changes no answer.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from algorithms import ALGORITHMS, create_algorithm
from katib.core.errors import KatibError, PermanentError, SpecError, UnknownNameError
from katib.core.experiment import ExperimentSpec
from katib.core.ports import Algorithm
from suggestion_service.codec import foreign, trials
from suggestion_service.codec.experiment import decode_experiment
from suggestion_service.codec.proposals import encode_proposal, for_katib
from suggestion_service.errors import errors_as_status
from suggestion_service.generated import api_pb2 as pb

SERVICE = "api.v1.beta1.Suggestion"
# The names under which clients ask after the service's health: Katib's controller, gRPC's own custom, anyone.
HEALTH_NAMES = ("manager.v1beta1.Suggestion", SERVICE, "")
MAX_COUNT = 100_000  # suggestions in one call: a mistaken number must not fill the memory

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a share of the other's calls
)
_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")

Create = Callable[[ExperimentSpec], Algorithm]


def create_listed(spec: ExperimentSpec) -> Algorithm:
    """The algorithm that ``spec`` names, if the algorithm table lists it.

    A name of the form ``package.module:Class`` would let a caller load any code by the network, so it is unknown here.
    """
    if spec.algorithm.name not in ALGORITHMS:
        raise UnknownNameError("algorithm", spec.algorithm.name, ALGORITHMS)
    return create_algorithm(spec)


class _Built(NamedTuple):
    """An algorithm, and the lock that keeps its caches to one call at a time."""

    spec: ExperimentSpec
    algorithm: Algorithm
    lock: threading.Lock


class SuggestionServicer:
    """Answers the calls of ``api.v1.beta1.Suggestion``. Requests come as bytes, so that a malformed one is answered
    like any other bad argument."""

    def __init__(self, create: Create) -> None:
        """``create`` builds an algorithm and raises SpecError where that cannot be."""
        self._create = create
        self._built = lru_cache(maxsize=64)(self._build)

    def ValidateAlgorithmSettings(self, data: bytes, context: Any) -> pb.ValidateAlgorithmSettingsReply:
        """Empty reply if the algorithm can be built. Katib's controller takes only INVALID_ARGUMENT for a refusal."""
        with errors_as_status(context, refusal=grpc.StatusCode.INVALID_ARGUMENT):
            experiment = _parse(pb.ValidateAlgorithmSettingsRequest, data).experiment
            foreign.take_memory(experiment)
            self._built(experiment.SerializeToString(deterministic=True))
        return pb.ValidateAlgorithmSettingsReply()

    def GetSuggestions(self, data: bytes, context: Any) -> pb.GetSuggestionsReply:
        """The algorithm's answer to the history in the request."""
        with errors_as_status(context):
            request = _parse(pb.GetSuggestionsRequest, data)
            if not 0 <= request.current_request_number <= MAX_COUNT:
                raise SpecError(
                    f"current_request_number: got {request.current_request_number}, expected 0 to {MAX_COUNT}"
                )
            if request.experiment.HasField("record"):
                return self._answer_own(request)
            return self._answer_katib(request)

    def _answer_own(self, request: pb.GetSuggestionsRequest) -> pb.GetSuggestionsReply:
        built = self._built(request.experiment.SerializeToString(deterministic=True))
        space, objective = built.spec.space, built.spec.objective
        history = _decoded(lambda: trials.decode_history(request.trials, space, objective))
        with built.lock:
            proposal = built.algorithm.suggest(history, request.current_request_number)
        return encode_proposal(proposal, built.spec)

    def _answer_katib(self, request: pb.GetSuggestionsRequest) -> pb.GetSuggestionsReply:
        memory = foreign.take_memory(request.experiment)
        built = self._built(request.experiment.SerializeToString(deterministic=True))
        space, objective = built.spec.space, built.spec.objective
        history = _decoded(lambda: foreign.decode_history(request, space, objective, memory))
        first = history.next_number
        with built.lock:
            proposal = built.algorithm.suggest(history, request.current_request_number)
        reply = encode_proposal(proposal, built.spec)
        for_katib(reply, built.spec, first, foreign.remember(memory, first, proposal.suggestions))
        return reply

    def _build(self, experiment: bytes) -> _Built:
        spec = _decoded(lambda: decode_experiment(pb.Experiment.FromString(experiment)))
        return _Built(spec, self._create(spec), threading.Lock())


class Server:
    """A running service. port: the one it listens on."""

    def __init__(self, server: Any, port: int, servicer: health.HealthServicer) -> None:
        self.port = port
        self._server = server
        self._health = servicer

    def stop(self, grace: float = 5.0) -> None:
        """Take no more calls, let running ones end within ``grace`` seconds, and return when all is closed."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()


def serve(
    address: str = "127.0.0.1:6789", *, create: Create = create_listed, max_workers: int = 10, insecure: bool = False
) -> Server:
    """Start the service on ``address`` (HOST:PORT; port 0 picks a free one) and return while it runs.

    Calls are neither encrypted nor authenticated, so an address beyond this machine needs ``insecure=True``. Raises
    PermanentError for such an address without it, and for one that cannot be listened on.
    """
    if not insecure and not is_loopback(address):
        raise PermanentError(
            f"address {address!r} can be reached from other machines and calls are not protected: "
            "listen on 127.0.0.1, or allow it with --insecure"
        )
    server = grpc.server(ThreadPoolExecutor(max_workers, thread_name_prefix="suggestion"), options=_OPTIONS)
    servicer = SuggestionServicer(create)
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            getattr(servicer, name), response_serializer=lambda reply: reply.SerializeToString()
        )
        for name in ("GetSuggestions", "ValidateAlgorithmSettings")
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    health_servicer = health.HealthServicer()
    for name in HEALTH_NAMES:
        health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise PermanentError(f"cannot listen on {address}: the port may be taken by another process") from error
    server.start()
    return Server(server, port, health_servicer)


def run(host: str = "127.0.0.1", port: int = 6789, insecure: bool = False, lifeline: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; prints one line when ready. Must be called by the main thread.

    lifeline: file descriptor at whose end the service ends too. The other end of a pipe closes with the process that
    holds it, however that dies, so a service that another process started for itself does not outlive it.
    """
    ended = threading.Event()
    name = f"[{host}]" if ":" in host else host
    with _signals_set(ended):
        server = serve(f"{name}:{port}", insecure=insecure)
        sys.stdout.write(f"suggestion service listening on {name}:{server.port}\n")
        sys.stdout.flush()
        if lifeline is not None:
            threading.Thread(target=_watch, args=(lifeline, ended), name="lifeline", daemon=True).start()
        ended.wait()
        server.stop()


@contextmanager
def _signals_set(ended: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set ``ended`` for the time of the block."""
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _watch(lifeline: int, ended: threading.Event) -> None:
    while os.read(lifeline, 4096):
        pass
    ended.set()


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT can be reached from this machine only."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse(kind: type[_M], data: bytes) -> _M:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise SpecError(f"malformed request: the bytes are no {kind.__name__}") from error


def _decoded(decode: Callable[[], _T]) -> _T:
    """What ``decode`` makes of a peer's message; whatever trips over its contents becomes a SpecError."""
    try:
        return decode()
    except KatibError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise SpecError(f"malformed request: {error}") from error
