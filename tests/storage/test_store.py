"""The contracts of Store, Leases, ObservationLog and Documents, over every kind of store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from katib.storage import Opened, open_store
from tests.contracts.documents_contract import DocumentsContract
from tests.contracts.leases_contract import LeasesContract
from tests.contracts.observation_log_contract import ObservationLogContract
from tests.contracts.store_contract import StoreContract
from tests.database_servers import SERVERS

pytestmark = [
    pytest.mark.every_store,
    pytest.mark.parametrize("store_url", ["memory", "sqlite", *SERVERS], indirect=True),
]


@pytest.fixture
def opened(store_url: str) -> Iterator[Opened]:
    opened = open_store(store_url)
    yield opened
    opened.store.close()


class TestStore(StoreContract):
    pass


class TestLeases(LeasesContract):
    pass


class TestObservationLog(ObservationLogContract):
    pass


class TestDocuments(DocumentsContract):
    pass
