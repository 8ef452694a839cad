"""The units under a real systemd: activation, restarts without a lost call, what the service may and may not do."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam.launcher.compile import find_compiler
from tests.conftest import missing
from tests.daemon.service import until
from tests.install.conftest import NAME
from tests.install.environment import Environment
from tests.install.machine import CannotBoot, Machine

PLUGIN = Path("/opt/cni/bin", NAME)
BURST = Path(__file__).with_name("burst.py")
CAP_DAC_OVERRIDE = 1 << 1
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The package as it is shipped. It lies in /tmp, which the service does not see by itself."""
    if find_compiler() is None:
        missing("a C compiler")
    return Environment(tmp_path_factory.mktemp("shipped") / "env", launcher=True)


@pytest.fixture(scope="module")
def booted(environment: Environment) -> Iterator[Machine]:
    """A machine in which the package can be seen."""
    lacking = Machine.lacks()
    if lacking:
        missing(lacking)
    try:
        with Machine([environment.prefix, Path(__file__).parents[2]]) as machine:
            yield machine
    except CannotBoot as error:
        missing(f"a host where systemd can be PID 1 of a namespace: {error}")


@pytest.fixture
def machine(booted: Machine, environment: Environment) -> Iterator[Machine]:
    """The same with plugin and units installed, as after a boot."""
    booted.run("rm", "-rf", "/var/lib/cni", "/opt/cni")
    booted.run(environment.ipam, "install", "--systemd")
    yield booted
    booted.run(environment.ipam, "uninstall", "--systemd")
    booted.run("rm", "-rf", "/etc/systemd/system/ipam.service.d")
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "reset-failed")


