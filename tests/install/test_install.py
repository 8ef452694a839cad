"""`ipam install` and `ipam uninstall` in a CNI bin directory."""

import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from ipam import bundle, frame
from ipam.launcher import protocol_of
from tests.install.conftest import NAME, OLD, call, content, names, read_only
from tests.install.environment import Environment

INSTALLED = {NAME, f".ipam/{NAME}.oneshot", f".ipam/{NAME}.bundle"}


def test_the_launcher_takes_the_place_and_the_one_shot_stands_behind_it(native: Environment, directory: Path) -> None:
    done = native.run("install", "--cni-bin-dir", directory)
    assert names(directory) == INSTALLED
    assert protocol_of(directory / NAME) == frame.PROTOCOL
    assert stat.S_IMODE((directory / NAME).stat().st_mode) == 0o755
    assert f"installed {directory / NAME} (launcher, protocol {frame.PROTOCOL}; falls back to" in done.stdout
    assert "1.1.0" in call(directory / NAME)["supportedVersions"]


def test_without_a_launcher_the_one_shot_takes_the_place_and_install_says_so(
    plain: Environment, directory: Path
) -> None:
    done = plain.run("install", "--cni-bin-dir", directory)
    assert names(directory) == INSTALLED
    assert protocol_of(directory / NAME) is None
    assert "no launcher: this package was built where no C compiler is" in done.stdout
    assert "Every call starts Python, and the daemon is not asked" in done.stdout
    assert "1.1.0" in call(directory / NAME)["supportedVersions"]


def test_the_one_shot_takes_the_place_where_that_is_asked_for(native: Environment, directory: Path) -> None:
    done = native.run("install", "--cni-bin-dir", directory, "--one-shot")
    assert protocol_of(directory / NAME) is None
    assert "no launcher" not in done.stdout
    assert call(directory / NAME)


def test_a_launcher_alone_has_nothing_behind_it(native: Environment, directory: Path) -> None:
    native.run("install", "--cni-bin-dir", directory, "--launcher-only")
    assert names(directory) == {NAME, ".ipam"}
    done = subprocess.run([directory / NAME], env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"the ipam daemon is not running, and the one-shot plugin cannot be run" in done.stdout
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {}


def test_a_launcher_alone_is_refused_where_none_was_built(plain: Environment, directory: Path) -> None:
    done = plain.run("install", "--cni-bin-dir", directory, "--launcher-only", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("ipam install: --launcher-only: there is no launcher")
    assert content(directory) == {}


def test_uninstall_leaves_nothing(native: Environment, directory: Path) -> None:
    native.run("install", "--cni-bin-dir", directory)
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {}


def test_a_missing_directory_is_made(native: Environment, tmp_path: Path) -> None:
    native.run("install", "--cni-bin-dir", tmp_path / "opt/cni/bin")
    assert call(tmp_path / "opt/cni/bin" / NAME)


def test_what_was_there_is_kept_and_put_back(native: Environment, directory: Path, foreign: bytes) -> None:
    before = (directory / NAME).stat()
    done = native.run("install", "--cni-bin-dir", directory)
    kept = directory / f".ipam/{NAME}.replaced"
    assert f"kept      {kept} (the {NAME} that was there)" in done.stdout
    assert kept.read_bytes() == foreign
    done = native.run("uninstall", "--cni-bin-dir", directory)
    assert done.stdout == f"restored  {directory / NAME}\n"
    assert content(directory) == {NAME: foreign}
    after = (directory / NAME).stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@pytest.mark.parametrize("target", ["../else/where", "gone"])
def test_a_link_is_kept_as_a_link_and_what_it_leads_to_is_left_alone(
    native: Environment, directory: Path, tmp_path: Path, target: str
) -> None:
    elsewhere = tmp_path / "else/where"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"another's")
    (directory / NAME).symlink_to(target)
    native.run("install", "--cni-bin-dir", directory)
    assert not (directory / NAME).is_symlink()
    assert call(directory / NAME)
    assert elsewhere.read_bytes() == b"another's"
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {NAME: target}


def test_a_link_to_a_plugin_of_ours_is_not_ours(native: Environment, directory: Path, tmp_path: Path) -> None:
    native.run("install", "--cni-bin-dir", directory)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / NAME).symlink_to(directory / NAME)
    done = native.run("uninstall", "--cni-bin-dir", linked, check=False)
    assert done.returncode == 1
    native.run("install", "--cni-bin-dir", linked)
    native.run("uninstall", "--cni-bin-dir", linked)
    assert content(linked) == {NAME: str(directory / NAME)}
    assert call(linked / NAME)


def test_a_linked_directory_is_the_one_it_leads_to(native: Environment, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)
    done = native.run("install", "--cni-bin-dir", tmp_path / "link")
    assert f"installed {directory / NAME} " in done.stdout
    assert call(tmp_path / "link" / NAME)


@pytest.mark.parametrize("first", [[], ["--one-shot"]])
@pytest.mark.parametrize("then", [[], ["--one-shot"]])
def test_an_upgrade_keeps_what_the_first_install_replaced(
    old: Environment, native: Environment, directory: Path, foreign: bytes, first: list[str], then: list[str]
) -> None:
    old.run("install", "--cni-bin-dir", directory, *first)
    assert f"version {OLD}." in (directory / f".ipam/{NAME}.oneshot").read_text()
    done = native.run("install", "--cni-bin-dir", directory, *then)
    assert "kept" not in done.stdout
    assert f"version {OLD}." not in (directory / f".ipam/{NAME}.oneshot").read_text()
    assert (protocol_of(directory / NAME) is None) == bool(then)
    assert (directory / f".ipam/{NAME}.replaced").read_bytes() == foreign
    assert call(directory / NAME)
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {NAME: foreign}


