"""The contracts of Store, Leases and ObservationLog, over every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.storage import Opened, open_store
from tests.contracts.leases_contract import LeasesContract
from tests.contracts.observation_log_contract import ObservationLogContract
from tests.contracts.store_contract import StoreContract

URLS = {"memory": "memory://", "sqlite": "sqlite:///{folder}/katib.db"}


@pytest.fixture(params=URLS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    opened = open_store(URLS[request.param].format(folder=tmp_path))
    yield opened
    opened.store.close()


class TestStore(StoreContract):
    pass


class TestLeases(LeasesContract):
    pass


class TestObservationLog(ObservationLogContract):
    pass
