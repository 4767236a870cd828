"""The stand-in for the GitHub runner must itself be right, or its tests say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from image.action import Action, arguments, evaluate, inputs_of, load, variable
from image.commands import Command, ContractError, command, key_values, read_log, summary


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("::error file=a%2Cb.py,line=3::x%0Ay", Command("error", {"file": "a,b.py", "line": "3"}, "x\ny")),
        ("   ::notice::indented", Command("notice", {}, "indented")),
        ("title: ##[error]anywhere", Command("error", {}, "anywhere")),
        ("::WARNING::case does not matter", Command("warning", {}, "case does not matter")),
        ("text ::error::not at the start", None),
        ("::nonsense::unknown names are text", None),
        ("::error no end", None),
        ("##[error no end", None),
    ],
    ids=["escapes", "indented", "older form", "upper case", "not at the start", "unknown", "open", "older, open"],
)
def test_commands_are_found_where_the_runner_finds_them(line: str, found: Command | None) -> None:
    assert command(line) == found


def test_a_secret_is_masked_from_its_mask_on_and_line_by_line() -> None:
    log = read_log(["before s3cret", "::add-mask::s3cret%0Asecond", "now s3cret and second", "::add-mask::"], ["token"])
    assert log.lines == ["before s3cret", "now *** and ***"]
    assert log.warnings


def test_stopped_commands_are_text_until_resumed() -> None:
    log = read_log(["::stop-commands::k1", "::error::forged", "::k1::", "::error::ours"])
    assert log.lines == ["::error::forged"]
    assert [c.data for c in log.annotations()] == ["ours"]


@pytest.mark.parametrize("line", ["::set-output name=a::b", "x ##[set-env name=PATH]/tmp", "::stop-commands::never"])
def test_a_log_that_reaches_beyond_its_step_is_refused(line: str) -> None:
    with pytest.raises(ContractError):
        read_log([line])


def test_ten_annotations_of_each_level_are_kept() -> None:
    log = read_log([f"::error::{n}" for n in range(12)] + ["::warning::w"])
    assert [c.data for c in log.annotations()] == [*map(str, range(10)), "w"]


def test_values_of_one_and_of_many_lines_are_read() -> None:
    assert key_values("a=1\nb<<E\nx\n\ny=z\nE\nc=p=q<<r\n") == {"a": "1", "b": "x\n\ny=z", "c": "p=q<<r"}
    assert key_values("") == {}


@pytest.mark.parametrize("text", ["b<<E\nx\n", "b<<E\nxE\n", "no value\n"], ids=["no end", "end not alone", "no name"])
def test_files_that_fail_a_step_fail_here(text: str) -> None:
    with pytest.raises(ContractError):
        key_values(text)


def test_a_summary_beyond_its_limit_is_no_summary() -> None:
    assert summary("a token", ["token"]) == "a ***"
    with pytest.raises(ContractError):
        summary("x" * (1024 * 1024 + 1), [])


def test_arguments_survive_but_for_a_last_backslash() -> None:
    args, values = ("${{ inputs.a }}", "${{ inputs.b }}"), {"a": 'say "hi" to\n$HOME', "b": ""}
    assert arguments(args, values) == ['say "hi" to\n$HOME', ""]
    assert arguments(args, {"a": "C:\\", "b": "next"}) != ["C:\\", "next"]


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("${{ github.token }}", "args"),
        ("${{ secrets.TOKEN }}", "default"),
        ("${{ inputs.undeclared }}", "args"),
        ("${{ inputs.a", "args"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_there_is_refused(field: str, where: str) -> None:
    with pytest.raises(ContractError):
        evaluate(field, where, {"inputs": {"a": "1"}, "github": {"token": "t"}})


def test_inputs_are_strings_with_their_defaults_and_never_absent() -> None:
    action = Action({"one": {}, "two": {"default": "${{ github.token }}"}, "three": {"default": False}}, {}, "", (), {})
    values, warnings = inputs_of(action, {"ONE": True, "four": 4}, {"github": {"token": "t"}})
    assert values == {"one": "true", "two": "t", "three": "false", "four": "4"}
    assert warnings == ["Unexpected input(s) 'four'"]
    assert variable("fail-on it") == "INPUT_FAIL-ON_IT"


@pytest.mark.parametrize("runs", ["{using: composite, steps: []}", "{using: docker, image: Missing}"])
def test_an_action_that_cannot_start_is_refused(tmp_path: Path, runs: str) -> None:
    (tmp_path / "action.yml").write_text(f"name: x\nruns: {runs}\n")
    with pytest.raises(ContractError):
        load(tmp_path / "action.yml")
