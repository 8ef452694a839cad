"""What a power cut leaves on a real ext4: nothing leaks, and with `durability: full` nothing is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def loop_mounts(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root, mkfs.ext4, and a kernel that lets us mount a file."""
    if not shutil.which("mkfs.ext4"):
        pytest.skip("no mkfs.ext4")
    directory = tmp_path_factory.mktemp("loop")
    script = 'truncate -s 8M "$0/i" && mkfs.ext4 -q -F "$0/i" && mkdir "$0/m" && mount -o loop "$0/i" "$0/m"'
    command = ["unshare", "-m", "sh", "-c", script, str(directory)]
    if subprocess.run(command, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("files cannot be mounted here")


def after_a_cut(directory: Path, durability: str, boot: str, synced: str) -> Any:
    """What the node found after the power came back."""
    command = [sys.executable, "-m", "tests.directory.power_cut", str(directory), durability, boot, synced]
    done = subprocess.run(["unshare", "-m", *command], cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


@pytest.mark.usefixtures("loop_mounts")
@pytest.mark.parametrize("synced", ["", "lock"])
def test_with_durability_full_every_answered_change_is_there_after_a_power_cut(tmp_path: Path, synced: str) -> None:
    """As far as the disk goes: the node takes it for the same boot, or it would reclaim all of them."""
    found = after_a_cut(tmp_path, "full", "same", synced)
    assert found["leases"] == found["answered"]
    assert found["files"] == found["answered"]
    assert found["free"] == found["all"] - 8
    assert found["pods"] == sorted(found["answered"].values())


@pytest.mark.usefixtures("loop_mounts")
@pytest.mark.parametrize("synced", ["", "lock", "index"])
def test_with_durability_full_the_next_boot_reclaims_what_was_there_after_a_power_cut(
    tmp_path: Path, synced: str
) -> None:
    found = after_a_cut(tmp_path, "full", "next", synced)
    assert found["leases"] == {}
    assert found["free"] == found["all"]


@pytest.mark.usefixtures("loop_mounts")
@pytest.mark.parametrize(
    "synced",
    ["", "lock", "index", "history", "index history", "index 4- 6-", "index history 4- 6-", "10. fd", "index 10. fd"],
)
def test_whatever_had_been_written_back_no_address_leaks(tmp_path: Path, synced: str) -> None:
    """Contents reach the disk in any order, names and times before them."""
    found = after_a_cut(tmp_path, "boot", "next", synced)
    assert found["files"] == {}
    assert found["leases"] == {}
    assert found["free"] == found["all"]
