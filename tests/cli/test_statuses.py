"""Exit statuses: 2 where the call is wrong, 3 where the answer is no."""

import subprocess
from pathlib import Path

import pytest

from ipam.cli import main
from tests.cli.node import IPAM, ONE_STORE, Node

ADDRESS = "10.203.0.2"
WRONG = [
    ["who", "10.80.0.999"],
    ["who", ADDRESS, "--at", "tomorrow"],
    ["release", "10.80.0.999"],
    ["restore", "10.80.0.999"],
    ["leases", "--address", "10.80.0.0/33"],
    ["history", "--since", "tomorrow"],
    ["forget", "--older-than", "long"],
    ["audit", "--leak-age", "long"],
    ["leases", "--store", "relative/path"],
]


@ONE_STORE
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_value_that_is_none_of_its_kind_is_a_wrong_call(node: Node, words: list[str]) -> None:
    node.configure()
    node.add("c1")
    said = node.run(*words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"ipam {words[0]}: {words[-1]!r} is ")


@pytest.mark.parametrize(
    "words", [["install", "--name", "a/b"], ["uninstall", "--name", "a/b"]], ids=lambda words: words[0]
)
def test_a_plugin_name_that_is_none_is_a_wrong_call(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--cni-bin-dir", str(tmp_path)])
    assert ended.value.code == 2


@ONE_STORE
@pytest.mark.parametrize("command", ["validate", "explain"])
@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_config_that_is_no_json_object_is_a_wrong_config(node: Node, tmp_path: Path, text: str, command: str) -> None:
    path = tmp_path / "10.conflist"
    path.write_text(text)
    said = node.run(command, str(path))
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert said.err.startswith(f"ipam {command}: {path}: ")
    assert node.run(command, str(tmp_path / "absent")).code == 1


@pytest.mark.parametrize("address", ["bla", "0.0.0.0:9753", "127.0.0.1"])
def test_metrics_at_an_address_that_is_none_are_a_wrong_call(tmp_path: Path, address: str) -> None:
    command = [*IPAM, "serve", "--socket", str(tmp_path / "ipam.sock"), "--metrics", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("ipam serve: --metrics ")
