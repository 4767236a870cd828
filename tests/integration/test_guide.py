"""Flux's guide to notifications, from its first line to its last: every block of it, as somebody would use it.

After each step a second run must not ask anybody anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
import trustme
import yaml
from integration import guide
from integration.guide import App, Block, User, public, put, texts, tls, user
from objects import MAIN_A, MAIN_B, A, B
from standins import azuredevops, bitbucket, github, gitlab
from standins.discord import Discord
from standins.msteams import Teams
from standins.rocket import RocketWebhook
from standins.slack import SlackWebhook
from standins.webhook import Receiver

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from integration.cluster import Cluster

pytestmark = [
    pytest.mark.envtest,
    pytest.mark.skipif(guide.lacks_kubectl(), reason="there is no kubectl"),
]

#: What Flux's guide has, and nobody may change: SHA-256 of each block.
FLUX = (
    "7aaf78b05c90eac0",
    "0f757add2e64d4f2",
    "5ebee6b984388ffa",
    "8d807d5b4aa6a806",
    "334f06c3b628500d",
    "696be78cf486ed51",
)
PODINFO = "flux/production/flux-system/podinfo"
HOOKS = "hooks.slack.com"


@pytest.fixture(scope="session")
def server(flux_server: Cluster) -> Cluster:
    return flux_server


@pytest.fixture
def cluster(server: Cluster) -> Iterator[Cluster]:
    yield server
    guide.empty(server)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_the_manifests_are_flux_s_own() -> None:
    theirs = [block for block in guide.blocks() if not block.text.startswith(("landed", "$"))]

    assert tuple(hashlib.sha256(block.text.encode()).hexdigest()[:16] for block in theirs) == FLUX


class Walk:
    """The blocks of the guide, taken one after the other."""

    def __init__(self, here: User) -> None:
        self.here = here
        self.rest = guide.blocks()

    def block(self, beginning: str) -> Block:
        """The next block, which begins or, where it is a manifest, is for, what is said."""
        block = self.rest.pop(0)
        kinds = "+".join(each["kind"] for each in yaml.safe_load_all(block.text)) if block.language == "yaml" else ""
        assert (kinds or block.text.removeprefix("$ ")).startswith(beginning), block
        return block

    def apply(self, kinds: str) -> None:
        """Apply the next block, with one's own name and token where the guide says so."""
        token = base64.b64encode(github.WRITER.encode()).decode()
        self.here.apply(self.block(kinds).text.replace("<username>", "example").replace("<token>", token))

    def type(self, beginning: str) -> str:
        """Type the next block as it stands, as an administrator."""
        return self.here.kubectl(self.block(beginning).text.removeprefix("$ ").removeprefix("kubectl "))

    def report(self, **environment: str) -> None:
        """Type the next block, which is a report, and again."""
        assert self.block("landed report").text == "landed report --config cluster\n"
        self.here.report(**environment)


@pytest.fixture
def here(cluster: Cluster, authority: trustme.CA, tmp_path: Path) -> Iterator[User]:
    """Slack and GitHub under their own names."""
    slack = SlackWebhook(context=tls(authority, HOOKS))
    hub = github.GitHub(context=tls(authority, "api.github.com"))
    with user(tmp_path, cluster, slack=slack, github=hub) as here:
        public(here, authority, slack=HOOKS, github="api.github.com")
        yield here


def test_the_guide_from_its_first_line_to_its_last(here: User, cluster: Cluster) -> None:
    walk = Walk(here)

    _tell_slack(walk, cluster)
    walk.apply("Secret")
    walk.apply("GitRepository+Kustomization")
    walk.apply("Provider+Alert")
    _find_the_token(here)
    put(cluster, App().fetched(), App().reconciling())
    walk.report(LANDED_GITHUB_TOKEN=github.WRITER)
    assert walk.rest == []

    assert _github(here, A) == {PODINFO: "pending"}
    _follow_podinfo(here, cluster)


def _tell_slack(walk: Walk, cluster: Cluster) -> None:
    """The first half: an Alert, and everything that the guide says it tells."""
    here = walk.here
    walk.type("kubectl -n flux-system create secret")
    walk.apply("Provider")
    walk.apply("Alert")
    assert "on-call-webapp" in walk.type("kubectl -n flux-system get alerts")
    doctor = here.shell(walk.block("landed doctor").text)
    assert doctor.code == 0, doctor
    assert "Alert flux-system/on-call-webapp: slack" in doctor.out
    walk.report()
    assert here.asked() == {"slack": 0, "github": 0}, "there is nothing to tell yet"

    web = App("webapp", "fleet-infra", "https://github.com/example/fleet-infra")
    put(cluster, web.fetched(), web.live())
    here.report()
    said = _said(here)
    assert "webapp" in said
    more = web._replace(inventory=(*guide.INVENTORY, "default_more__ConfigMap"))
    put(cluster, web.fetched(MAIN_B), more.live(MAIN_B))
    here.report()
    said = _said(here)
    assert "ConfigMap/default/more created" in said, "an object was created"
    assert "is live" in said, "health checks are passing"
    base, front = App("base", "fleet-infra", web.url), App("front", "fleet-infra", web.url)
    put(cluster, base.unhealthy(MAIN_B, ""), front.waiting("base", applied=MAIN_B))
    here.report()
    said = _said(here)
    assert "flux-system/base: Health check failed" in said, "an error occurs"
    assert "1 waits for flux-system/base" in said, "a dependency delays it"
    put(cluster, base.live(MAIN_B), front.live(MAIN_B))
    here.report()
    assert "base" in _said(here)
    for each in (web, base, front):
        here.kubectl(f"-n flux-system delete kustomization {each.name}")
    here.kubectl("-n flux-system delete gitrepository fleet-infra")
    here.report()


