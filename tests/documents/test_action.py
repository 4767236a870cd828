"""One name in four places: the command line's options, the Action's inputs, the component's inputs, their variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents.inputs import DEFAULTS, REPORTS, choices, default, description, options, secret
from landed.reports.github import OUTPUTS

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
SPEC, JOBS = yaml.safe_load_all((ROOT / "templates" / "landed.yml").read_text())
COMPONENT: dict[str, Any] = SPEC["spec"]["inputs"]
JOB: dict[str, Any] = JOBS["$[[ inputs.job_name ]]"]

#: What the command line has no option for.
ACTION_ONLY = {"command"}
COMPONENT_ONLY = {"command", "job_name", "stage", "image"}
OPTIONS = options()
SECRETS = {name for name, option in OPTIONS.items() if secret(option)}


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
    wanted = (DEFAULTS | REPORTS).get(name, default(OPTIONS[name]))
    expected = {"description": description(OPTIONS[name]), "default": wanted}
    assert {key: COMPONENT[name][key] for key in expected} == expected


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in SECRETS])
def test_a_choice_is_the_same_choice_in_the_component(name: str) -> None:
    assert COMPONENT[name].get("options", []) == choices(name, OPTIONS[name])


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


def test_the_reports_are_handed_to_gitlab_where_they_are_written() -> None:
    written = dict(target.split("=") for target in REPORTS["write"].splitlines())
    assert JOB["artifacts"]["reports"] == written
    assert JOB["artifacts"]["when"] == "always"
