"""Decides what a fault did to a node: nothing, or one of eight kinds of damage."""

import json
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from tests.faults.injector import Fault, Outcome, run
from tests.faults.scenario import NEIGHBOUR, NETWORK, TORN, VICTIM, Next, Scenario

OWN_FILES = {"lock", "last_reserved_ip.0", "last_reserved_ip.1"}


class Damage(Enum):
    """The columns of the table."""

    LEAKED = "leaked"
    HALF = "half an attachment"
    DUPLICATE = "duplicate or lost"
    WEDGED = "wedged"
    FALSE_DONE = "false done"
    LEFT = "left by a failed ADD"
    BAD_JSON = "bad JSON"
    BROKEN = "broken history"


class Finding(NamedTuple):
    """One piece of damage, in words."""

    damage: Damage
    text: str


class Verdict(NamedTuple):
    """What the judge saw. Without a `hit` the fault met no call, and the run counts for nothing."""

    hit: bool
    findings: list[Finding]


class Node:
    """One data directory and the plugin that works on it, seen from outside only."""

    def __init__(self, plugin: Path, directory: Path, scenario: Scenario) -> None:
        self.plugin = plugin
        self.directory = directory
        self.config = scenario.config(directory)

    def environment(self, command: str, who: str) -> dict[str, str]:
        """The CNI variables of a call, and nothing else."""
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": who,
            "CNI_NETNS": "/var/run/netns/faults",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self.plugin.parent),
        }

    def call(self, command: str, who: str, fault: Fault | None = None) -> Outcome:
        """One call of the plugin."""
        return run([str(self.plugin)], self.environment(command, who), self.config, fault=fault)

    def files(self) -> dict[str, bytes]:
        """All lease files, and whatever else should not be in the network's directory."""
        directory = self.directory / NETWORK
        if not directory.is_dir():
            return {}
        found = {path.name: path for path in directory.iterdir() if path.name not in OWN_FILES}
        return {name: path.read_bytes() if path.is_file() else b"not a file" for name, path in sorted(found.items())}

    def held_by(self, who: str) -> set[str]:
        """The addresses whose file says, to the last byte, that this attachment holds them."""
        return {name for name, content in self.files().items() if content == lease(who)}


