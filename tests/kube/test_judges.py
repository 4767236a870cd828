"""The fifty cases put to kubectl and to the official Python client.

kubectl must agree with every expectation that applies to it: a case that it does not share is a case that is wrong.
The official client fails some; the table says which, so that a change on its side is seen.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kube.cases import CASES, Setup

if TYPE_CHECKING:
    from kube.world import World

KUBECTL = shutil.which("kubectl")

#: What the official client (kubernetes 37) makes otherwise.
OFFICIAL_FAILS = {
    "a tokenFile with a final newline": "sends the newline",
    "a tokenFile with a relative path": "sends the newline",
    "a tokenFile wins over a token": "takes the token",
    "a tokenFile is read again after a 401": "reads it once",
    "exec: run again after a 401": "keeps the token",
    "impersonation of a user and groups": "is alice herself",
    "KUBECONFIG: two current-contexts, the first one wins": "takes the last",
    "exec: a plugin that fails is heard": "goes on without credentials",
    "exec: a plugin that is missing is named with its installHint": "goes on without credentials",
    "proxy-url wins over HTTPS_PROXY": "obeys NO_PROXY",
    "proxy-url: socks5": "looks the name up by itself",
}
if sys.version_info >= (3, 13):  # https://docs.python.org/3/whatsnew/3.13.html#ssl
    OFFICIAL_FAILS["an old CA: no key usage, no authority key identifier"] = "keeps Python's strict checks"


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize("name", CASES)
def test_kubectl_agrees(name: str, world: World) -> None:
    setup = CASES[name](world)
    if setup.kubectl:
        pytest.skip(setup.kubectl)
    run = subprocess.run(
        ["kubectl", "get", "kustomizations.v1.kustomize.toolkit.fluxcd.io", "-A", "-o", "json"],
        env=setup.environ,
        cwd=world.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    users = (setup.server or world.api).users
    if setup.user:
        assert (run.returncode, users) == (0, [setup.user]), run.stderr.decode()
        assert json.loads(run.stdout)["items"][0]["kind"] == "Kustomization"
        assert setup.check()
    else:
        assert run.returncode != 0
        assert users == []


@pytest.mark.parametrize("name", CASES)
def test_the_official_client(name: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    if not _official():
        pytest.skip("the official client is not installed")
    setup = CASES[name](world)
    for variable, value in setup.environ.items():
        monkeypatch.setenv(variable, value)
    agrees = _agrees(setup, world)
    assert agrees is (name not in OFFICIAL_FAILS)


@lru_cache
def _official() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import kubernetes.client
            import kubernetes.config
        except ImportError:
            return None
        return kubernetes


def _agrees(setup: Setup, world: World) -> bool:
    server = setup.server or world.api
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return _ask(setup, server)
    finally:
        logging.disable(logging.NOTSET)


def _ask(setup: Setup, server: Any) -> bool:
    try:
        api = _client(setup)
    except Exception:
        return not setup.user and not server.users
    try:
        _list(api)
        if setup.then:
            setup.then()
            _list(api)
    except Exception:
        return not setup.user and not any(server.users)
    finally:
        api.rest_client.pool_manager.clear()
    expected = [setup.user, setup.then_user] if setup.then else [setup.user]
    return server.users[: len(expected)] == expected and setup.check()


def _client(setup: Setup) -> Any:
    official = _official()
    configuration = official.client.Configuration()
    if setup.service_account:
        folder = Path(setup.service_account)
        official.config.incluster_config.InClusterConfigLoader(
            token_filename=folder / "token", cert_filename=folder / "ca.crt", environ=setup.environ
        ).load_and_set(configuration)
    else:
        official.config.load_kube_config(
            config_file=setup.environ["KUBECONFIG"], client_configuration=configuration, persist_config=False
        )
    configuration.retries = False
    return official.client.ApiClient(configuration)


def _list(api: Any) -> None:
    official = _official()
    official.client.CustomObjectsApi(api).list_cluster_custom_object(
        "kustomize.toolkit.fluxcd.io", "v1", "kustomizations", _request_timeout=5
    )
