"""What a config says of a shared store: the node's name, where the password is, and what of a URL people may see."""

import json
from typing import Any

import pytest

from ipam import config
from ipam.errors import InvalidConfig
from ipam.model import Host, StoreConfig

URL = "postgresql+psycopg://ipam@db.example.org/ipam"
HOST = Host("vm", "boot", lambda: 1.0)


def store(*, strict: bool = True, **ipam: Any) -> StoreConfig:
    """The store of a config with these keys."""
    conf = config.decode(json.dumps({"name": "net", "ipam": {"store": URL, **ipam}}).encode())
    return config.store_config(conf, strict=strict)


def test_a_node_has_the_name_that_the_config_gives_it_or_its_own() -> None:
    assert HOST.named(store().node) == HOST
    assert HOST.named(store(nodeName="node-7.example").node).node == "node-7.example"
    assert HOST.named("node-7").boot == HOST.boot


@pytest.mark.parametrize("name", ["a b", "-a", "a/b", "a" * 254, "ü", 7, True, "a\n"])
def test_a_node_name_that_is_no_host_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidConfig, match=r"ipam\.nodeName"):
        store(nodeName=name)


def test_a_del_goes_on_in_no_nodes_name_where_the_config_has_a_bad_one() -> None:
    found = store(nodeName="a b", durability="full", lockTimeout="x", strict=False)
    assert (found.node, found.durable, found.lock_timeout) == (None, True, 10.0)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("path", ["password", "./password", 7, "/etc/\0"])
def test_a_password_file_has_an_absolute_path(path: object, *, strict: bool) -> None:
    assert store(passwordFile="/etc/ipam/password").password_file == "/etc/ipam/password"
    with pytest.raises(InvalidConfig, match=r"ipam\.passwordFile"):
        store(passwordFile=path, strict=strict)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ipam:geheim@db/ipam", "postgresql://ipam:***@db/ipam"),
        ("postgresql://ipam:ge:he@im@db/ipam", "postgresql://ipam:***@db/ipam"),
        ("postgresql://ipam:ge/he?im@db/ipam", "postgresql://ipam:***@db/ipam"),
        ("postgresql://ipam:geheim@db?sslpassword=x", "postgresql://ipam:***@db?sslpassword=***"),
        ("postgresql://ipam:geheim@/ipam?host=/run", "postgresql://ipam:***@/ipam?host=/run"),
        ("postgresql://ipam@db/ipam?host=/run", "postgresql://ipam@db/ipam?host=/run"),
        ("sqlite:////var/lib/a@b:c/ipam.db", "sqlite:////var/lib/a@b:c/ipam.db"),
        ("file:///var/lib/cni/networks", "file:///var/lib/cni/networks"),
        ("memory:", "memory:"),
        ("postgresql://db/ipam?password=geheim&sslmode=require", "postgresql://db/ipam?password=***&sslmode=require"),
        ("postgresql://db/ipam?user=a&password=geheim", "postgresql://db/ipam?user=a&password=***"),
    ],
)
def test_people_see_a_url_without_its_password(url: str, shown: str) -> None:
    assert StoreConfig(url).shown == shown


def test_a_store_beside_a_data_dir_is_refused_without_its_password() -> None:
    with pytest.raises(InvalidConfig) as refused:
        store(store="postgresql://ipam:geheim@db/ipam", dataDir="/var/lib/cni/networks")
    assert "geheim" not in refused.value.msg + refused.value.details
