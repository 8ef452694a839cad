"""`ipam release` and `ipam restore`: recorded, refused where they would hurt, undone."""

import pytest

from ipam.model import IPV4, Address, Attachment, Cause, Lease, Pod
from tests.cli.node import NAME, ONE_STORE, Node
from tests.peer.namespaces import Namespace


@pytest.fixture
def node(node: Node) -> Node:
    """A node with addresses of its own: what is in namespaces here, leases of other tests must not be taken for."""
    node.subnet = "10.205.0.0/24"
    return node


@pytest.fixture
def leased(node: Node) -> Node:
    """A node with three leases, made long ago."""
    node.configure()
    node.now = 1_700_000_000.0
    for name in ("c1", "c2", "c3"):
        node.add(name, pod=Pod("default", f"pod-{name}"))
    node.now = None
    return node


def held(node: Node) -> list[str]:
    """The containers that hold something."""
    return [lease.attachment.container_id for lease in node.leases()]


def last_event(node: Node) -> dict[str, object]:
    """The last event of history."""
    row = node.run("history", "-o", "json").json()[-1]
    assert isinstance(row, dict)
    return row


def test_a_released_address_rests_and_history_tells_who_released_it_and_why(
    leased: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "erika")
    said = leased.run("release", "10.205.0.3", "--reason", "its host is gone")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"released 10.205.0.3 on {NAME}, held by container c2 eth0 (pod default/pod-c2)\n"
    assert held(leased) == ["c1", "c3"]
    event = last_event(leased)
    assert (event["cause"], event["container"], event["note"]) == ("release", "c2", "by erika: its host is gone")
    (usage,) = leased.run("usage", "-o", "json").json()
    assert (usage["leased"], usage["resting"]) == (2, 1)
    (new,) = leased.add("c4")
    assert new.address.value & 255 == 5


def test_all_of_a_container_is_released_at_once(leased: Node) -> None:
    leased.add("c2", name="other")
    assert leased.run("release", "--container", "c2").code == 0
    assert (held(leased), leased.leases("other")) == (["c1", "c3"], [])


@ONE_STORE
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ([], 2, "either an ADDRESS or --container"),
        (["10.205.0.3", "--container", "c2"], 2, "either an ADDRESS or --container"),
        (["10.205.0.99"], 1, "nobody holds 10.205.0.99"),
        (["10.205.0"], 2, "'10.205.0' is no IP address"),
        (["--container", "c"], 1, "container 'c' holds nothing"),
        (["10.205.0.3", "--rest", "soon"], 2, "no duration"),
    ],
)
def test_what_cannot_be_released_is_refused(leased: Node, words: list[str], code: int, text: str) -> None:
    said = leased.run("release", *words)
    assert (said.code, said.out) == (code, "")
    assert text in said.err
    assert held(leased) == ["c1", "c2", "c3"]


@ONE_STORE
def test_an_address_on_two_networks_is_not_guessed(leased: Node) -> None:
    leased.add("c9", name="other")
    said = leased.run("release", "10.205.0.2")
    assert (said.code, "--network" in said.err) == (1, True)
    assert leased.run("release", "10.205.0.2", "--network", "other").code == 0
    assert held(leased) == ["c1", "c2", "c3"]


def test_what_looks_alive_is_released_only_by_force(leased: Node, as_root: None) -> None:
    container = Namespace("container")
    try:
        container.run("ip", "address", "add", "10.205.0.3/32", "dev", "lo")
        container.run("ip", "link", "set", "lo", "up")
        said = leased.run("release", "10.205.0.3")
        assert said.code == 1
        assert "looks alive" in said.err
        assert f"the address is in /run/netns/{container.name}" in said.err
        assert "--force" in said.err
        assert held(leased) == ["c1", "c2", "c3"]
        assert leased.run("release", "10.205.0.3", "--force").code == 0
        assert held(leased) == ["c1", "c3"]
    finally:
        container.remove()


def test_a_lease_of_another_node_is_released_only_by_force(leased: Node) -> None:
    lease = Lease(Address(IPV4, 0x0ACD0063), Attachment("there", "eth0"), 0, since=1.0, node="another")
    leased.change(lambda tx: tx.claim(lease, Cause.ADD))
    said = leased.run("release", "10.205.0.99")
    assert (said.code, "on node another: release it there" in said.err) == (1, True)
    assert leased.run("release", "10.205.0.99", "--force").code == 0


def test_a_released_lease_is_restored_as_it_was(leased: Node) -> None:
    before = leased.leases()
    leased.run("release", "10.205.0.3")
    said = leased.run("restore", "10.205.0.3", "--reason", "a mistake")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"restored 10.205.0.3 on {NAME} to container c2 eth0 (pod default/pod-c2)\n"
    assert leased.leases() == before
    event = last_event(leased)
    assert (event["cause"], str(event["note"]).endswith(": a mistake")) == ("restore", True)
    (usage,) = leased.run("usage", "-o", "json").json()
    assert usage["resting"] == 0


def test_an_address_that_somebody_else_has_by_now_is_not_restored(leased: Node) -> None:
    leased.run("release", "10.205.0.2", "--rest", "0")
    lease = Lease(Address(IPV4, 0x0ACD0002), Attachment("c9", "eth0"), 0)
    leased.change(lambda tx: tx.claim(lease, Cause.ADD))
    said = leased.run("restore", "10.205.0.2")
    assert (said.code, said.out) == (1, "")
    assert "10.205.0.2 is held by container c9" in said.err


def test_a_container_that_has_another_address_by_now_does_not_get_the_old_one_back(leased: Node) -> None:
    leased.run("release", "10.205.0.3")
    leased.add("c2")
    said = leased.run("restore", "10.205.0.3")
    assert (said.code, "holds 10.205.0.5 by now" in said.err) == (1, True)


def test_only_what_an_operator_took_away_is_restored(leased: Node) -> None:
    leased.delete("c2")
    said = leased.run("restore", "10.205.0.3")
    assert (said.code, "its lease ended by del" in said.err) == (1, True)
    assert "is held by container c1" in leased.run("restore", "10.205.0.2").err
    assert "history knows nothing of 10.205.0.77" in leased.run("restore", "10.205.0.77").err
