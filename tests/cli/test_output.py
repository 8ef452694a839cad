"""How commands print: in pipes, on terminals, to readers that go away; and what no value can do."""

import contextlib
import csv
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.cli import main, output
from ipam.cli.output import Column, aligned, emit, harmless, visible
from ipam.model import IPV4, Address, Pod
from tests.cli.node import IPAM, NAME, ONE_STORE, Node

DANGEROUS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


@given(st.text(alphabet=st.characters()))
def test_nothing_that_is_shown_can_act_on_a_terminal(text: str) -> None:
    shown = visible(text)
    assert not DANGEROUS.search(shown)
    if text.isprintable():
        assert shown == text


@given(st.text(alphabet=st.one_of(st.sampled_from("=+-@\t\r'\"\n,"), st.characters())))
def test_nothing_in_a_csv_cell_is_a_formula(text: str) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(["first", harmless(text)])
    ((_, cell),) = csv.reader(io.StringIO(file.getvalue()))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not DANGEROUS.search(cell)


def test_numbers_stay_numbers_in_csv() -> None:
    assert (harmless(-5), harmless(0), harmless(None)) == (-5, 0, "")


COLUMNS = (Column("name"), Column("size", right=True), Column("of", title="OF WHAT"))
ROWS = [{"name": "a", "size": 5, "of": None}, {"name": "longer", "size": 12345, "of": ""}]


def test_columns_are_aligned_and_absent_values_shown() -> None:
    assert list(aligned(ROWS, COLUMNS)) == ["NAME     SIZE  OF WHAT", "a           5  -", "longer  12345  -"]
    assert list(aligned([], COLUMNS)) == ["NAME  SIZE  OF WHAT"]


