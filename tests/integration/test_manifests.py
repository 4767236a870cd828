"""``--config``: Providers and Alerts of real API servers, services that keep messages, and all that comes between.

Every report that succeeds is followed by a second one, which must not ask anybody anything.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
import yaml
from integration import guide
from integration.apiserver import crdserver
from integration.cluster import Refused
from integration.command import PATIENCE
from integration.guide import App, User, ago, put, texts, user
from objects import DATA, MAIN_A, MAIN_B
from standins.discord import Discord
from standins.server import hang, hang_after
from standins.slack import BOT_TOKEN, SlackBot, SlackWebhook
from standins.webhook import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.cluster import Cluster, Object

pytestmark = [
    pytest.mark.envtest,
    pytest.mark.skipif(guide.lacks_kubectl(), reason="there is no kubectl"),
]
TOKEN = {"LANDED_SECRET_BOT_TOKEN": BOT_TOKEN}
APP = App()


@pytest.fixture(scope="session")
def server(flux_server: Cluster) -> Cluster:
    return flux_server


@pytest.fixture
def cluster(server: Cluster) -> Iterator[Cluster]:
    yield server
    guide.empty(server)


@pytest.fixture
def here(cluster: Cluster, tmp_path: Path) -> Iterator[User]:
    """A Slack bot, a webhook that takes everything, and one of Discord."""
    with user(tmp_path, cluster, bot=SlackBot(), events=Receiver(), discord=Discord()) as here:
        yield here


def bot(here: User) -> Object:
    address = here.services["bot"].address
    return o.provider("bot", address=address, channel=SlackBot.channel, secretRef={"name": "bot"})


def receiver(here: User, name: str = "events") -> Object:
    return _plain(o.provider(name, type="generic", address=here.services["events"].address))


def _plain(provider: Object) -> Object:
    """A Provider that needs no Secret."""
    spec = {key: value for key, value in provider["spec"].items() if key not in ("secretRef", "channel")}
    return {**provider, "spec": spec}


def listener(provider: str, name: str = "", **spec: Any) -> Object:
    """An Alert to a Provider."""
    return o.alert(name or provider, providerRef={"name": provider}, **spec)


def apply(here: User, *documents: Object) -> None:
    """Apply manifests as people write them."""
    kept = ("name", "namespace", "labels")
    heads = [{key: value for key, value in each["metadata"].items() if key in kept} for each in documents]
    here.apply(*({**each, "metadata": head} for each, head in zip(documents, heads, strict=True)))


def threads(here: User) -> tuple[list[str], list[str]]:
    """What the bot's messages say, and what its answers to them say."""
    messages = here.services["bot"].messages.values()
    posts = [texts(each) for each in messages if not each["thread"]]
    return posts, [texts(each) for each in messages if each["thread"]]


def told(here: User) -> list[tuple[str, str, str]]:
    """Object, reason and message of the events that were taken since this was asked last."""
    return [(e["involvedObject"]["name"], e["reason"], e["message"]) for e in here.taken("events")]


# ── messages that are edited ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Cluster]:
    """Another cluster, which serves custom resources alone."""
    with crdserver() as other:
        other.install(DATA / "crds" / "current.yaml", DATA / "crds" / "alerts.yaml")
        yield other


def two_clusters(here: User, staging: Cluster) -> None:
    """Let the kubeconfig have both."""
    first, second = (yaml.safe_load(each.kubeconfig("reader")) for each in (here.cluster, staging))
    for part in ("clusters", "contexts", "users"):
        (entry,) = second[part]
        entry["name"] = "staging"
        first[part].append(entry)
    second["contexts"][0]["context"] = {"cluster": "staging", "user": "staging"}
    (here.folder / "reader").write_text(yaml.safe_dump(first))


