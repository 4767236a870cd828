"""A mail server with STARTTLS, a login and an authority of its own: every message from a Provider on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme
import yaml
from integration.conftest import sandbox
from integration.guide import put
from integration.test_every_channel import _report, states
from servers.smtp import Smtp
from standins.email import content, mail_problems

if TYPE_CHECKING:
    from pathlib import Path

API = "notification.toolkit.fluxcd.io/v1beta3"
META = {"name": "mail", "namespace": "flux-system"}


def written(server: Smtp, authority: trustme.CA, password: str) -> str:
    """Provider, Secrets and Alert."""
    spec = {
        "type": "email",
        "address": f"smtp://127.0.0.1:{server.port}",
        "channel": "ops@example.com, on-call@example.com",
        "username": server.user,
        "secretRef": {"name": "mail"},
        "certSecretRef": {"name": "authority"},
    }
    authority_ = {"ca.crt": authority.cert_pem.bytes().decode()}
    alert = {"providerRef": {"name": "mail"}, "eventSources": [{"kind": "Kustomization", "name": "*"}]}
    return yaml.safe_dump_all(
        [
            {"apiVersion": API, "kind": "Provider", "metadata": META, "spec": spec},
            {"apiVersion": "v1", "kind": "Secret", "metadata": META, "stringData": {"password": password}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {**META, "name": "authority"},
                "stringData": authority_,
            },
            {"apiVersion": API, "kind": "Alert", "metadata": META, "spec": alert},
        ]
    )


def test_from_a_provider_on(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Smtp(security="starttls", authority=authority, mechanisms=("PLAIN",)) as server, sandbox() as cluster:
        (tmp_path / "manifests.yaml").write_text(written(server, authority, server.password))
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
        told = []
        for objects in states().values():
            before = len(server.mails)
            put(cluster, *objects)
            for _ in range(2):
                run = _report(tmp_path)
            told.append(server.mails[before:])
            assert server.password not in run.stdout + run.stderr

    _, (wait,), (failure,), (recovery,), (success,) = told
    assert "waits for flux-system/infra" in content(wait.message, "plain")
    assert "failed on prod" in failure.message["Subject"]
    assert "Recovered" in content(recovery.message, "plain")
    assert "is live on prod" in success.message["Subject"]
    for mail in (wait, failure, recovery, success):
        assert (mail.encrypted, mail.user, mail.sender) == (True, server.user, server.user)
        assert mail.recipients == ("ops@example.com", "on-call@example.com")
        assert mail_problems(mail) == []
    assert wait.message["References"] == failure.message["References"] == recovery.message["References"]
    assert success.message["References"] != recovery.message["References"]


def test_a_wrong_password_is_said_and_the_next_run_tells_it(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Smtp(security="starttls", authority=authority, mechanisms=("PLAIN",)) as server, sandbox() as cluster:
        (tmp_path / "manifests.yaml").write_text(written(server, authority, "another-password-x1"))
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
        put(cluster, *states()["before"])
        _report(tmp_path)
        put(cluster, *states()["wait"])
        refused = _report(tmp_path)
        (tmp_path / "manifests.yaml").write_text(written(server, authority, server.password))
        taken = _report(tmp_path)

        assert server.attempts == [server.user] * len(server.attempts)
        assert len(server.mails) == 1
    assert refused.returncode == 6
    assert "535" in refused.stdout + refused.stderr
    assert "another-password-x1" not in refused.stdout + refused.stderr
    assert taken.returncode == 0


def test_a_bad_provider_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Smtp() as server, sandbox() as cluster:
        text = written(server, authority, "hidden-password-9").replace("ops@example.com", "ops")
        (tmp_path / "manifests.yaml").write_text(text)
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
        run = _report(tmp_path)

        assert server.connections == 0
    assert run.returncode == 2
    assert "spec.channel" in run.stderr
    assert "'ops' is not an e-mail address" in run.stderr
    assert "hidden-password-9" not in run.stderr