@pytest.mark.parametrize("form", output.FORMATS)
def test_an_empty_answer_is_still_one_of_its_form(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    emit([], COLUMNS, form)
    assert capsys.readouterr().out == {"table": "NAME  SIZE  OF WHAT\n", "json": "[]\n", "csv": "name,size,of\n"}[form]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One store is enough here."""
    return f"file://{tmp_path}/networks"


@contextmanager
def terminal(arguments: list[str], columns: int = 200) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A command whose three streams are a terminal: our end of it, and the process."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "50"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [*IPAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield ours, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        os.close(ours)


def read_until(fd: int, wanted: bytes, seconds: float = 30) -> bytes:
    """What the terminal got until `wanted` came; everything until the end where that is empty."""
    data, deadline = b"", time.monotonic() + seconds
    while not wanted or wanted not in data:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(data)
        try:
            part = os.read(fd, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more
            break
        data += part
    return data


def shown(arguments: list[str], columns: int = 200) -> tuple[int, str]:
    """The exit status of a command on a terminal, and what it showed."""
    with terminal(arguments, columns) as (fd, process):
        text = read_until(fd, b"").decode()
        return process.wait(30), text


PLAIN = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    "words",
    [["networks"], ["leases"], ["history"], ["usage"], ["map", NAME], ["who", "10.203.0.2"], ["gc"], ["check"]],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("leases", [0, 3])
def test_on_a_terminal_there_are_colours_and_nothing_else_that_acts(node: Node, words: list[str], leases: int) -> None:
    node.configure()
    for number in range(leases):
        node.add(f"{number:064x}", pod=Pod("default", f"web-{number}"))
    code, text = shown(node.arguments(*words))
    piped = node.run(*words)
    assert code == piped.code
    if piped.out:
        assert PLAIN.search(text)
    rest = PLAIN.sub("", text)
    assert not DANGEROUS.search(rest.replace("\r\n", ""))
    if leases and words == ["leases"]:
        assert "0" * 12 in rest
        assert "0" * 13 not in rest  # ids are shortened for people, and whole in pipes
    if words == ["usage"]:
        assert "........." in rest


def test_a_narrow_terminal_makes_no_table_of_fragments(node: Node) -> None:
    node.configure()
    node.add("c1")
    code, text = shown(node.arguments("leases"), columns=40)
    assert code == 0
    assert PLAIN.sub("", text).splitlines()[1].split()[:3] == [NAME, "10.203.0.2", "c1"]


def test_a_dumb_terminal_gets_plain_text(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.configure()
    node.add("c1")
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "dumb"}
    process = subprocess.Popen([*IPAM, *node.arguments("leases")], stdout=theirs, env=env)
    os.close(theirs)
    assert b"\x1b" not in read_until(ours, b"")
    assert process.wait(30) == 0
    os.close(ours)


@pytest.mark.parametrize("output_form", output.FORMATS)
def test_a_reader_that_goes_away_ends_the_command_quietly(node: Node, output_form: str) -> None:
    node.configure("10.203.0.0/16")
    node.fill(Address(IPV4, 0x0ACB0002 + number) for number in range(5000))
    read, write = os.pipe()
    command = [*IPAM, *node.arguments("leases", "-o", output_form)]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        assert os.read(read, 10)
        os.close(read)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (128 + signal.SIGPIPE, b"")


@ONE_STORE
@pytest.mark.parametrize("words", [["leases"], ["leases", "-o", "json"], ["export"], ["--help"]], ids=" ".join)
@pytest.mark.parametrize(("where", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")])
def test_an_answer_that_cannot_be_written_is_an_error_of_one_line(
    node: Node, words: list[str], where: str, why: str
) -> None:
    node.configure()
    node.add("c1")
    given = words if words == ["--help"] else node.arguments(*words)
    command = ["sh", "-c", f'exec "$@" {where}', "sh", *IPAM, *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("ipam")
    assert why in done.stderr


@ONE_STORE
def test_nobody_has_to_listen_to_complaints(node: Node) -> None:
    node.configure()
    node.add("c1")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *IPAM, *node.arguments("release", "10.203.0.2", "--force")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("released 10.203.0.2")


@pytest.mark.parametrize("words", [["leases", "--watch", "0.1"], ["history", "--follow"]], ids=lambda words: words[0])
def test_ctrl_c_ends_the_command_quietly(node: Node, words: list[str]) -> None:
    node.configure()
    node.add("c1")
    with terminal(node.arguments(*words)) as (fd, process):
        read_until(fd, b"c1")
        process.send_signal(signal.SIGINT)
        rest = read_until(fd, b"")
        assert process.wait(30) == 128 + signal.SIGINT
        assert b"Traceback" not in rest


def test_progress_is_shown_on_a_terminal_and_wiped_off(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "_BEFORE_PROGRESS", 0.0)
    assert list(output.counted(range(1000), "reading leases")) == list(range(1000))
    assert "reading leases: 256" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_what_takes_long_is_told_on_a_terminal_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Event()

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            if "checking: " in text:
                told.set()
            return super().write(text)

    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "_BEFORE_PROGRESS", 0.0)
    monkeypatch.setattr(output, "_BETWEEN_PROGRESS", 0.01)
    with output.waiting("checking"):
        assert told.wait(30)
    assert screen.getvalue().endswith("\r\x1b[K")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with output.waiting("checking"):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_no_progress_is_shown_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    monkeypatch.setattr(output, "_BEFORE_PROGRESS", 0.0)
    assert len(list(output.counted(range(1000), "reading leases"))) == 1000
    assert pipe.getvalue() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", shell])
    assert "_IPAM_COMPLETE" in capsys.readouterr().out


def test_completion_completes_commands_and_networks(node: Node) -> None:
    def completed(words: str, number: int) -> list[str]:
        env = os.environ | {"COMP_WORDS": words, "COMP_CWORD": str(number), "_IPAM_COMPLETE": "bash_complete"}
        done = subprocess.run(IPAM, env=env, capture_output=True, text=True, check=True)
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    assert completed("ipam le", 1) == ["leases"]
    assert completed("ipam rest", 1) == ["restore"]
    assert "--stale" in completed("ipam leases --st", 2)
    node.configure()
    where = f"--conf-dir {node.conf_dir}"
    assert completed(f"ipam leases {where} cont", 4) == [NAME]
    assert completed(f"ipam map {where} --store {node.url} ", 6) == [NAME]
    assert completed(f"ipam leases --conf-dir {node.conf_dir}/absent --store {node.url} cont", 6) == []
    for command in ("who 10.0.0.1", "release", "restore", "export", "forget", "verify"):
        words = f"ipam {command} {where} --network cont"
        assert completed(words, len(words.split()) - 1) == [NAME], command


def test_help_imports_no_command() -> None:
    call = "try: main(['--help'])\nexcept SystemExit: pass\nfinally: print(*sys.modules)"
    script = f"import sys; from ipam.cli import main\n{call}"
    done = subprocess.run([IPAM[0], "-c", script], capture_output=True, text=True, check=True)
    assert "who holds an address" in done.stdout
    modules = set(done.stdout.splitlines()[-1].split())
    assert "ipam.cli" in modules
    assert not {name for name in modules if name.startswith(("ipam.cli.", "rich", "sqlalchemy", "netaddr"))}
