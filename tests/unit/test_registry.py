"""Open stores by their config, which several threads may ask for."""

import sys
from collections.abc import Iterator
from threading import Thread

import pytest

from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import Stores


@pytest.fixture
def _impatient() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_impatient")
def test_stores_can_be_listed_while_another_thread_opens_some() -> None:
    stores = Stores(this_host())

    def open_many() -> None:
        for number in range(3000):
            stores.get(StoreConfig(f"file:///nowhere/{number}"))

    thread = Thread(target=open_many)
    thread.start()
    while thread.is_alive():
        stores.opened()
    assert len(stores.opened()) == 3000
    stores.close()
