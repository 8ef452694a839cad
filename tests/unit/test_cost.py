"""What a call may cost: few modules, and as many system calls with thousands of leases as with none."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bench.leases import container_id, write
from tests.bench.networks import FIRST, tallied
from tests.conftest import missing

HEAVY = {
    "collections",
    "dataclasses",
    "enum",
    "filelock",
    "importlib.metadata",
    "json",
    "logging",
    "netaddr",
    "re",
    "sqlalchemy",
    "typing",
}
# Runs a script, which may end by posix._exit, and names the modules on stderr, where the plugin says nothing.
WITNESS = """
import posix, sys
def leave(status, leave=posix._exit):
    posix.write(2, " ".join(sys.modules).encode())
    leave(status)
posix._exit = leave
with open(sys.argv[1], encoding="utf-8") as script:
    source = script.read()
exec(compile(source, sys.argv[1], "exec"), {"__name__": "__main__"})
leave(0)
"""
ROOT = Path(__file__).parents[2]
LEASES = 3_000
# Without leases a call may skip or add a step or two; each lease read would cost four calls.
SLACK = 20


def config(data_dir: Path, cni_version: str = "1.0.0") -> bytes:
    """A dual stack config as bridge hands it on."""
    return json.dumps(
        {
            "cniVersion": cni_version,
            "name": "cost",
            "type": "bridge",
            "ipam": {
                "type": "host-local",
                "dataDir": str(data_dir),
                "ranges": [[{"subnet": "10.1.0.0/16"}], [{"subnet": "fd00:1::/64"}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }
    ).encode()


def call_env(command: str, container: int) -> dict[str, str]:
    """The environment of one call, as a runtime sets it for a pod."""
    return {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id(container),
        "CNI_NETNS": "/run/netns/cost",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=1-2-3",
        "PATH": os.defpath,
    }


def imported(plugin: Path, env: dict[str, str], stdin: bytes) -> set[str]:
    """What sys.modules holds when a call ends, in the interpreter that the plugin's first line names."""
    with plugin.open("rb") as script:
        first = script.readline()
    if not first.startswith(b"#!"):
        pytest.skip("the plugin under test is no Python script")
    done = subprocess.run(
        [*first[2:].decode().split(), "-c", WITNESS, plugin],
        env=env,
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stderr.decode().split())


def counted(plugin: Path, env: dict[str, str], stdin: bytes, scratch: Path) -> int:
    """The number of system calls of one call, the interpreter's included."""
    if not shutil.which("strace"):
        missing("strace")
    tally = scratch / "strace.out"
    done = subprocess.run(
        ["strace", "-f", "-c", "-o", tally, plugin], env=env, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return tallied(tally.read_text())


@pytest.mark.parametrize("cni_version", ["0.2.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("command", ["ADD", "DEL", "second DEL"])
def test_a_call_imports_nothing_heavy(plugin: Path, tmp_path: Path, command: str, cni_version: str) -> None:
    stdin = config(tmp_path, cni_version)
    before = {"ADD": [], "DEL": ["ADD"], "second DEL": ["ADD", "DEL"]}[command]
    for earlier in before:
        subprocess.run([plugin], env=call_env(earlier, 1), input=stdin, stdout=subprocess.DEVNULL, check=True)
    modules = imported(plugin, call_env(command.rpartition(" ")[2], 1), stdin)
    assert any(name.startswith("ipam") for name in modules), "the modules of the call were not seen"
    assert not {name for name in modules if name in HEAVY or name.partition(".")[0] in HEAVY}


def test_a_first_sight_of_gos_leases_imports_nothing_heavy(plugin: Path, tmp_path: Path) -> None:
    write(tmp_path, "cost", FIRST, range(FIRST, FIRST + 10))
    modules = imported(plugin, call_env("ADD", 1), config(tmp_path))
    assert not {name for name in modules if name in HEAVY or name.partition(".")[0] in HEAVY}


def test_system_calls_do_not_grow_with_the_leases(plugin: Path, tmp_path: Path) -> None:
    counts: dict[int, list[int]] = {}
    for leases in (0, LEASES):
        data_dir = tmp_path / str(leases)
        data_dir.mkdir(mode=0o755)
        if leases:
            write(data_dir, "cost", FIRST + leases - 1, range(FIRST, FIRST + leases))
        stdin = config(data_dir)
        # The first call may build an index of what others left; that happens once.
        for command in ("ADD", "DEL"):
            subprocess.run([plugin], env=call_env(command, 0), input=stdin, stdout=subprocess.DEVNULL, check=True)
        counts[leases] = [counted(plugin, call_env(command, 1), stdin, tmp_path) for command in ("ADD", "DEL", "DEL")]
    differences = [many - none for none, many in zip(counts[0], counts[LEASES], strict=True)]
    assert all(abs(difference) <= SLACK for difference in differences), counts


@pytest.mark.parametrize("store", ["file://{}/leases", "sqlite:///{}/ipam.db"])
def test_whatever_the_config_wants_is_in_the_bundle(plugin: Path, tmp_path: Path, store: str) -> None:
    if not shutil.which("strace"):
        missing("strace")
    conf = json.loads(config(tmp_path))
    del conf["ipam"]["dataDir"]
    (tmp_path / "resolv.conf").write_text("nameserver 10.1.0.1\n")
    conf["ipam"] |= {"store": store.format(tmp_path), "resolvConf": str(tmp_path / "resolv.conf"), "logLevel": "debug"}
    conf["ipam"] |= {"historyKeep": {"megabytes": 1, "days": 1}, "durability": "full", "nodeName": "n1"}
    if store.startswith("file"):
        write(tmp_path / "leases", "cost", FIRST, range(FIRST, FIRST + 10))
    trace = ["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=open,openat", plugin]
    for command in ("ADD", "CHECK", "DEL"):
        stdin = json.dumps(conf).encode()
        done = subprocess.run(trace, env=call_env(command, 1), input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
        opened = (tmp_path / "trace").read_text()
        assert not [line for line in opened.splitlines() if f"{ROOT}/ipam/" in line or f"{ROOT}/backends/" in line]


def test_a_call_says_nothing_on_stderr(plugin: Path, tmp_path: Path) -> None:
    for command in ("ADD", "CHECK", "DEL", "DEL"):
        env = call_env(command, 1)
        done = subprocess.run([plugin], env=env, input=config(tmp_path), capture_output=True, check=False)
        assert done.stderr == b"", command