def _said(here: User) -> str:
    """The one message that Slack was sent."""
    (message,) = here.taken("slack")
    return texts(message)


def _find_the_token(here: User) -> None:
    """The guide makes the Secret in another namespace than the Provider, where Flux does not look either."""
    before = here.asked()
    for command in ("doctor", "report"):
        run = here.landed(f"{command} --config cluster")
        assert run.code == 2
        assert "Provider flux-system/podinfo" in run.out + run.err
        assert "LANDED_SECRET_GITHUB_TOKEN" in run.out + run.err
    assert here.asked() == before


def _follow_podinfo(here: User, cluster: Cluster) -> None:
    """The status of a commit changes with the health of what it deployed."""
    app, token = App(), {"LANDED_SECRET_GITHUB_TOKEN": github.WRITER}
    put(cluster, app.live())
    here.report(**token)
    assert _github(here, A) == {PODINFO: "success"}
    put(cluster, app.unhealthy())
    here.report(**token)
    assert _github(here, A) == {PODINFO: "failure"}
    put(cluster, app.live(since=1))
    here.report(**token)
    assert _github(here, A) == {PODINFO: "success"}
    assert [json.loads(asked.body)["state"] for asked in here.services["github"].writes] == [
        "pending",
        "success",
        "failure",
        "success",
    ]
    _hear_of_the_release(here, cluster, token)


def _hear_of_the_release(here: User, cluster: Cluster, token: dict[str, str]) -> None:
    """The guide says that only Kustomizations can: a HelmRelease among the sources of the Alert can, too."""
    sources = [{"kind": kind, "name": "*"} for kind in ("Kustomization", "HelmRelease")]
    here.kubectl(
        f"-n flux-system patch alert podinfo --type merge -p '{json.dumps({'spec': {'eventSources': sources}})}'"
    )
    put(cluster, o.helm_release("cache", "flux-system", owner=("flux-system", "podinfo")))
    here.report(**token)
    release = "flux/production/helmrelease/flux-system/cache"
    assert _github(here, A) == {PODINFO: "success", release: "success"}


def _github(here: User, commit: str) -> dict[str, str]:
    found = here.services["github"].contexts("example/podinfo", commit)
    return {context: state for context, (state, _) in found.items()}


# ── every type that the guide names ─────────────────────────────────────────────────────────────────────────────────

CHATS: dict[str, Any] = {
    "slack": SlackWebhook,
    "msteams": Teams,
    "discord": Discord,
    "rocket": RocketWebhook,
    "generic": Receiver,
}
NAMES = {"slack": HOOKS, "msteams": "flow.example.com", "discord": "discord.com", "rocket": "chat.example.com"}


@pytest.mark.parametrize("type_", CHATS)
def test_each_chat_of_the_guide_is_told(cluster: Cluster, authority: trustme.CA, tmp_path: Path, type_: str) -> None:
    """The Provider with another type, and the Secret with another address."""
    name = NAMES.get(type_, "events.example.com")
    service = CHATS[type_](context=tls(authority, name))
    secret, provider, alert = guide.blocks()[:3]
    path = service.address.removeprefix(service.server.url)
    with user(tmp_path, cluster, chat=service) as here:
        public(here, authority, chat=name)
        address = "https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK"
        made = secret.text.replace(f"={address}", f"='https://{name}{path}'")
        assert made != secret.text
        here.kubectl(made.removeprefix("kubectl "))
        channel = "" if type_ == "rocket" else "  channel: general\n"
        here.apply(
            provider.text.replace("type: slack", f"type: {type_}").replace("  channel: general\n", channel), alert.text
        )
        here.report()
        assert here.taken("chat") == []
        app = App()
        put(cluster, app.fetched(MAIN_B), app.unhealthy(MAIN_B, MAIN_A))
        here.report()
        failed = here.taken("chat")
        assert "podinfo" in texts(failed)
        assert "Deployment/default/podinfo" in texts(failed)
        put(cluster, app.live(MAIN_B))
        here.report()
        healed = here.taken("chat")
    assert "podinfo" in texts(healed)
    if type_ == "generic":
        said = [event for event in healed if event["involvedObject"]["kind"] == "Kustomization"]
        assert [(event["reason"], event["message"]) for event in said] == [
            ("Progressing", "Health check passed in 3.1s"),
            ("ReconciliationSucceeded", "Reconciliation finished in 13.118402s"),
        ]
        assert {event["severity"] for event in said} == {"info"}