def test_an_upgrade_takes_over_the_layout_with_one_bundle(native: Environment, directory: Path, foreign: bytes) -> None:
    records = directory / ".ipam"
    records.mkdir()
    (directory / NAME).rename(records / f"{NAME}.replaced")
    (records / f"{NAME}.bundle").write_bytes(bundle.build())
    (directory / NAME).write_text(bundle.script(records / f"{NAME}.bundle", OLD))
    (directory / NAME).chmod(0o755)
    assert call(directory / NAME)
    native.run("install", "--cni-bin-dir", directory)
    assert call(directory / NAME)
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {NAME: foreign}


def test_a_bundle_outlives_its_script_by_one_install(old: Environment, native: Environment, directory: Path) -> None:
    def bundles() -> set[Path]:
        return set(directory.glob(".ipam/*.bundle"))

    old.run("install", "--cni-bin-dir", directory)
    first = bundles()
    native.run("install", "--cni-bin-dir", directory)
    native.run("install", "--cni-bin-dir", directory)
    assert len(first) == len(bundles()) == 1
    assert first != bundles()


def test_a_newer_plugin_of_somebody_else_is_kept_instead(native: Environment, directory: Path, foreign: bytes) -> None:
    native.run("install", "--cni-bin-dir", directory)
    (directory / NAME).write_bytes(foreign + b"# newer\n")  # as a distribution's upgrade does
    native.run("install", "--cni-bin-dir", directory)
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {NAME: foreign + b"# newer\n"}


def test_uninstall_leaves_what_somebody_else_put_in_our_place(
    native: Environment, directory: Path, foreign: bytes
) -> None:
    native.run("install", "--cni-bin-dir", directory)
    (directory / NAME).write_bytes(foreign + b"# newer\n")
    done = native.run("uninstall", "--cni-bin-dir", directory)
    assert done.stdout.startswith(f"left      {directory / NAME}")
    assert content(directory) == {NAME: foreign + b"# newer\n", f".ipam/{NAME}.replaced": foreign}


def test_uninstall_puts_back_what_was_there_even_when_ours_has_gone(
    native: Environment, directory: Path, foreign: bytes
) -> None:
    native.run("install", "--cni-bin-dir", directory)
    (directory / NAME).unlink()
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {NAME: foreign}


def test_uninstall_touches_nothing_that_is_not_ours(native: Environment, directory: Path, foreign: bytes) -> None:
    done = native.run("uninstall", "--cni-bin-dir", directory, check=False)
    expected = f"ipam uninstall: {directory / NAME} was not put there by `ipam install`: left as it is\n"
    assert (done.returncode, done.stderr) == (1, expected)
    assert content(directory) == {NAME: foreign}


def test_plugins_of_several_names_live_side_by_side(native: Environment, directory: Path) -> None:
    for name in ("a", "a.b"):
        native.run("install", "--cni-bin-dir", directory, "--name", name)
    native.run("uninstall", "--cni-bin-dir", directory, "--name", "a")
    assert names(directory) == {"a.b", ".ipam/a.b.oneshot", ".ipam/a.b.bundle"}
    assert call(directory / "a.b")


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", ".."])
def test_a_name_that_is_none_is_refused(native: Environment, directory: Path, name: str) -> None:
    done = native.run("install", "--cni-bin-dir", directory, "--name", name, check=False)
    assert (done.returncode, content(directory)) == (2, {})
    assert "--name must be a plain file name" in done.stderr


def test_a_directory_in_the_place_is_refused(native: Environment, directory: Path) -> None:
    (directory / NAME).mkdir()
    done = native.run("install", "--cni-bin-dir", directory, check=False)
    assert (done.returncode, done.stderr) == (1, f"ipam install: {directory / NAME} is not a file\n")


def test_a_read_only_directory_stays_as_it_is(native: Environment, directory: Path, foreign: bytes) -> None:
    command = [str(native.ipam), "install", "--cni-bin-dir", str(directory)]
    done = subprocess.run(
        read_only(directory, command), capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    assert done.returncode == 1
    assert done.stderr == f"ipam install: {directory}/.ipam: Read-only file system\n"
    assert content(directory) == {NAME: foreign}


def test_two_installs_at_once_leave_one_that_works(native: Environment, old: Environment, directory: Path) -> None:
    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(env.run, "install", "--cni-bin-dir", directory) for env in (native, old) * 2]:
            each.result()
    assert call(directory / NAME)
    native.run("uninstall", "--cni-bin-dir", directory)
    assert content(directory) == {}


def test_no_call_fails_while_one_version_replaces_another(
    old: Environment, native: Environment, plain: Environment, directory: Path
) -> None:
    plain.run("install", "--cni-bin-dir", directory)
    over = Event()

    def keep_calling() -> int:
        count = 0
        while not over.is_set():
            assert call(directory / NAME)
            count += 1
        return count

    with ThreadPoolExecutor() as pool:
        calls = pool.submit(keep_calling)
        try:
            for environment, *options in ((old,), (old, "--one-shot"), (native,), (plain,), (native,)):
                environment.run("install", "--cni-bin-dir", directory, *options)
        finally:
            over.set()
        assert calls.result() > 0


def test_an_interpreter_that_finds_the_launcher_in_its_scripts_place_runs_the_one_shot(
    native: Environment, directory: Path
) -> None:
    native.run("install", "--cni-bin-dir", directory)
    done = subprocess.run(
        [bundle.interpreter(), "-IS", directory / NAME],
        env={"CNI_COMMAND": "VERSION"},
        input=b'{"cniVersion": "0.4.0"}',
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout[:22], done.stderr) == (0, b'{"cniVersion":"0.4.0",', b"")
