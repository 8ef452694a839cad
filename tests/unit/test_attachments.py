"""What a config tells of attachments: which are valid, and what one was given."""

import pytest

from ipam.attachments import previous_addresses, valid_attachments
from ipam.errors import InvalidConfig
from ipam.model import IPV6, Address, Attachment
from ipam.testing.fixtures import ipv4
from tests.unit.test_config import decoded


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_valid_attachments_are_absent_empty_or_listed(key: str) -> None:
    listed = [{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifName": "eth1", "more": 5}]
    assert valid_attachments(decoded()) is None
    assert valid_attachments(decoded(**{key: []})) == set()
    assert valid_attachments(decoded(**{key: None})) == set()
    assert valid_attachments(decoded(**{key: listed})) == {Attachment("a", "eth0"), Attachment("b", "eth1")}


def test_the_newer_key_of_valid_attachments_counts() -> None:
    newer, older = [{"containerID": "a", "ifname": "eth0"}], [{"containerID": "b", "ifname": "eth0"}]
    conf = decoded(**{"cni.dev/attachments": older, "cni.dev/valid-attachments": newer})
    assert valid_attachments(conf) == {Attachment("a", "eth0")}


def test_prev_result_is_read_in_every_form() -> None:
    five, six = ipv4("10.0.0.5"), Address(IPV6, (0xFD00 << 112) + 5)
    assert previous_addresses(decoded()) is None
    assert previous_addresses(decoded(prevResult=None)) is None
    assert previous_addresses(decoded(prevResult={})) == []
    assert previous_addresses(decoded(prevResult={"ips": None, "dns": {}})) == []
    ips = [{"version": "4", "address": "10.0.0.5/24", "interface": 0}, {"Address": "fd00::5/64"}]
    assert previous_addresses(decoded(prevResult={"ips": ips})) == [five, six]


@pytest.mark.parametrize(
    "entry", [{"containerID": "a"}, {"containerID": "a", "ifname": None}, {"containerID": "a", "ifname": ""},
              {"containerID": "a", "interface": "eth0"}, {"ifname": "eth0"}, "a", None],
    ids=str,
)  # fmt: skip
def test_an_attachment_that_is_not_whole_is_refused_for_guesses_free_the_living(entry: object) -> None:
    with pytest.raises(InvalidConfig, match=r"cni\.dev/valid-attachments\[0\]"):
        valid_attachments(decoded(**{"cni.dev/valid-attachments": [entry]}))
