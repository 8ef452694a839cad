"""The DaemonSet: valid against Kubernetes' schema, and its commands run with no more than it allows them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam import __version__
from ipam.launcher.compile import find_compiler
from tests.conftest import missing
from tests.daemon.service import PATIENCE, until
from tests.install.conftest import NAME
from tests.install.environment import ROOT, Environment
from tests.install.machine import CannotBoot, Machine

CONF = ROOT / "conf/kubernetes"
OLDEST = "1.25"
PLUGIN = Path("/opt/cni/bin", NAME)


@pytest.fixture
def manifest() -> Any:
    """The DaemonSet as an object."""
    try:
        import yaml
    except ImportError:
        missing("PyYAML (it comes with kubernetes-validate)")
    (document,) = yaml.safe_load_all((CONF / "daemonset.yaml").read_text())
    return document


@pytest.fixture
def pod(manifest: Any) -> Any:
    return manifest["spec"]["template"]["spec"]


def containers(pod: Any) -> list[Any]:
    return [*pod["initContainers"], *pod["containers"]]


def test_it_is_valid_for_every_kubernetes_that_it_names(manifest: Any) -> None:
    try:
        import kubernetes_validate
    except ImportError:
        missing("kubernetes-validate (pip install kubernetes-validate)")
    assert f"Kubernetes {OLDEST} and newer" in (CONF / "daemonset.yaml").read_text()
    for version in (OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest, version, strict=True)
    manifest["spec"]["template"]["spec"]["tolerance"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, OLDEST, strict=True)


def test_the_pod_is_selected_by_its_own_label(manifest: Any) -> None:
    selected = manifest["spec"]["selector"]["matchLabels"].items()
    assert selected <= manifest["spec"]["template"]["metadata"]["labels"].items()


def test_its_image_is_of_this_version(pod: Any) -> None:
    assert {each["image"] for each in containers(pod)} == {f"ipam:{__version__}"}
    assert f"--tag ipam:{__version__} " in (CONF / "Containerfile").read_text()


def test_every_volume_is_mounted_where_it_is_on_the_node(pod: Any) -> None:
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    mounted = {mount["name"]: mount["mountPath"] for each in containers(pod) for mount in each["volumeMounts"]}
    assert mounted == paths


def test_the_image_is_made_of_what_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (CONF / "Containerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Environment]]:
    """A node, on which the image's content can be seen."""
    if find_compiler() is None:
        missing("a C compiler")
    if Machine.lacks() or not shutil.which("setpriv"):
        missing(Machine.lacks() or "setpriv")
    environment = Environment(tmp_path_factory.mktemp("image") / "env", launcher=True)
    try:
        with Machine([environment.prefix, environment.dependencies]) as machine:
            yield machine, environment
    except CannotBoot as error:
        missing(f"a host where systemd can be PID 1 of a namespace: {error}")


def confined(machine: Machine, ipam: Path, container: Any, *arguments: str) -> list[str]:
    """The command that runs `ipam` in the node as in that container: its capabilities and its read-only files."""
    allowed = container["securityContext"]
    assert (allowed["readOnlyRootFilesystem"], allowed["capabilities"]["drop"]) == (True, ["ALL"])
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in allowed["capabilities"]["add"])])
    mounts = "mount -o remount,bind,ro / && mount -o remount,bind,ro /tmp"
    for mount in container["volumeMounts"]:
        path = mount["mountPath"]
        mode = "ro" if mount.get("readOnly") else "rw"
        mounts = f"mkdir -p {path} && mount --bind {path} {path} && {mounts} && mount -o remount,bind,{mode} {path}"
    run = f'{mounts} && exec setpriv --bounding-set={bounding} --no-new-privs "$@"'
    return machine.command("unshare", "--mount", "sh", "-c", run, "sh", ipam, *arguments)


def test_its_commands_work_with_no_more_than_it_allows_them(node: tuple[Machine, Environment], pod: Any) -> None:
    machine, environment = node
    (install,), (daemon,) = pod["initContainers"], pod["containers"]
    command = confined(machine, environment.ipam, install, *install["args"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing to fall back to" in done.stdout

    server = subprocess.Popen(confined(machine, environment.ipam, daemon, *daemon["args"]), stdin=subprocess.DEVNULL)
    try:
        probe = daemon["livenessProbe"]["exec"]["command"]
        assert probe[0] == "ipam"
        asking = confined(machine, environment.ipam, daemon, *probe[1:])
        until("it answers", lambda: subprocess.run(asking, capture_output=True, check=False).returncode == 0)
        config = {"cniVersion": "1.0.0", "name": "net", "ipam": {"type": NAME, "subnet": "10.0.0.0/24"}}
        for verb in ("ADD", "DEL"):
            variables = [f"CNI_COMMAND={verb}", "CNI_CONTAINERID=c1", "CNI_NETNS=/nowhere", "CNI_IFNAME=eth0"]
            machine.run("env", "-i", *variables, PLUGIN, stdin=json.dumps(config))
        status = json.loads(machine.run(environment.ipam, "status", "-o", "json").stdout)
        assert status["daemon"]["requests"] == {"ADD ok": 1, "DEL ok": 1}
        assert [plugin["kind"] for plugin in status["plugins"] if plugin["path"] == str(PLUGIN)] == ["launcher"]
        machine.run("kill", str(status["daemon"]["pid"]))
        assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.wait()

    # As the manifest says that the plugin is taken out.
    uninstall = ["uninstall" if word == "install" else word for word in install["args"] if word != "--launcher-only"]
    command = confined(machine, environment.ipam, install, *uninstall)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert machine.run("ls", "-A", PLUGIN.parent).stdout == ""
