"""Witness: which containers the runtimes of this node list, and whether they run; asked through their CLIs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from ipam.inspection.staleness import DEAD, ENDED, LIVE, SILENT, Sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ipam.model import Lease

NAME = "runtime"
TIMEOUT = 10.0
"""Seconds that a runtime has to answer."""

_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL")
"""All of the environment that a runtime's CLI gets."""

Listed = dict[str, tuple[str, bool]]
"""By container id: what the runtime says of it, and whether that means that it may need its address."""


class Silence(Exception):
    """A runtime is there and does not tell."""


class Runtime(NamedTuple):
    """A kind of runtime: how to see that it is here, and how to have it list its containers."""

    name: str
    command: str
    sockets: tuple[Path, ...]
    ask: Callable[[Path], Listed]


class Runtimes:
    """What the runtimes of this node said, at one moment."""

    def __init__(self, kinds: tuple[Runtime, ...] | None = None) -> None:
        self._told: dict[str, Listed] = {}
        self._silent: list[str] = []
        for kind in KINDS if kinds is None else kinds:
            program = shutil.which(kind.command)
            try:
                sockets = [path for path in kind.sockets if path.is_socket()]
            except OSError as error:
                self._silent.append(f"whether {kind.name} runs here cannot be seen: {error.strerror}")
                continue
            if not kind.sockets and program is not None:
                sockets = [Path("/")]
            for socket in sockets:
                if program is None:
                    self._silent.append(f"{kind.name} runs here, and {kind.command} is missing to ask it")
                    continue
                try:
                    self._told.setdefault(kind.name, {}).update(kind.ask(socket))
                except Silence as error:
                    self._silent.append(f"{kind.name} does not tell: {error}")

    def sign(self, lease: Lease) -> Sign:
        """What this witness says of a lease."""
        ended = []
        for name, listed in self._told.items():
            found = listed.get(lease.attachment.container_id)
            if found is not None and found[1]:
                return Sign(NAME, LIVE, f"{name} says {found[0]}")
            if found is not None:
                ended.append(f"{name} says {found[0]}")
        if self._silent:
            return Sign(NAME, SILENT, self._silent[0])
        if not self._told:
            return Sign(NAME, SILENT, "none is known here")
        if ended:
            return Sign(NAME, ENDED, ", ".join(ended))
        return Sign(NAME, DEAD, f"not listed by {' or '.join(self._told)}")


def run(*command: str) -> str:
    """The output of a runtime's CLI. Raises Silence."""
    # Variables such as CONTAINER_HOST would have it tell of another node's containers.
    env = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False, errors="replace", env=env
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Silence(str(error)) from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Silence(f"{command[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout


def parsed(text: str) -> list[dict[str, object]]:
    """The objects in a JSON array. Raises Silence for anything else: half an answer is none."""
    try:
        value = json.loads(text or "[]")
    except ValueError:
        raise Silence("its answer is no JSON") from None
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Silence("its answer is not a list of objects")
    return value


_ENDED = frozenset({"exited", "stopped", "dead", "removing"})


def ask_podman(_socket: Path) -> Listed:
    """Podman's containers. One that it takes for running, but whose process is gone, was killed behind its back."""
    listed: Listed = {}
    for item in parsed(run("podman", "ps", "--all", "--no-trunc", "--format", "json")):
        state, pid = str(item.get("State", "")).lower(), item.get("Pid")
        gone = state == "running" and isinstance(pid, int) and pid > 0 and not Path(f"/proc/{pid}").exists()
        text = f"{state}, but its process {pid} is gone" if gone else state or "nothing of its state"
        listed[_text(item, "Id")] = (text, not gone and state not in _ENDED)
    return listed


def ask_docker(socket: Path) -> Listed:
    """Docker's containers, of which cri-dockerd makes sandboxes."""
    docker = ("docker", "--host", f"unix://{socket}")
    rows = run(*docker, "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.State}}").splitlines()
    pairs = [row.partition(" ")[::2] for row in rows]
    return {name: (state, state not in _ENDED) for name, state in pairs}


def ask_cri(socket: Path) -> Listed:
    """The sandboxes of a runtime that speaks CRI, through crictl."""
    text = run("crictl", "--runtime-endpoint", f"unix://{socket}", "pods", "--no-trunc", "-o", "json")
    try:
        items = json.loads(text)["items"]
    except (ValueError, LookupError, TypeError):
        raise Silence("crictl's answer has no items") from None
    listed: Listed = {}
    for item in parsed(json.dumps(items)):
        state = _text(item, "state").removeprefix("SANDBOX_").lower()
        listed[_text(item, "id")] = (f"sandbox {state}", state != "notready")
    return listed


def ask_containerd(socket: Path) -> Listed:
    """Containerd's containers in all of its namespaces. nerdctl's attachments are named `namespace-id`."""
    listed: Listed = {}
    for space in run("ctr", "--address", str(socket), "namespaces", "ls", "-q").split():
        ctr = ("ctr", "--address", str(socket), "--namespace", space)
        tasks = {row[0]: row[-1].lower() for row in map(str.split, run(*ctr, "tasks", "ls").splitlines()[1:]) if row}
        for name in {*run(*ctr, "containers", "ls", "-q").split(), *tasks}:
            state = tasks.get(name, "no task")
            said = (f"{state} (namespace {space})", state not in (*_ENDED, "no task"))
            listed[name] = listed[f"{space}-{name}"] = said
    return listed


def _text(item: dict[str, object], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise Silence(f"its answer has an entry without {key}")
    return value


CONTAINERD = (
    Path("/run/containerd/containerd.sock"),
    Path("/run/k3s/containerd/containerd.sock"),
    Path("/var/snap/microk8s/common/run/containerd.sock"),
)

KINDS = (
    Runtime("containerd", "ctr", CONTAINERD, ask_containerd),
    Runtime("cri-o", "crictl", (Path("/run/crio/crio.sock"),), ask_cri),
    Runtime("podman", "podman", (), ask_podman),
    Runtime("docker", "docker", (Path("/run/docker.sock"),), ask_docker),
)
"""The runtimes that can be asked. One whose socket is here is here; podman, which has no daemon, if its program is."""