def test_two_clusters_with_one_alert_share_one_message(here: User, cluster: Cluster, staging: Cluster) -> None:
    two_clusters(here, staging)
    both = "--context production --context staging"
    manifests = (bot(here), listener("bot"))
    apply(here, *manifests)
    for each in manifests:
        path = f"/apis/{each['apiVersion']}/namespaces/flux-system/{each['kind'].lower()}s"
        staging.call("POST", path, {**each, "metadata": {"name": "bot", "namespace": "flux-system"}})
    put(cluster, APP.fetched(), APP.reconciling())
    put(staging, APP.fetched(), APP.reconciling())
    here.report(both, **TOKEN)
    (post,), replies = threads(here)
    assert "production" in post
    assert "staging" in post
    put(cluster, APP.live())
    here.report(both, **TOKEN)
    put(staging, APP.unhealthy(MAIN_A, ""))
    here.report(both, **TOKEN)

    (post,), replies = threads(here)
    assert "is live on production" in post
    assert "failed on staging" in post
    assert len(replies) == 1
    assert "staging" in replies[0]
    here.services["bot"].delete(next(iter(here.services["bot"].messages)))
    put(staging, APP.live(since=1))
    here.report(both, **TOKEN)
    (post,), replies = threads(here)
    assert "staging" in post
    assert "failed" not in post


