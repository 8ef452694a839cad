"""Any config, any sequence of ADD, DEL and CHECK: ours and Go host-local do the same at every step.

What differs on purpose is modelled: after a failed ADD the position of Go's round robin is put back
(`failed-add-leaves-no-trace`), and an attachment that holds a lease does not ask for an address
(`second-add-with-a-request`).

IPAM_TEST_EXAMPLES=500 tries that many random sequences instead of the few fixed ones.
"""

import os
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from tests.peer.cases import conf
from tests.peer.comparison import (
    Answer,
    Call,
    Json,
    Plugin,
    cursors,
    differing_answers,
    differing_files,
    faults,
    leases,
)

EXAMPLES = os.environ.get("IPAM_TEST_EXAMPLES")

CODES = {
    "no IP addresses available": 100,
    "is not available in range set": 101,
    "Failed to find address": 102,
    "duplicate allocation is not allowed": 103,
    "is subnet's gateway": 104,
    "failed to allocate all requested IPs": 104,
}
"""Our code for what Go says."""

NOWHERE = "192.168.255.1"


@dataclass(frozen=True)
class Action:
    """A step; `requests` are picks: which range set, and how far into its range."""

    command: str
    container: str
    ifname: str
    requests: tuple[tuple[int, int], ...] = ()
    nowhere: bool = False


@st.composite
def subnets(draw: st.DrawFn, family: int, number: int) -> Json:
    """A range of a few addresses in a subnet of its own."""
    prefix = draw(st.integers(28, 30) if family == 4 else st.integers(124, 126))
    network = ip_network(f"10.0.{number}.0/{prefix}" if family == 4 else f"fd00:0:0:{number}::/{prefix}")
    # The last address of an IPv4 subnet is the broadcast address: an end, but not a start or a gateway.
    last = network.num_addresses - 1
    start = draw(st.none() | st.integers(1, last - 1))
    end = draw(st.none() | st.integers(start or 1, last))
    gateway = draw(st.none() | st.integers(1, last - 1))
    found: Json = {"subnet": str(network)}
    for key, offset in {"rangeStart": start, "rangeEnd": end, "gateway": gateway}.items():
        if offset is not None:
            found[key] = str(network[offset])
    return found


@st.composite
def configs(draw: st.DrawFn) -> Json:
    """One to three range sets of one or two small ranges each."""
    range_sets = []
    for place in range(draw(st.integers(1, 3))):
        family = draw(st.sampled_from([4, 6]))
        range_sets.append([draw(subnets(family, 2 * place + which)) for which in range(draw(st.integers(1, 2)))])
    return conf({"ranges": range_sets}, draw(st.sampled_from(["0.4.0", "1.0.0"])))


_PICKS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=2, unique_by=lambda pick: pick[0])
ACTIONS = st.builds(
    Action,
    st.sampled_from(["ADD", "ADD", "ADD", "DEL", "CHECK"]),
    st.sampled_from("abc"),
    st.sampled_from(["eth0", "eth1"]),
    st.just(()) | st.just(()) | _PICKS.map(tuple),
    st.sampled_from([False] * 19 + [True]),
)


def requested(action: Action, config: Json) -> list[str]:
    """The addresses that an action asks for, at most one of each range set."""
    found = []
    range_sets = config["ipam"]["ranges"]
    for place, offset in action.requests:
        if place < len(range_sets):
            chosen = range_sets[place][0]
            start = ip_address(chosen.get("rangeStart") or ip_network(chosen["subnet"])[1])
            address = start + offset
            last = ip_address(chosen.get("rangeEnd") or ip_network(chosen["subnet"])[-2])
            found.append(str(min(address, last)))
    return found + [NOWHERE] * action.nowhere


def expected_code(go: Answer) -> int:
    """Our code for an answer of Go."""
    if go.succeeded:
        return 0
    return next(code for words, code in CODES.items() if words in go.body["msg"])


def take(action: Action, config: Json, go: Plugin, other: Plugin) -> None:
    """One step by Go in its directory and by `other` in the other; what Go moved in vain is put back."""
    before = go.files()
    held = f"{action.container}\r\n{action.ifname}".encode() in leases(before).values()
    asked = requested(action, config) if action.command == "ADD" and not held else []
    if asked:
        config = {**config, "runtimeConfig": {"ips": asked}}
    call = Call(action.command, config, action.container, action.ifname)
    theirs, here = go(call), other(call)
    code = expected_code(theirs)
    note(f"{action} asks for {asked}: {code}")
    event(f"{action.command}: {code}")
    if not theirs.succeeded:
        for each in (go, other):
            each.write({name: before.get(name) for name in cursors(each.files())})
    if other.executable == go.executable:
        assert (here.status, here.stdout) == (theirs.status, theirs.stdout)
    else:
        assert not faults(call, here)
        assert not differing_answers(theirs, here)
        assert here.code == code
    assert not differing_files(go.files(), other.files())


SETTINGS = settings(
    max_examples=int(EXAMPLES or 15), derandomize=not EXAMPLES, deadline=None, print_blob=bool(EXAMPLES)
)


@SETTINGS
@given(config=configs(), actions=st.lists(ACTIONS, min_size=6, max_size=16))
def test_ours_and_go_agree_at_every_step(
    go_host_local: Path, plugin: Path, config: Json, actions: list[Action]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        go = Plugin(go_host_local, Path(scratch, "a"))
        ours = Plugin(plugin, Path(scratch, "b"))
        for action in actions:
            take(action, config, go, ours)


@SETTINGS
@given(config=configs(), turns=st.lists(st.tuples(ACTIONS, st.booleans()), min_size=6, max_size=16))
def test_ours_and_go_on_one_directory_do_what_go_does_alone(
    go_host_local: Path, plugin: Path, config: Json, turns: list[tuple[Action, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        go = Plugin(go_host_local, Path(scratch, "a"))
        here = [Plugin(executable, Path(scratch, "b")) for executable in (go_host_local, plugin)]
        for action, ours in turns:
            take(action, config, go, here[ours])