def is_address(name: str) -> bool:
    """Whether a file of this name stands for an address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def lease(who: str) -> bytes:
    """The content of a lease file."""
    return f"{who}\r\neth0".encode()


def prepare(node: Node, scenario: Scenario, torn: Fault | None = None) -> None:
    """The leases that are there before the fault, and what is left of an ADD that was killed."""
    before = [f"other-{number}" for number in range(scenario.others)]
    for who in before + ([VICTIM] if scenario.command == "DEL" else []):
        outcome = node.call("ADD", who)
        if outcome.exit_code != 0:
            raise RuntimeError(f"cannot prepare {scenario.name}: {outcome.stdout!r} {outcome.stderr!r}")
    if torn:
        node.call("ADD", TORN, torn)


def judge(node: Node, scenario: Scenario, fault: Fault, torn: Fault | None = None) -> Verdict:
    """Let the fault strike, go on as a node does, and say what is damaged."""
    prepare(node, scenario, torn)
    before = node.files()
    others = {name: content for name, content in before.items() if content.startswith(b"other-")}
    outcome = node.call(scenario.command, VICTIM, fault)
    found = [*_reply(outcome, scenario), *_promise(node, before, outcome, scenario)]
    if scenario.then is Next.NEIGHBOUR:
        found += _neighbour(node, others, len(scenario.ranges))
    for who in (VICTIM, TORN) if torn else (VICTIM,):
        found += _delete(node, who)
    after = node.files()
    found += [
        Finding(Damage.LEAKED, f"{name} {content!r} belongs to nobody")
        for name, content in after.items()
        if name not in others
    ]
    found += [
        Finding(Damage.DUPLICATE, f"{name} of {content!r} is now {after.get(name)!r}")
        for name, content in others.items()
        if after.get(name) != content
    ]
    found += _fill(node, scenario, set(after))
    found += _history(node)
    return Verdict(outcome.hit, found)


def _history(node: Node) -> list[Finding]:
    """The chain of history holds; Go keeps none."""
    store = open_store(StoreConfig(f"file://{node.directory}"), this_host())
    problems = store.verify(NETWORK).problems
    store.close()
    return [Finding(Damage.BROKEN, f"event {each.number}, {each.place}: {each.why}") for each in problems[:1]]


def addresses(stdout: bytes) -> list[str] | None:
    """The addresses of a result; None if it is none."""
    try:
        result = json.loads(stdout)
        return [entry["address"].partition("/")[0] for entry in result["ips"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_error(stdout: bytes) -> bool:
    """Whether this is one CNI error object and nothing else."""
    try:
        error = json.loads(stdout)
    except ValueError:
        return False
    return isinstance(error, dict) and isinstance(error.get("code"), int) and isinstance(error.get("msg"), str)


def _reply(outcome: Outcome, scenario: Scenario) -> list[Finding]:
    """Nothing from a killed plugin or one whose stdout fails; else one object that fits the exit code."""
    if outcome.hung:
        return [Finding(Damage.WEDGED, "the plugin hangs")]
    if outcome.stdout == b"" and (outcome.killed or (outcome.mute and outcome.exit_code != 0)):
        return []
    done = outcome.exit_code == 0 or outcome.killed
    fits = addresses(outcome.stdout) is not None if scenario.command == "ADD" else outcome.stdout == b""
    if (done and fits) or (outcome.exit_code != 0 and is_error(outcome.stdout)):
        return []
    said = f"exit {outcome.exit_code}, stdout {outcome.stdout[:200]!r}, stderr {outcome.stderr[-300:]!r}"
    return [Finding(Damage.BAD_JSON, said)]


def _promise(node: Node, before: dict[str, bytes], outcome: Outcome, scenario: Scenario) -> list[Finding]:
    """What the answer says is so; a killed plugin has promised nothing."""
    if outcome.killed or outcome.hung:
        return []
    after = node.files()
    if scenario.command == "DEL":
        held = {name for name, content in after.items() if content == lease(VICTIM)}
        if outcome.exit_code == 0 and held:
            return [Finding(Damage.FALSE_DONE, f"DEL says done, {sorted(held)} still there")]
        return []
    if outcome.exit_code == 0:
        promised = set(addresses(outcome.stdout) or [])
        if promised and promised != node.held_by(VICTIM):
            return [Finding(Damage.FALSE_DONE, f"ADD says {sorted(promised)}, there is {after}")]
        return []
    left = {name for name in after.keys() - before.keys() if after[name] != lease(TORN)}
    return [Finding(Damage.LEFT, f"{outcome.stdout!r}, but {sorted(left)} left")] if left else []


def _neighbour(node: Node, others: dict[str, bytes], wanted: int) -> list[Finding]:
    """After a kill and another container's ADD, a killed one holds all that it asked for, or nothing."""
    outcome = node.call("ADD", NEIGHBOUR)
    if outcome.exit_code != 0:
        return [Finding(Damage.WEDGED, f"the neighbour's ADD: {outcome.stdout!r}"), *_delete(node, NEIGHBOUR)]
    known = {lease(who) for who in (VICTIM, NEIGHBOUR, TORN)}
    found = [
        Finding(Damage.LEAKED, f"{name} {content!r} after the neighbour's ADD")
        for name, content in node.files().items()
        if name not in others and content not in known
    ]
    for who in (VICTIM, TORN):
        held = node.held_by(who)
        if len(held) not in (0, wanted):
            found.append(Finding(Damage.HALF, f"{who} holds {sorted(held)} alone"))
    return found + _delete(node, NEIGHBOUR)


def _delete(node: Node, who: str) -> list[Finding]:
    outcome = node.call("DEL", who)
    if outcome.exit_code == 0 and outcome.stdout == b"":
        return []
    return [Finding(Damage.WEDGED, f"DEL afterwards: {outcome.exit_code} {outcome.stdout!r}")]


def _fill(node: Node, scenario: Scenario, taken: set[str]) -> list[Finding]:
    """Every address that nobody holds can be handed out, each once."""
    held = {name for name in taken if is_address(name)}
    free = [wanted - held for wanted in scenario.addresses()]
    given: list[str] = []
    for number in range(min(len(wanted) for wanted in free)):
        outcome = node.call("ADD", f"fresh-{number}")
        result = addresses(outcome.stdout)
        if outcome.exit_code != 0 or result is None:
            said = outcome.stdout or outcome.stderr[-300:]
            damage = Damage.LEAKED if number else Damage.WEDGED
            return [Finding(damage, f"fresh ADD {number}, {free} free: {outcome.exit_code} {said!r}")]
        given += result
    twice = {address for address in given if given.count(address) > 1 or address in held}
    return [Finding(Damage.DUPLICATE, f"{sorted(twice)} given out twice")] if twice else []
