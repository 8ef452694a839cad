"""Commands that change something finish, whatever becomes of stdout and stderr; those that only look end quietly."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from tests.cli.node import IPAM, NAME, ONE_STORE, Node

ADDRESS = "10.203.0.2"


def unheard(*words: object) -> int:
    """The exit status of a command whose stdout and stderr nobody reads, and which writes each line at once."""
    read, write = os.pipe()
    os.close(read)
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    try:
        command = [*IPAM, *map(str, words)]
        return subprocess.run(command, stdout=write, stderr=write, env=env, timeout=60, check=False).returncode
    finally:
        os.close(write)


@pytest.fixture
def filled(node: Node) -> Node:
    """A node with three networks, each with a lease."""
    for name in (NAME, "others", "third"):
        node.configure(name=name)
        node.add("c1", name=name)
    return node


@ONE_STORE
def test_a_migration_moves_every_network(filled: Node, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    assert unheard("store", "migrate", filled.url, target) == 0
    store = open_store(StoreConfig(target), this_host())
    assert {name: len(list(store.leases(name))) for name in store.networks()} == {NAME: 1, "others": 1, "third": 1}
    store.close()


@ONE_STORE
def test_forget_forgets_in_every_network(filled: Node) -> None:
    for name in (NAME, "others", "third"):
        filled.delete("c1", name=name)
    assert unheard(*filled.arguments("forget", "--older-than", "0s")) == 0
    with filled.store() as store:
        assert [list(store.history(name)) for name in store.networks()] == [[], [], []]


@ONE_STORE
def test_release_and_restore_do_what_they_are_told(filled: Node) -> None:
    assert unheard(*filled.arguments("release", "--container", "c1", "--force")) == 0
    assert [filled.leases(name) for name in (NAME, "others", "third")] == [[], [], []]
    assert unheard(*filled.arguments("restore", ADDRESS, "--network", NAME)) == 0
    assert len(filled.leases()) == 1


@ONE_STORE
def test_repair_mends_every_network(filled: Node, tmp_path: Path) -> None:
    for name in (NAME, "others", "third"):
        (tmp_path / "networks" / name / "10.203.0.9").touch()
    assert unheard(*filled.arguments("check", "--repair")) == 0
    assert filled.run("check").code == 0


@ONE_STORE
def test_import_restores_every_network(filled: Node, tmp_path: Path) -> None:
    snapshot, target = tmp_path / "snapshot", tmp_path / "target"
    assert filled.run("export", "-o", str(snapshot)).code == 0
    assert unheard("import", snapshot, "--store", target) == 0
    assert {path.name for path in target.iterdir() if path.name[0] != "."} == {NAME, "others", "third"}


def test_install_and_uninstall_leave_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / "host-local").write_text("somebody else's\n")
    places = ["--systemd", "--systemd-dir", tmp_path / "units", "--tmpfiles-dir", tmp_path / "tmpfiles"]
    assert unheard("install", "--cni-bin-dir", tmp_path, *places) == 0
    assert {path.name for path in (tmp_path / "units").iterdir()} == {"ipam.socket", "ipam.service"}
    assert [path.name for path in (tmp_path / "tmpfiles").iterdir()] == ["ipam.conf"]
    assert unheard("uninstall", "--cni-bin-dir", tmp_path, *places) == 0
    assert (tmp_path / "host-local").read_text() == "somebody else's\n"
    assert not any((tmp_path / "units").iterdir())


@ONE_STORE
def test_what_is_done_and_cannot_be_told_for_want_of_room_is_an_error(filled: Node) -> None:
    words = filled.arguments("release", ADDRESS, "--network", NAME, "--force")
    command = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *IPAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, filled.leases()) == (1, [])
    said = "ipam release: what was asked for is done, but could not be told: No space left on device\n"
    assert done.stderr == said


@ONE_STORE
@pytest.mark.parametrize("words", [["leases"], ["gc"], ["check"], ["map", NAME]], ids=lambda words: words[0])
def test_what_only_looks_ends_as_by_sigpipe(filled: Node, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "networks" / NAME / "10.203.0.9").touch()  # or check had nothing to say
    assert unheard(*filled.arguments(*words)) == 128 + signal.SIGPIPE
