"""One name in four places: the command line's options, the Action's inputs, the component's inputs, their variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from landed.cli import report
from landed.reports.github import OUTPUTS

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
SPEC, JOBS = yaml.safe_load_all((ROOT / "templates" / "landed.yml").read_text())
COMPONENT: dict[str, Any] = SPEC["spec"]["inputs"]
JOB: dict[str, Any] = JOBS["$[[ inputs.job_name ]]"]

#: What the command line has no option for.
ACTION_ONLY = {"command"}
COMPONENT_ONLY = {"command", "job_name", "stage", "image"}
#: Where a default differs from click's: the job's own token, and each command's own format.
DEFAULTS = {"github_token": "${{ github.token }}", "output": ""}


def options() -> dict[str, dict[str, Any]]:
    """The options of ``landed report`` in click's own words, without ``--help``."""
    info = report.command.to_info_dict(click.Context(report.command))
    return {param["name"]: param for param in info["params"] if param["envvar"]}


OPTIONS = options()
SECRETS = {name for name, option in OPTIONS.items() if option["type"]["name"] == "secret"}


def description(option: dict[str, Any]) -> str:
    """An option's help, in the words of a place where nothing can be repeated."""
    return str(option["help"]).replace("Repeatable; one per line in a variable.", "Several: one per line.")


def default(option: dict[str, Any]) -> str:
    """An option's default as an input has it: always a string."""
    value = option["default"]
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_action_has_the_options_as_inputs_in_their_order() -> None:
    assert [*ACTION["inputs"]] == [*ACTION_ONLY, *OPTIONS]


def test_the_component_has_the_options_as_inputs_but_for_the_secrets() -> None:
    assert [name for name in COMPONENT if name not in COMPONENT_ONLY] == [n for n in OPTIONS if n not in SECRETS]
    assert COMPONENT.keys() >= COMPONENT_ONLY


def test_the_component_names_a_variable_for_each_secret() -> None:
    comments = re.findall(r"^#.*", (ROOT / "templates" / "landed.yml").read_text(), re.MULTILINE)
    named = set(re.findall(r"LANDED_[A-Z_]*[A-Z]", " ".join(comments)))
    of_manifests = "LANDED_SECRET"  # … _<NAME>_<KEY>
    assert named == {f"LANDED_{name.upper()}" for name in SECRETS} | {of_manifests}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_input_of_the_action_says_what_its_option_says(name: str) -> None:
    expected = {"description": description(OPTIONS[name]), "default": DEFAULTS.get(name, default(OPTIONS[name]))}
    assert ACTION["inputs"][name] == expected


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in SECRETS])
def test_an_input_of_the_component_says_what_its_option_says(name: str) -> None:
    expected = {"description": description(OPTIONS[name]), "default": DEFAULTS.get(name, default(OPTIONS[name]))}
    assert {key: COMPONENT[name][key] for key in expected} == expected


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in SECRETS])
def test_a_choice_is_the_same_choice_in_the_component(name: str) -> None:
    option = OPTIONS[name]
    choices = ["false", "true"] if option["is_flag"] else list(option["type"].get("choices", ()))
    if name == "output":
        choices = ["", *choices]
    assert COMPONENT[name].get("options", []) == choices


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_listens_to_both_of_its_variables(name: str) -> None:
    assert OPTIONS[name]["envvar"] == [f"LANDED_{name.upper()}", f"INPUT_{name.upper()}"]


def test_the_job_hands_on_every_input_and_no_secret() -> None:
    handed = {name: value for name, value in JOB["variables"].items() if name.startswith("LANDED_")}
    assert handed == {f"LANDED_{n.upper()}": f"$[[ inputs.{n} ]]" for n in OPTIONS if n not in SECRETS}


def test_the_action_hands_on_the_command_and_nothing_else_as_an_argument() -> None:
    assert ACTION["runs"]["args"] == ["${{ inputs.command }}"]
    assert ACTION["inputs"]["command"]["default"] == COMPONENT["command"]["default"] == "report"


def test_the_outputs_are_the_ones_that_are_written() -> None:
    assert {name: output["description"] for name, output in ACTION["outputs"].items()} == OUTPUTS


def test_every_input_and_output_is_described() -> None:
    for place in (ACTION["inputs"], ACTION["outputs"], COMPONENT):
        assert all(entry["description"].endswith(".") for entry in place.values())


def test_the_cache_keeps_the_folder_of_the_default_ledger() -> None:
    ledger = COMPONENT["ledger"]["default"]
    assert [path for path in JOB["cache"]["paths"] if ledger.startswith(path)]
    assert JOB["cache"]["when"] == "always"