def _gitlab(*, context: ssl.SSLContext) -> gitlab.GitLab:
    """Its stand-in is under a relative root, and gitlab.com is not."""
    made = gitlab.GitLab(context=context)
    plain = made.server._act
    made.server._act = lambda asked: plain(asked._replace(target=f"/gitlab{asked.target}"))
    return made


HOSTS: dict[str, tuple[Any, str, str, str, str]] = {
    # type → stand-in, its token, the name of its API, the repository's URL, the stand-in's name for that
    "github": (
        github.GitHub,
        github.WRITER,
        "api.github.com",
        "https://github.com/example/podinfo",
        "example/podinfo",
    ),
    "gitlab": (_gitlab, gitlab.WRITER, "gitlab.com", "https://gitlab.com/example/podinfo", "example/podinfo"),
    "bitbucket": (
        bitbucket.Bitbucket,
        bitbucket.WRITER,
        "api.bitbucket.org",
        "https://bitbucket.org/example/podinfo",
        "example/podinfo",
    ),
    "azuredevops": (
        azuredevops.AzureDevOps,
        azuredevops.WRITER,
        "dev.azure.com",
        "https://dev.azure.com/example/apps/_git/podinfo",
        "example/apps/_git/podinfo",
    ),
}
#: Where a name is at most forty characters long, it is shortened.
SHORT = {"bitbucket"}


@pytest.mark.parametrize("type_", HOSTS)
def test_each_git_host_of_the_guide_keeps_the_status_of_the_commit(
    cluster: Cluster, authority: trustme.CA, tmp_path: Path, type_: str
) -> None:
    """The last Provider with another type and the address of its repository; the token is in its Secret."""
    make, token, name, url, path = HOSTS[type_]
    host = make(context=tls(authority, name))
    with user(tmp_path, cluster, host=host) as here:
        public(here, authority, host=name)
        *_, secret, app_, last, _ = guide.blocks()
        made = yaml.safe_load(secret.text)
        made["metadata"]["namespace"] = "flux-system"
        made["data"]["token"] = base64.b64encode(token.encode()).decode()
        here.apply(made)
        mine = "https://github.com/<username>/podinfo"
        here.apply(app_.text.replace(mine, url))
        here.apply(last.text.replace(mine, url).replace("type: github", f"type: {type_}"))
        app = App(url=url)

        def states() -> list[str]:
            return [state for state, _ in host.contexts(path, A).values()]

        for state, shown in (
            ("pending", app.reconciling()),
            ("success", app.live()),
            ("failure", app.unhealthy()),
            ("success", app.live(since=1)),
        ):
            put(cluster, app.fetched(), shown)
            here.report()
            assert states() == [state]
        put(cluster, app.fetched(MAIN_B), app.reconciling(MAIN_B, MAIN_A))
        here.report()
        assert [state for state, _ in host.contexts(path, B).values()] == ["pending"]
        assert states() == ["success"]
    if type_ not in SHORT:
        assert list(host.contexts(path, A)) == [PODINFO]


def test_the_guide_s_files_do_as_well_as_its_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Nothing is applied but what is deployed: the manifests are a file, and the Secrets variables."""
    secret_, provider, alert, *_, app_, last, _ = guide.blocks()
    assert "--from-literal=address" in secret_.text
    with user(tmp_path, cluster, slack=SlackWebhook(), github=github.GitHub()) as here:
        (tmp_path / "fleet").mkdir()
        (tmp_path / "fleet" / "alerts.yaml").write_text(f"{provider.text}---\n{alert.text}")
        (tmp_path / "fleet" / "podinfo.yaml").write_text(
            f"{app_.text}---\n{last.text}".replace("<username>", "example")
        )
        here.apply(app_.text.replace("<username>", "example"))
        given = {
            "LANDED_SECRET_SLACK_URL_ADDRESS": here.services["slack"].address,
            "LANDED_SECRET_GITHUB_TOKEN": github.WRITER,
        }
        where = f"--git-host github.com=github={here.services['github'].url} --github-token {github.READER}"

        def report() -> None:
            for number in range(2):
                asked = here.asked()
                run = here.landed(f"report --config fleet {where}", **given)
                assert (run.code, run.err) == (0, ""), run
                assert not number or here.asked() == asked

        put(cluster, App().fetched(), App().reconciling())
        report()
        assert _github(here, A) == {PODINFO: "pending"}
        here.taken("slack")
        put(cluster, App().live())
        report()
        assert _github(here, A) == {PODINFO: "success"}
        assert "podinfo" in _said(here)
        put(cluster, App().unhealthy())
        report()
        assert _github(here, A) == {PODINFO: "failure"}
        assert "ealth check failed" in _said(here)
