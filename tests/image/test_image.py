"""What must be true of the image, whoever runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from objects import encoded, git_repository, kustomization, listing

if TYPE_CHECKING:
    from pathlib import Path

    from image.runner import Engine

pytestmark = pytest.mark.image

PYTHON = "/opt/venv/bin/python"
OFFLINE = ("--network", "none")
#: As little as a container can be given: no writing, another user, no privilege.
BARE = (*OFFLINE, "--read-only", "--user", "4711:4711", "--cap-drop", "all", "--security-opt", "no-new-privileges")


def inspected(engine: Engine, image: str = "") -> dict[str, Any]:
    """The engine's own description of an image."""
    command = [engine.client, "image", "inspect", image or engine.image]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found[0]


def compiled(log: str) -> list[str]:
    """The source files that Python compiled, out of what ``python -v`` says."""
    loaded = re.findall(r"^# code object from '?(.*?)'?$", log, re.MULTILINE)
    return [path for path in loaded if not path.endswith(".pyc")] + re.findall(
        r"^# bytecode is stale.*", log, re.MULTILINE
    )


def test_it_is_configured_for_a_container_action_and_a_gitlab_job(engine: Engine) -> None:
    config = inspected(engine)["Config"]
    assert config["Entrypoint"] == [PYTHON, "-I", "-m", "landed"]
    assert not config.get("User")  # the runner's workspace is written by root
    assert config.get("WorkingDir", "") in ("", "/")
    assert not config.get("Healthcheck")
    assert "PATH=/opt/venv/bin:" in " ".join(config["Env"])
    assert config["Labels"]["org.opencontainers.image.title"] == "landed"


def test_without_a_command_it_shows_its_help(engine: Engine) -> None:
    done = engine.run(BARE)
    assert done.returncode == 0
    assert b"Usage: landed" in done.stdout


@pytest.mark.parametrize("command", ["landed --version", "landed report --help", "id | grep -q uid=0"])
def test_a_gitlab_job_finds_a_shell_and_the_program(engine: Engine, command: str) -> None:
    assert engine.run((*OFFLINE, "--entrypoint", "sh"), ("-c", command)).returncode == 0


def test_compilation_is_noticed(engine: Engine) -> None:
    write = "from pathlib import Path; Path('/tmp/fresh.py').write_text('x = 1')"
    script = f"{write}; import sys; sys.path.append('/tmp'); import fresh"
    done = engine.run((*BARE, "--tmpfs", "/tmp", "--entrypoint", PYTHON), ("-I", "-v", "-c", script))
    assert compiled(done.stdout.decode()) == ["/tmp/fresh.py"]


@pytest.mark.parametrize(
    "arguments",
    [
        "--version",
        "--help",
        "report --help",
        "report --from-file /data/list.json --dry-run",
        "report --from-file /data/list.json --ledger /tmp/ledger.json --output json",
        "status --from-file /data/list.json --output table",
        "status --from-file /data/list.json --output markdown",
        "doctor --kubeconfig /data/nothing",
        "ledger show --ledger /data/nothing",
    ],
)
def test_nothing_is_compiled_at_start(engine: Engine, folder: Path, arguments: str) -> None:
    (folder / "list.json").write_bytes(encoded(listing("List", [git_repository(), kustomization()])))
    options = (*BARE, "--volume", f"{folder}:/data:ro", "--tmpfs", "/tmp", "--entrypoint", PYTHON)
    done = engine.run(options, ("-I", "-v", "-m", "landed", *arguments.split()))
    log = done.stdout.decode()
    assert "/landed/" in log
    assert compiled(log) == []


@pytest.mark.parametrize(
    "module",
    [
        "github",
        "gitlab",
        "cel_expr_python.cel",
        "requests",
        "rich.table",
        "jinja2",
        "yaml",
        "socks",
        "re2",
        "apprise",
        "google.auth",
        "nacl.signing",
        "opentelemetry.proto.trace.v1.trace_pb2",
    ],
)
def test_what_is_imported_late_is_compiled_too(engine: Engine, module: str) -> None:
    done = engine.run((*BARE, "--entrypoint", PYTHON), ("-I", "-v", "-c", f"import {module}"))
    assert done.returncode == 0
    assert compiled(done.stdout.decode()) == []


def test_it_has_all_extras(engine: Engine) -> None:
    done = engine.run(BARE, ("doctor", "--from-file", "/nowhere"))
    said = done.stdout.decode()
    assert "Installed: apprise, cel, googlepubsub, otel, re2, socks." in said
    assert "Not installed" not in said


def test_it_knows_time_zones(engine: Engine) -> None:
    script = "from zoneinfo import ZoneInfo; ZoneInfo('Europe/Berlin')"
    assert engine.run((*BARE, "--entrypoint", PYTHON), ("-I", "-c", script)).returncode == 0


def test_it_trusts_the_public_certificate_authorities(engine: Engine) -> None:
    ours = "len(ssl.create_default_context().get_ca_certs())"
    theirs = "open(certifi.where()).read().count('BEGIN CERTIFICATE')"
    script = f"import certifi, ssl; print({ours}, {theirs})"
    done = engine.run((*BARE, "--entrypoint", PYTHON), ("-I", "-c", script))
    assert all(int(count) > 100 for count in done.stdout.split())
    assert len(done.stdout.split()) == 2


def test_it_stays_within_its_budget(engine: Engine) -> None:
    base, budget = os.environ.get("LANDED_TEST_BASE"), os.environ.get("LANDED_TEST_BUDGET")
    if not base or not budget:
        pytest.skip("LANDED_TEST_BASE and LANDED_TEST_BUDGET name no base image and no budget in bytes")
    added = inspected(engine)["Size"] - inspected(engine, base)["Size"]
    print(f"the image adds {added / 1e6:.0f} MB to its base")
    assert 0 < added < int(budget)
