"""What commands say of mistakes, of errors of the system's, of one and of many, and of nothing at all."""

from pathlib import Path

import pytest

from ipam.cli import main, output
from tests.cli.node import ONE_STORE, Node
from tests.cli.test_output import shown


@pytest.mark.parametrize(("words", "meant"), [(["usge"], "usage"), (["store", "migrat"], "migrate")], ids=str)
def test_a_command_that_does_not_exist_is_answered_with_the_one_that_may_have_been_meant(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f"No such command {words[-1]!r}. Did you mean {meant!r}?" in capsys.readouterr().err


@ONE_STORE
@pytest.mark.parametrize(
    "words",
    [["explain", "FILE"], ["validate", "FILE"], ["export", "--sign-key", "FILE"], ["export", "-o", "FILE"]],
    ids=" ".join,
)
def test_an_error_of_the_system_is_told_by_file_and_reason_without_its_number(
    node: Node, tmp_path: Path, words: list[str]
) -> None:
    node.configure()
    path = str(tmp_path / "absent" / "file")
    status, _, err = node.run(*[path if word == "FILE" else word for word in words])
    assert (status, err) == (1, f"ipam {words[0]}: {path}: No such file or directory\n")


@pytest.mark.parametrize("words", [[], ["leases"], ["store", "migrate"]], ids=" ".join)
def test_help_is_asked_for_by_a_letter_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*words, "--help"])
    long = capsys.readouterr().out
    main([*words, "-h"])
    assert capsys.readouterr().out == long


def test_one_of_a_kind_is_not_told_as_many() -> None:
    assert [output.number(count, "event") for count in (0, 1, 2)] == ["0 events", "1 event", "2 events"]


@ONE_STORE
def test_a_check_that_finds_nothing_says_so_on_a_terminal_alone(node: Node) -> None:
    node.configure()
    node.add("c1")
    assert node.run("check") == (0, "", "")
    code, text = shown(node.arguments("check"))
    assert (code, text) == (0, "nothing was found wrong in 1 network\r\n")