def config(**ipam: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": "net", "ipam": {"type": NAME, "subnet": "10.0.0.0/16"} | ipam})


def call(
    machine: Machine, command: str = "ADD", *, prefix: tuple[str, ...] = (), netns: str = "/x", **ipam: Any
) -> Any:
    """(exit status, the JSON it printed) of one call as a runtime makes it."""
    variables = [f"CNI_COMMAND={command}", "CNI_CONTAINERID=c1", f"CNI_NETNS={netns}", "CNI_IFNAME=eth0"]
    done = machine.run(*prefix, "env", "-i", *variables, PLUGIN, check=False, stdin=config(**ipam))
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def show(machine: Machine, unit: str, what: str) -> str:
    return machine.run("systemctl", "show", "--value", "--property", what, unit).stdout.strip()


def daemon(machine: Machine, environment: Environment) -> Any:
    """What the daemon says of itself."""
    return json.loads(machine.run(environment.ipam, "status", "-o", "json").stdout)["daemon"]


def drop_in(machine: Machine, text: str) -> None:
    """What an operator writes with `systemctl edit ipam.service`."""
    directory = "/etc/systemd/system/ipam.service.d"
    machine.run("mkdir", "-p", directory)
    machine.run("tee", f"{directory}/test.conf", stdin=f"[Service]\n{text}\n")
    machine.run("systemctl", "daemon-reload")


def test_the_first_call_starts_the_daemon(machine: Machine, environment: Environment) -> None:
    assert show(machine, "ipam.socket", "ActiveState") == "active"
    assert show(machine, "ipam.service", "ActiveState") == "inactive"
    assert call(machine)[0] == 0
    assert show(machine, "ipam.service", "ActiveState") == "active"
    assert daemon(machine, environment)["requests"] == {"ADD ok": 1}
    assert machine.run("cat", "/var/lib/cni/networks/net/10.0.0.2").stdout == "c1\neth0"  # \r\n, in text mode


def test_the_socket_is_roots_alone_and_enabled_at_boot(machine: Machine) -> None:
    stat = machine.run("stat", "--format", "%a %U:%G %F", "/run/ipam/ipam.sock", "/run/ipam").stdout
    assert stat == "600 root:root socket\n750 root:root directory\n"
    assert show(machine, "ipam.socket", "UnitFileState") == "enabled"


def test_restarts_in_a_burst_of_1000_calls_lose_none(machine: Machine, environment: Environment) -> None:
    machine.run(environment.ipam, "install", "--launcher-only")
    machine.run("rm", "-rf", PLUGIN.parent / ".ipam", "/tmp/burst")  # nobody can fall back to anything
    machine.run("mkdir", "/tmp/burst")
    restart = ("systemctl", "restart", "ipam.service")
    done = machine.run(
        environment.prefix / "bin/python3", BURST, PLUGIN, "1000", "/tmp/burst", config(), "250", *restart
    )
    burst = json.loads(done.stdout)
    assert burst["commands"] == [0, 0, 0, 0]
    assert [answer for status, answer in burst["calls"] if status != 0] == []
    addresses = {json.loads(answer)["ips"][0]["address"] for _, answer in burst["calls"]}
    assert len(addresses) == 1000
    leases = machine.run("ls", "/var/lib/cni/networks/net").stdout.split()
    assert {f"{name}/16" for name in leases if name.startswith("10.")} == addresses
    # The others were answered before the last restart.
    assert daemon(machine, environment)["requests"].get("ADD ok", 0) < 1000


def test_an_upgrade_restarts_the_daemon_and_leaves_the_socket(machine: Machine, environment: Environment) -> None:
    call(machine)
    before = daemon(machine, environment)["pid"]
    listening = show(machine, "ipam.socket", "ActiveEnterTimestampMonotonic")
    machine.run(environment.ipam, "install", "--systemd")
    assert daemon(machine, environment)["pid"] != before
    assert show(machine, "ipam.socket", "ActiveEnterTimestampMonotonic") == listening
    assert call(machine, "DEL")[0] == 0


def test_reload_opens_the_stores_anew_in_the_same_process(machine: Machine, environment: Environment) -> None:
    call(machine)
    before = daemon(machine, environment)
    assert before["stores"]
    machine.run("systemctl", "reload", "ipam.service")
    until("the stores are closed", lambda: not daemon(machine, environment)["stores"])
    assert call(machine, "DEL")[0] == 0
    assert daemon(machine, environment)["pid"] == before["pid"]


def test_after_a_crash_the_next_call_is_answered(machine: Machine, environment: Environment) -> None:
    call(machine)
    before = daemon(machine, environment)["pid"]
    machine.run("systemctl", "kill", "--signal=KILL", "ipam.service")
    assert call(machine, "DEL")[0] == 0
    assert daemon(machine, environment)["pid"] != before


def test_a_daemon_that_hangs_is_replaced(machine: Machine, environment: Environment) -> None:
    drop_in(machine, "WatchdogSec=2")
    call(machine)
    before = daemon(machine, environment)["pid"]
    machine.run("systemctl", "kill", "--signal=STOP", "ipam.service")
    until("systemd replaces it", lambda: show(machine, "ipam.service", "MainPID") not in {"0", str(before)})
    assert call(machine, "DEL")[0] == 0


def test_a_daemon_that_cannot_start_leaves_the_calls_to_the_one_shot(machine: Machine) -> None:
    drop_in(machine, "ExecStart=\nExecStart=/bin/false\nRestartSec=10ms")
    until("the one-shot answers", lambda: call(machine)[0] == 0)
    assert show(machine, "ipam.socket", "ActiveState") == "failed"
    assert machine.run("ls", "/run/ipam").stdout == ""
    assert call(machine, "DEL") == (0, None)


def test_the_callers_own_network_namespace_is_refused(machine: Machine) -> None:
    assert call(machine, "DEL")[0] == 0
    machine.run("ip", "netns", "add", "late")  # later than the daemon was started
    try:
        prefix = ("ip", "netns", "exec", "late")
        status, answer = call(machine, prefix=prefix, netns="/run/netns/late")
        assert (status, answer["code"]) == (1, 4)
        assert answer["msg"].startswith("plugin's netns and netns from CNI_NETNS should not be the same")
        assert call(machine, netns="/run/netns/late")[0] == 0
        assert call(machine, "DEL")[0] == 0
        # The caller's, not the daemon's, which has one of its own:
        status, answer = call(machine, prefix=prefix, netns="/proc/self/ns/net")
        assert (status, answer["code"]) == (1, 4)
    finally:
        machine.run("ip", "netns", "delete", "late")


def test_the_service_has_one_capability_and_no_network(machine: Machine, environment: Environment) -> None:
    call(machine)
    pid = daemon(machine, environment)["pid"]
    facts = dict(line.split(":", 1) for line in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines())
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(facts[kind], 16) == CAP_DAC_OVERRIDE
    assert (facts["NoNewPrivs"].strip(), facts["Seccomp"].strip()) == ("1", "2")
    ours, theirs = (machine.run("readlink", f"/proc/{each}/ns/net").stdout for each in ("1", pid))
    assert ours != theirs


def test_directories_are_used_whatever_their_mode(machine: Machine) -> None:
    assert call(machine)[0] == 0
    machine.run("chmod", "0500", "/var/lib/cni/networks/net", "/var/lib/cni/networks")
    assert call(machine, "DEL")[0] == 0
    assert call(machine)[0] == 0
    # What CAP_DAC_OVERRIDE is for:
    drop_in(machine, "CapabilityBoundingSet=~CAP_DAC_OVERRIDE")
    machine.run("systemctl", "restart", "ipam.service")
    status, answer = call(machine, "DEL")
    assert (status, answer["code"]) == (1, 5)


def test_leases_elsewhere_need_the_drop_in_that_the_unit_shows(machine: Machine) -> None:
    machine.run("mkdir", "-p", "/srv/leases")
    status, answer = call(machine, dataDir="/srv/leases")
    assert (status, answer["code"]) == (1, 5)
    assert "Read-only file system" in answer["msg"]
    unit = machine.run("cat", "/etc/systemd/system/ipam.service").stdout
    (line,) = [line.split()[1] for line in unit.splitlines() if "ReadWritePaths=/srv" in line]
    drop_in(machine, line)
    machine.run("systemctl", "restart", "ipam.service")
    assert call(machine, dataDir="/srv/leases")[0] == 0


@pytest.mark.parametrize("parent", ["/root", "/home", "/opt"])
def test_the_package_may_be_installed_anywhere(booted: Machine, environment: Environment, parent: str) -> None:
    home = Path(parent, "env")
    booted.run("mkdir", "-p", parent)
    booted.run("cp", "--archive", environment.prefix, home)
    booted.run("sed", "--in-place", f"1c#!{home}/bin/python3", f"{home}/bin/ipam")
    try:
        booted.run(f"{home}/bin/ipam", "install", "--systemd", "--launcher-only")
        assert call(booted)[0] == 0
        unit = booted.run("cat", "/etc/systemd/system/ipam.service").stdout
        assert (f"BindReadOnlyPaths={home}\n" in unit) == (parent != "/opt")
    finally:
        booted.run(f"{home}/bin/ipam", "uninstall", "--systemd")
        booted.run("rm", "-r", home, "/var/lib/cni")


def test_uninstall_leaves_nothing_but_the_leases(booted: Machine, environment: Environment) -> None:
    def everything() -> str:
        places = ("/etc/systemd", "/etc/tmpfiles.d", "/run", "/opt", "/var/lib/cni")
        found = booted.run("find", *places, "-path", "/run/systemd", "-prune", "-o", "-print", check=False).stdout
        return "\n".join(sorted(found.splitlines()))

    booted.run("mkdir", "-p", PLUGIN.parent, "/var/lib/cni")
    booted.run("cp", "/bin/true", PLUGIN)
    before = everything()
    booted.run(environment.ipam, "install", "--systemd")
    assert call(booted)[0] == 0
    booted.run(environment.ipam, "uninstall", "--systemd")
    booted.run("rm", "-r", "/var/lib/cni/networks")
    assert everything() == before
    assert booted.run("cmp", PLUGIN, "/bin/true")
    assert booted.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "ipam*").stdout == ""


def test_the_exposure_of_the_service_is_low(machine: Machine) -> None:
    done = subprocess.run(
        machine.command("systemd-analyze", "security", "--no-pager", "--threshold=20", "ipam.service"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("tasks", [1, 2])
def test_where_no_more_threads_can_be_the_caller_is_told_to_try_again(
    machine: Machine, environment: Environment, tasks: int
) -> None:
    drop_in(machine, f"TasksMax={tasks}")
    assert call(machine)[0] == 0
    before = daemon(machine, environment)["pid"]
    lock = "/var/lib/cni/networks/net/lock"
    with subprocess.Popen(machine.command("flock", lock, "sh", "-c", "echo held; read _"), **PIPES) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        status, answer = call(machine, "DEL")
        assert (status, answer["code"]) == (1, 11)
        holder.stdin.close()
    assert call(machine, "DEL")[0] == 0
    assert daemon(machine, environment)["pid"] == before
