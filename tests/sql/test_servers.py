"""Servers as they may be set up: what a URL can say of them, encodings, and several who come at once."""

import pytest

from ipam.errors import InvalidConfig
from tests.sql.allocation import claim, opened
from tests.sql.cluster import Cluster


@pytest.mark.parametrize("setting", ["autocommit=1", "prepare_threshold=0", "row_factory=x", "context=1", "mistyped=1"])
def test_a_setting_that_the_driver_alone_would_take_is_refused(setting: str, postgresql: Cluster) -> None:
    url = postgresql.store()
    with opened(f"{url}&{setting}") as store:
        for attempt in (lambda: claim(store), store.check, lambda: list(store.networks()), store.upgrade):
            with pytest.raises(InvalidConfig, match=f'libpq does not know: "{setting.partition("=")[0]}"'):
                attempt()
    with opened(url) as store:
        assert list(store.networks()) == []