@pytest.mark.parametrize("at", ["the post", "the reply"])
@pytest.mark.parametrize("fault", [hang, hang_after])
def test_a_run_that_is_killed_loses_nothing_and_repeats_one_message_at_most(
    here: User, cluster: Cluster, at: str, fault: Any
) -> None:
    apply(here, bot(here), listener("bot"))
    put(cluster, APP.fetched(), APP.live())
    here.report(**TOKEN)
    posts, replies = threads(here)
    before = len(posts)
    put(cluster, APP.fetched(MAIN_B), APP.unhealthy(MAIN_B))
    service = here.services["bot"]
    service.faults.extend([fault()] if at == "the post" else [None, fault()])
    asked = len(service.asked)
    wanted = asked + (1 if at == "the post" else 2)
    command = [str(here.folder / "bin" / "landed"), "report", "--config", "cluster"]
    process = subprocess.Popen(
        command, env=here.environment(**TOKEN), cwd=here.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE
    while not _arrived(here, wanted, at) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, "it ended by itself"
    process.kill()
    process.wait()
    here.report(**TOKEN)

    posts, replies = threads(here)
    failed = [post for post in posts[before:] if "failed" in post]
    assert 1 <= len(failed) == len(posts) - before <= 2
    assert 1 <= len(replies) <= 2
    assert len(failed) + len(replies) <= 3, "one of them may be there twice"
    assert "Deployment/default/podinfo" in replies[-1]


def _arrived(here: User, wanted: int, at: str) -> bool:
    """Whether so much was asked, and what was acknowledged of it is in the ledger, where it is written at once."""
    known = at == "the post" or f"{SlackBot.channel_id}:" in here.ledger.read_text()
    return len(here.services["bot"].asked) >= wanted and known


def test_what_goes_to_and_fro_is_said_once_and_its_rest_once(here: User, cluster: Cluster) -> None:
    apply(here, bot(here), listener("bot"))
    put(cluster, APP.fetched(), APP.reconciling())
    here.report(**TOKEN)
    for since in (9, 8):
        put(cluster, APP.live(since=since))
        here.report(**TOKEN)
        put(cluster, APP.unhealthy(since=since))
        here.report(**TOKEN)
    _, replies = threads(here)
    assert sum("is flapping" in reply for reply in replies) == 1
    heard = here.asked()
    for since in (6, 5):
        put(cluster, APP.live(since=since))
        here.report(**TOKEN)
        put(cluster, APP.unhealthy(since=since))
        here.report(**TOKEN)
    put(cluster, APP.live(since=1))
    here.report(**TOKEN)
    assert here.asked() == heard, "it is known to flap"

    ledger = json.loads(here.ledger.read_text())
    assert ledger["turns"]
    ledger["turns"] = {line: [at - 700 for at in turns] for line, turns in ledger["turns"].items()}
    here.ledger.write_text(json.dumps(ledger))
    here.report(**TOKEN)
    (post,), replies = threads(here)
    assert "is live on production" in post
    assert "is live on production" in replies[-1]
    assert sum("is flapping" in reply for reply in replies) == 1


# ── who hears what ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_alert_for_errors_tells_failures_and_their_end(here: User, cluster: Cluster) -> None:
    errors = (listener("bot", eventSeverity="error"), listener("events", eventSeverity="error"))
    apply(here, bot(here), receiver(here), *errors)
    put(cluster, APP.fetched(), APP.live())
    here.report(**TOKEN)
    put(cluster, APP.fetched(MAIN_B), APP.live(MAIN_B))
    here.report(**TOKEN)
    assert not any(here.asked().values())
    put(cluster, APP.unhealthy(MAIN_B, MAIN_B))
    here.report(**TOKEN)
    (post,), replies = threads(here)
    assert "failed on production" in post
    assert [reason for _, reason, _ in told(here)] == ["HealthCheckFailed"]
    put(cluster, APP.live(MAIN_B, since=1))
    here.report(**TOKEN)
    (post,), replies = threads(here)
    assert "is live on production" in post
    assert "Recovered" in replies[-1]
    assert told(here) == [], "an event for which Flux has no severity but info"


def test_what_is_excluded_or_has_other_labels_is_not_told(here: User, cluster: Cluster) -> None:
    ours = [{"kind": "Kustomization", "name": "*", "matchLabels": {"team": "web"}}]
    apply(here, receiver(here), listener("events", eventSources=ours, exclusionList=["^waiting.*quota$"]))
    here.report()
    put(cluster, APP.fetched())
    for name, labels in (("mine", {"team": "web"}), ("theirs", {"team": "ops"}), ("quiet", {"team": "web"})):
        message = "waiting for the quota" if name == "quiet" else ""
        shown = APP._replace(name=name).unhealthy(MAIN_A, "", message=message)
        if name == "quiet":
            shown["status"]["conditions"][1]["message"] = message
        put(cluster, {**shown, "metadata": {**shown["metadata"], "labels": labels}})
    here.report()
    assert [name for name, _, _ in told(here)] == ["mine"]


BAD = """
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: first, namespace: flux-system}
spec: {type: slak, address: 'https://hooks.slack.com/services/T0/B0/s3cr3tpart'}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: second, namespace: flux-system}
spec:
  providerRef: {name: nobody}
  eventSeverity: warning
  eventSources: [{kind: Deployment, name: '*'}]
  exclusionList: ['(']
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: Third, namespace: flux-system}
spec: {}
"""


def test_bad_manifests_are_told_all_at_once_and_nothing_else_is(here: User, cluster: Cluster) -> None:
    apply(here, receiver(here), listener("events"))
    put(cluster, APP.fetched(), APP.live())
    here.report()
    kept, asked = here.ledger.read_bytes(), here.asked()
    (here.folder / "bad.yaml").write_text(BAD)
    put(cluster, APP.unhealthy())

    for command in ("report", "preview", "report --dry-run"):
        run = here.landed(f"{command} --config bad.yaml --config cluster")
        assert run.code == 2
        for named in ("spec.type", "spec.eventSeverity", "eventSources", "exclusionList", "metadata.name"):
            assert named in run.err, run.err
        assert len(re.findall(r"bad\.yaml:\d+", run.err)) >= 6
        assert "s3cr3tpart" not in run.out + run.err
        assert here.asked() == asked
        assert here.ledger.read_bytes() == kept


def test_what_came_and_went_is_told_in_flux_s_words(here: User, cluster: Cluster) -> None:
    apply(here, receiver(here), listener("events"))
    put(cluster, APP.fetched(), APP.live())
    here.report()
    told(here)
    grown = APP._replace(inventory=("default_podinfo_apps_Deployment", "default_cache__Service"))
    put(cluster, APP.fetched(MAIN_B), grown.live(MAIN_B))
    here.report()
    said = [(reason, message) for name, reason, message in told(here) if reason == "Progressing"]
    assert said == [
        ("Progressing", "Service/default/cache created\nService/default/podinfo deleted"),
        ("Progressing", "Health check passed in 3.1s"),
    ]


def test_the_cluster_s_events_say_what_was_configured(here: User, cluster: Cluster) -> None:
    apply(here, receiver(here), listener("events"))
    put(cluster, APP.fetched(), APP.live())
    here.report()
    told(here)
    shown = APP.live(MAIN_B)
    words = "Deployment/default/podinfo configured\nService/default/podinfo configured"
    here.apply(o.kubernetes_event(shown, "Progressing", words, revision=MAIN_B, at=ago(20)))
    put(cluster, APP.fetched(MAIN_B), shown)
    here.report()
    assert ("podinfo", "Progressing", words) in told(here)


def test_a_preview_shows_exactly_what_is_then_sent(here: User, cluster: Cluster) -> None:
    discord = _plain(o.provider("discord", type="discord", address=here.services["discord"].address))
    listeners = (listener("bot", summary="Runbook 7"), listener("discord", eventMetadata={"team": "web"}))
    apply(here, bot(here), receiver(here), discord, *listeners, listener("events"))
    put(cluster, APP.fetched(), APP.live())
    here.report(**TOKEN)
    put(cluster, APP.fetched(MAIN_B), APP.unhealthy(MAIN_B))
    asked = {name: len(service.asked) for name, service in here.services.items()}

    run = here.landed("preview --config cluster -o json", **TOKEN)
    assert (run.code, run.err) == (0, "")
    assert here.asked() == asked
    shown: dict[str, list[Any]] = {}
    for each in json.loads(run.out)["would_send"]:
        name = each["destination"].rpartition("/")[2]
        shown.setdefault(name, []).append((each["verb"], each["body"]))
    here.report(**TOKEN)
    sent = {
        name: [(each.method, json.loads(each.body)) for each in service.asked[asked[name] :]]
        for name, service in here.services.items()
    }
    # An answer is shown before anybody knows what the message that it answers, and its channel, are called.
    _, answer = sent["bot"][1]
    assert answer.pop("thread_ts") in here.services["bot"].messages
    assert answer.pop("channel") == SlackBot.channel_id
    del shown["bot"][1][1]["channel"]
    assert all(sent.values())
    assert shown == sent
    after = here.landed("preview --config cluster", **TOKEN)
    assert "Nothing would be sent" in after.out


def test_a_suspended_one_with_news_waiting_and_a_silent_controller_are_told_once(here: User, cluster: Cluster) -> None:
    apply(here, bot(here), listener("bot"), receiver(here), listener("events"))
    held, left = APP._replace(name="held"), APP._replace(name="left")
    put(cluster, APP.fetched(), held.live(), left.live())
    here.report(**TOKEN)
    told(here)
    suspended = held.live()
    suspended["spec"]["suspend"] = True
    put(cluster, APP.fetched(MAIN_B), suspended, left.live(MAIN_B))
    here.report(**TOKEN)
    posts, _ = threads(here)
    assert sum("held is suspended" in post for post in posts) == 1
    asked = here.asked()
    put(cluster, left.live(MAIN_B, since=7200))
    here.report(**TOKEN)
    posts, _ = threads(here)
    assert sum("is silent on production" in post for post in posts) == 1
    assert here.asked()["bot"] == asked["bot"] + 1
    told(here)
    put(cluster, left.live(MAIN_B, since=-2))  # after its silence was told
    here.report(**TOKEN)
    posts, _ = threads(here)
    assert "works again on production" in posts[-1]
    (over,) = here.taken("events")
    assert (over["message"], over["severity"]) == ("Works again", "info")
    assert not over["timestamp"].startswith("1970")


def test_a_source_that_cannot_fetch_any_more_is_told_once_and_so_is_its_end(here: User, cluster: Cluster) -> None:
    apply(here, bot(here), listener("bot"), receiver(here), listener("events"))
    put(cluster, APP.fetched(), APP.live())
    here.report(**TOKEN)
    told(here)
    said = "failed to checkout and determine revision: authentication required"
    conditions = [
        o.condition("Ready", "False", "GitOperationFailed", said, since=ago(30)),
        o.condition("FetchFailed", "True", "GitOperationFailed", said, since=ago(30)),
    ]
    put(cluster, APP.fetched(conditions=conditions))
    here.report(**TOKEN)
    posts, _ = threads(here)
    assert ["is failing" in post for post in posts] == [True]
    assert [(reason, message) for _, reason, message in told(here)] == [("GitOperationFailed", said)]
    put(cluster, APP.fetched())
    here.report(**TOKEN)
    posts, _ = threads(here)
    assert "works again" in posts[-1]
    assert [name for name, _, _ in told(here)] == ["podinfo"]


# ── rights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def grant(server: Cluster) -> Iterator[Any]:
    """Gives ``nobody`` a right; all of them are taken back."""
    made: list[str] = []
    rbac = "/apis/rbac.authorization.k8s.io/v1"

    def give(group: str, *resources: str) -> None:
        name = f"nobody-{len(made)}"
        rule = {"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list"]}
        metadata = {"metadata": {"name": name}}
        server.call("POST", f"{rbac}/clusterroles", {**metadata, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}
        server.call("POST", f"{rbac}/clusterrolebindings", {**metadata, "roleRef": role, "subjects": [subject]})
        made.append(name)
        for resource in resources:
            _until_allowed(server, group, resource)

    yield give
    for name in made:
        for kind in ("clusterrolebindings", "clusterroles"):
            server.call("DELETE", f"{rbac}/{kind}/{name}")


def _until_allowed(server: Cluster, group: str, resource: str) -> None:
    attributes = {"verb": "list", "group": group, "resource": resource}
    review = {"spec": {"user": "nobody", "resourceAttributes": attributes}}
    for _ in range(200):
        if server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]:
            return
        time.sleep(0.02)
    pytest.fail(f"{resource} cannot be read")


