"""Whatever kubectl makes of a kubeconfig, we do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from kube.cases import CASES, FLUX

from landed import kube
from landed.errors import ClusterError

if TYPE_CHECKING:
    from kube.world import World


def test_there_are_fifty_cases() -> None:
    assert len(CASES) == 50


@pytest.mark.parametrize("name", CASES)
def test_kubeconfig(name: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = CASES[name](world)
    for variable, value in setup.environ.items():
        if variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HOME"):
            monkeypatch.setenv(variable, value)  # libraries read these by themselves
    server = setup.server or world.api
    account = setup.service_account or kube.SERVICE_ACCOUNT
    client = kube.connect("", "", setup.environ, timeout=5, service_account=account)
    with client:
        if not setup.user:
            with pytest.raises(ClusterError) as caught:
                client.get(FLUX)
            told = f"{caught.value.message} {caught.value.hint}"
            assert [text for text in setup.says if text not in told] == []
            assert server.users == []
            return
        client.get(FLUX)
        assert server.users == [setup.user]
        if setup.then:
            setup.then()
            client.get(FLUX)
            assert server.users[-1] == setup.then_user
    assert setup.check()


def test_the_environment_is_the_one_given_and_not_the_process_s(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    path = world.write("config", world.config().text())
    with kube.connect("", "", world.environ(path)) as client:
        client.get(FLUX)
    assert world.api.users == ["alice"]
