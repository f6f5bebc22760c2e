"""``katib.KatibClient``: the client of Katib's Python SDK, for this machine, ``katib serve`` or a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

from katib.client.choice import Given, default_namespace, open_backend
from katib.client.trial_methods import TrialMethods
from katib.client.tune_method import TuneMethod
from suggestion_service.security import ClientSecurity


class KatibClient(TuneMethod, TrialMethods):
    """Creates, watches and deletes experiments, with the methods of ``kubeflow.katib.KatibClient``.

    Where they are is said by one of ``server`` (``katib serve``), ``store`` (this machine) or the first three arguments
    (a cluster). If none is given: ``$KATIB_SERVER``, else ``$KATIB_STORE``, else the cluster of this pod or of the
    kubeconfig (``$KUBECONFIG``, ``~/.kube/config``), else this user's own store on this machine.

    On this machine, the experiments that a client creates, edits, deletes or waits for are run by threads of its
    process until it is closed, unless another process (``katib serve``, ``katib run``) runs them. Trials that run then
    go on, and are taken up by the next client that waits for the experiment, or by ``katib serve``.
    """

    def __init__(  # noqa: PLR0913 - the first four are those of Katib's SDK, the rest are keywords
        self,
        config_file: str | None = None,
        context: str | None = None,
        client_configuration: Any = None,
        namespace: str | None = None,
        *,
        server: str | None = None,
        store: str | None = None,
        token: str | None = None,
        ca: str | os.PathLike[str] | None = None,
    ) -> None:
        """config_file, context: of a kubeconfig. client_configuration: a ``kubernetes.client.Configuration``.
        namespace: where methods that name none look; that of this pod, else ``default``. server: URL of ``katib
        serve``. store: URL of a store, empty for this user's own. token, ca: for ``katib serve``; the token is
        ``$KATIB_TOKEN`` unless given, and goes to another machine over https only.

        Raises ValueError if several places are given, and KatibError if the place cannot be used.
        """
        security = ClientSecurity(Path(ca) if ca is not None else None, token=token or "")
        given = Given(config_file, context, client_configuration, server, store, security).chosen(os.environ)
        super().__init__(open_backend(given), namespace or default_namespace())

    def close(self) -> None:
        """Give up what the client holds; on this machine it runs no experiment from then on."""
        self._backend.close()

    def __enter__(self) -> KatibClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
