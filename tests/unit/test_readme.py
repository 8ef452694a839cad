"""What README, CONTRIBUTING and conf/README say is what the code does."""

import ast
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ipam import cni, errors
from ipam.cli import COMMANDS, ipam, main
from ipam.handler import handle
from ipam.model import NO_POD, Host
from ipam.registry import Stores
from ipam.request import Request
from tests import commands
from tests.peer import differences

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
REFERENCE = (ROOT / "conf" / "README.md").read_text()
DIFFERENCES = (ROOT / "conf" / "DIFFERENCES.md").read_text()
DOCUMENTS = {"README": README, "CONTRIBUTING": CONTRIBUTING, "conf/README": REFERENCE, "conf/DIFFERENCES": DIFFERENCES}
HOST = Host("node", "boot", lambda: 1.0)

every_document = pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table behind a heading, without its first two lines."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", text, maxsplit=1, flags=re.M)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.M)
    assert table, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()[2:]]


def code_of(text: str) -> Iterator[str]:
    """Everything between backticks, in blocks and in lines."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def between(text: str, name: str) -> str:
    """What stands between a pair of markers, which must be there once."""
    (inside,) = re.findall(rf"<!-- {name}:begin -->\n(.*?)\n?<!-- {name}:end -->", text, re.S)
    return str(inside)


def test_the_differences_are_those_of_the_tests() -> None:
    assert between(DIFFERENCES, "differences") == differences.table(), "paste: python -m tests.peer.differences"


def test_there_is_a_place_for_the_figures() -> None:
    assert between(README, "bench")


def test_the_error_codes_are_those_of_the_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CniError)]
    assert [int(code) for code, *_ in rows(README, "Errors")] == sorted({kind.code for kind in kinds})


def test_the_versions_are_those_of_the_code() -> None:
    for text in (README, REFERENCE):
        assert f"{', '.join(cni.VERSIONS[:-1])} and 1.1.0" in text or f"{', '.join(cni.VERSIONS[:-1])} or 1.1.0" in text


def test_every_command_is_in_the_table_with_its_own_words() -> None:
    listed = {command.strip("`").removeprefix("ipam "): words for command, words in rows(README, "On the node")}
    assert listed == COMMANDS


def test_every_command_says_first_what_the_table_says() -> None:
    for name, words in COMMANDS.items():
        command = ipam.get_command(click.Context(ipam), name)
        assert command is not None
        first, _, _ = (command.help or "").partition("\n\n")
        told = " ".join(first.split())
        assert f"{told[0].lower()}{told[1:]}".startswith(words), name


def test_the_reference_of_the_commands_is_what_they_say() -> None:
    assert commands.PATH.read_text() == commands.reference(), "run: python -m tests.commands"


@every_document
def test_the_commands_and_options_that_are_named_exist(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, arguments in re.findall(
        r"\bipam (?=[a-z])([a-z-]+)((?: --?[a-z-]+| [^\s`]+)*)", "\n".join(code_of(text))
    ):
        assert name in COMMANDS
        with contextlib.suppress(SystemExit):
            steps = getattr(ipam.get_command(click.Context(ipam), name), "commands", {})
            main([name, *[word for word in arguments.split()[:1] if word in steps], "--help"])
        assert set(re.findall(r"--[a-z-]+", arguments)) <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@every_document
def test_the_make_targets_that_are_named_exist(text: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make ([a-z]+)", "\n".join(code_of(text)), re.M)) <= targets


@every_document
def test_the_files_that_are_linked_exist(text: str) -> None:
    base = ROOT / "conf" if text is REFERENCE else ROOT
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = base / path if path else None
        assert linked is None or linked.exists(), target
        headings = re.findall(r"^#+ (.*)$", linked.read_text() if linked and linked.suffix == ".md" else text, re.M)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, target


def test_the_modules_that_are_named_exist_and_the_others_are_named() -> None:
    layout = next(code_of(CONTRIBUTING))
    named = set(re.findall(r"(?:^| )([a-z]+\.py)\b", layout)) | {f"{name}.py" for name in ("__init__", "__main__")}
    packages = ("ipam", "ipam/audit", "backends", "backends/directory", "backends/sql")
    assert {path.name for package in packages for path in (ROOT / package).glob("*.py")} | {"__main__.py"} == named


def test_install_says_what_the_readme_shows(tmp_path: Path) -> None:
    (tmp_path / "host-local").write_text("Go's\n")
    command = [sys.executable, "-m", "ipam.cli", "install", "--cni-bin-dir", str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    said = said.replace(str(tmp_path), "/opt/cni/bin")
    said = re.sub(r"(one-shot, )/\S*?(\)?)$", r"\1/usr/bin/python3.11\2", said, flags=re.M)
    if "no launcher" not in said:
        assert f"```\n{said}```" in README


def test_the_conflist_is_one_of_the_examples() -> None:
    shown = [json.loads(text) for text in code_of(README) if text.startswith("{\n")]
    assert shown == [json.loads((ROOT / "conf" / "bridge.conflist").read_text())]


@pytest.mark.parametrize("name", re.findall(r"^\| \[(\S+\.conflist)\]", REFERENCE, re.M))
def test_the_examples_that_are_listed_exist(name: str) -> None:
    assert (ROOT / "conf" / name).is_file()


def test_every_example_is_listed() -> None:
    listed = {row[0].partition("]")[0].strip("[") for row in rows(REFERENCE, "Examples")}
    assert listed == {path.name for path in (ROOT / "conf").glob("*.conflist")}


# The keys. A path is as in the tables: "ipam.ranges[][].subnet".

KEYS = re.findall(r"^\| `([\w./-]+?[\w.\[\]-]*)` \|", REFERENCE.split("### Environment")[0], re.M)
EVERYTHING: dict[str, Any] = json.loads(next(text for text in code_of(REFERENCE) if text.startswith("{\n")))


def parts(path: str) -> list[str | int]:
    """The steps to a key: names, and the first element of each list."""
    if path.startswith("cni.dev/"):
        first, _, rest = path.partition("[]")
        return [first, *([0, rest.strip(".")] if rest else [])]
    return [0 if step == "[]" else step for step in re.findall(r"\[\]|[^.\[\]]+", path)]


def paths_of(value: object, path: str = "") -> Iterator[str]:
    """The paths of all keys in a config."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}.{key}".strip(".")
            yield from paths_of(item, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for item in value:
            yield from paths_of(item, f"{path}[]")


def calls(config: dict[str, Any]) -> list[int]:
    """The exit status of ADD, CHECK and GC, one after the other, on an empty store."""
    stores, statuses = Stores(HOST), []
    for command in ("ADD", "CHECK", "GC"):
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/c1"}
        statuses.append(handle(Request(env, json.dumps(config).encode()), HOST, stores).exit_code)
    stores.close()
    return statuses


@pytest.fixture
def everything(tmp_path: Path) -> dict[str, Any]:
    """The config that has every key, with its paths in a directory of the test's own."""
    config: dict[str, Any] = json.loads(json.dumps(EVERYTHING))
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    config["ipam"]["resolvConf"] = str(tmp_path / "resolv.conf")
    config["ipam"]["dataDir"] = str(tmp_path / "networks")
    config["ipam"]["store"] = f"file://{tmp_path}/networks"
    return config


def test_the_config_with_every_key_is_understood(everything: dict[str, Any]) -> None:
    del everything["prevResult"]
    assert calls(everything) == [0, 0, 0]


def test_the_config_with_every_key_has_every_key() -> None:
    main_plugins_own = {"type"}
    assert set(paths_of(EVERYTHING)) - main_plugins_own == set(KEYS)


@pytest.mark.parametrize("path", KEYS)
def test_every_key_is_read(path: str, everything: dict[str, Any]) -> None:
    *way, last = parts(path)
    place: Any = everything
    for step in way:
        place = place[step]
    place[last] = True
    if path.startswith("cni.dev/attachments"):
        del everything["cni.dev/valid-attachments"]
    assert any(calls(everything)), f"{path} may be anything"


def looked_up(module: str) -> set[str]:
    """The keys that a module asks a config's objects for, in lower case."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "ipam" / f"{module}.py").read_text())):
        if isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute) and node.func.attr == "get"
            reader = isinstance(node.func, ast.Name) and node.func.id in READERS
            found |= {text_of(argument) for argument in node.args[:1] if method}
            found |= {text_of(argument) for argument in node.args[1:2] if reader}
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            found.add(text_of(node.left))
        elif isinstance(node, ast.Assign) and text_of(node.targets[0]) in KEY_TUPLES:
            found |= set(ast.literal_eval(node.value))
    return {key.lower() for key in found if key}


READERS = {"text", "items", "section", "_lists", "_edge"}
KEY_TUPLES = {"_SINGLE_FORM", "_NUMBERS", "_NUMBERS_KEPT"}
OF_RESOLV_CONF = {"domain"}


def text_of(node: ast.AST) -> str:
    """A constant's text or a name; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.strip("/: \0") else ""
    return node.id if isinstance(node, ast.Name) and node.id.startswith("_") else ""


@pytest.mark.parametrize("module", ["config", "ranges", "routes"])
def test_every_key_that_is_read_is_documented(module: str) -> None:
    known = {str(parts(path)[-1]).lower() for path in KEYS}
    found = looked_up(module)
    assert len(found) >= 4
    assert found - OF_RESOLV_CONF <= known


def test_the_keys_of_cni_args_are_known() -> None:
    for key, value, _ in rows(REFERENCE, "CNI_ARGS"):
        example = {"address": "10.0.0.1", "1, true, 0, false": "true", "text": "x"}[value]
        pair = f"{key.strip('`')}={example}"
        requested, pod = cni.parse_args(f"IgnoreUnknown=1;{pair}")
        assert (requested is not None) + (pod != NO_POD) == ("IgnoreUnknown" not in pair)


def test_the_variables_are_those_that_commands_need() -> None:
    listed = {name.strip("`"): needed for name, needed, _ in rows(REFERENCE, "Environment")}
    for name in ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"):
        assert {command for command, needs in cni.REQUIRED.items() if name in needs} == set(listed[name].split(", "))


# Hosts that may be named anywhere, and beginnings of paths that only one machine has.
HOSTS = {
    "www.apache.org",
    "github.com",
    "www.cni.dev",
    "keepachangelog.com",
    "semver.org",
    "json-schema.org",
    "www.w3.org",
    "127.0.0.1",
}
FOR_EXAMPLES = re.compile(r"(^|\.)(example|test|invalid|localhost|example\.(org|com|net))$|^[^.]*$")
MACHINES = tuple(f"/{name}/" for name in ("work", "home", "Users"))


def test_nothing_speaks_of_a_machine_or_of_a_registry() -> None:
    tops = [ROOT / name for name in (".ci", "backends", "conf", "ipam", "tests")]
    for path in [*ROOT.glob("*.*"), ROOT / "Makefile", *(path for top in tops for path in top.rglob("*"))]:
        if not path.is_file():
            continue
        with contextlib.suppress(UnicodeDecodeError):
            text = path.read_text()
            for machine in MACHINES:
                assert not re.search(rf"(?<![\w.]){machine}\w", text), f"{path} has {machine}"
            for host in re.findall(r"https?://([\w.-]+)", text):
                assert host in HOSTS or FOR_EXAMPLES.search(host), f"{path} names {host}"