def test_who_may_not_read_everything_is_told_what_is_missing(here: User, cluster: Cluster, grant: Any) -> None:
    apply(here, bot(here), listener("bot"), receiver(here), listener("events"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bot", "namespace": "flux-system"}}
    here.apply({**secret, "stringData": {"token": BOT_TOKEN}})
    put(cluster, APP.fetched(), APP.live())
    (here.folder / "reader").write_text(cluster.kubeconfig("nobody"))
    grant("kustomize.toolkit.fluxcd.io", "kustomizations")
    grant("helm.toolkit.fluxcd.io", "helmreleases")
    sources = ("gitrepositories", "ocirepositories", "buckets", "externalartifacts", "helmrepositories", "helmcharts")
    grant("source.toolkit.fluxcd.io", *sources)

    run = here.landed()
    assert run.code == 5, run
    assert "providers.notification.toolkit.fluxcd.io" in run.err
    assert "deploy/rbac-alerts.yaml" in run.err
    grant("notification.toolkit.fluxcd.io", "providers", "alerts")
    run = here.landed()
    assert run.code == 2, run
    assert "flux-system/bot" in run.err
    assert "LANDED_SECRET_BOT_TOKEN" in run.err
    assert not any(here.asked().values())
    here.report(**TOKEN)
    put(cluster, APP.fetched(MAIN_B), APP.live(MAIN_B))
    run = here.landed(**TOKEN)
    assert run.code == 0
    assert "Events may not be read" in run.out + run.err
    assert [reason for _, reason, _ in told(here)][-1] == "ReconciliationSucceeded"
    asked = here.asked()
    quiet = here.landed(**TOKEN)
    assert (quiet.code, quiet.err) == (0, "")
    assert here.asked() == asked
    grant("", "secrets", "events")
    put(cluster, APP.unhealthy(MAIN_B, MAIN_B))
    run = here.landed()
    assert (run.code, run.err) == (0, "")
    assert "Events may not be read" not in run.out
    with pytest.raises(Refused):
        cluster.call("GET", "/api/v1/namespaces/flux-system/secrets/nothing")


def test_a_webhook_that_is_no_channel_of_an_alert_is_told_everything_beside_it(here: User, cluster: Cluster) -> None:
    """Options and manifests together: each destination has its own line in the ledger."""
    plain = SlackWebhook()
    with plain:
        apply(here, receiver(here), listener("events", eventSeverity="error"))
        put(cluster, APP.fetched(), APP.live())
        given = {"LANDED_SLACK_WEBHOOK": plain.address}
        here.report(**given)
        put(cluster, APP.fetched(MAIN_B), APP.live(MAIN_B))
        here.report(**given)
        assert len(plain.taken) == 1
        assert told(here) == []
