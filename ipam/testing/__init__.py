"""StoreContract: the suite that every lease store passes. Subclass it, say how to open yours, run pytest.

class TestMyStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"mine://{tmp_path}/leases"
"""

from ipam.testing.addresses import AddressContract
from ipam.testing.chain import ChainContract
from ipam.testing.durability import DurabilityContract
from ipam.testing.history import HistoryContract
from ipam.testing.leases import LeaseContract
from ipam.testing.moving import ReplayContract
from ipam.testing.resting import RestContract

__all__ = ["StoreContract"]


class StoreContract(
    LeaseContract, AddressContract, RestContract, HistoryContract, ChainContract, ReplayContract, DurabilityContract
):
    """What MUST hold of any store; `url` is what a subclass has to provide."""
