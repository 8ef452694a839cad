"""Where export, metrics and report write to: files, links, FIFOs, devices; none of them is pushed out of its place."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from ipam.audit.source import SnapshotFile
from tests.audit.node import Node, run
from tests.conftest import missing

Capture = pytest.CaptureFixture[bytes]
COMMANDS = ("export", "metrics", "report")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with ten containers."""
    node = Node(tmp_path)
    node.fill(10)
    return node


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_a_fifo_is_written_to_and_stays(
    node: Node, tmp_path: Path, capfdbinary: Capture, command: str, *, linked: bool
) -> None:
    fifo, link, got = tmp_path / "fifo", tmp_path / "link", list[bytes]()
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    reader = Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    assert run(capfdbinary, command, *node.options, "-o", link if linked else fifo)[0] == 0
    reader.join(30)
    assert len(got[0]) > 100
    assert (fifo.is_fifo(), link.is_symlink()) == (True, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_is_written_to_and_stays(node: Node, tmp_path: Path, capfdbinary: Capture, command: str) -> None:
    device, link = tmp_path / "full", tmp_path / "link"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        device.open("wb").close()
    except PermissionError:
        missing("root")
    link.symlink_to(device)
    for path in (device, link):
        status, _, err = run(capfdbinary, command, *node.options, "-o", path)
        assert (status, "No space left on device" in err) == (1, True)
    assert (device.is_char_device(), link.is_symlink()) == (True, True)


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_of_a_link_the_file_that_it_leads_to_is_replaced(
    node: Node, tmp_path: Path, capfdbinary: Capture, *, there: bool
) -> None:
    kept, link, other = tmp_path / "kept", tmp_path / "latest", tmp_path / "the same file"
    kept.mkdir()
    if there:
        (kept / "snapshot").write_text("an older one")
        other.hardlink_to(kept / "snapshot")
    link.symlink_to("kept/snapshot")
    assert run(capfdbinary, "export", *node.options, "-o", link)[0] == 0
    assert str(link.readlink()) == "kept/snapshot"
    assert [path.name for path in kept.iterdir()] == ["snapshot"]
    with SnapshotFile(kept / "snapshot").open() as reading:
        assert len(list(reading.records())) == 10
    if there:
        assert other.read_text() == "an older one"  # replaced, not overwritten


def test_stdout_by_its_path_is_written_on_behind_what_it_has(node: Node, tmp_path: Path) -> None:
    own, log = tmp_path / "stdout", tmp_path / "log"
    own.symlink_to("/proc/self/fd/1")
    log.write_text("before\n")
    command = [sys.executable, "-m", "ipam.cli", "export", *map(str, node.options), "-o", str(own)]
    with log.open("a") as file:
        subprocess.run(command, stdout=file, check=True)
    first, *lines = log.read_text().splitlines()
    assert (first, len(lines)) == ("before", 12)
    assert own.is_symlink()


def test_sightings_take_no_devices_place(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert run(capfdbinary, "gc", *node.options, "--seen", fifo)[0] == 0
    assert fifo.is_fifo()
