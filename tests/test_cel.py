"""Names of commit statuses by expressions of the kind that Flux's documentation shows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from landed.cel import LONGEST, compiled
from landed.errors import ConfigurationError
from landed.model import Alert, Destination, Event, EventSource, InvolvedObject

TO = Destination("github.com", "statuses", "github.com")
EVENT = Event(
    InvolvedObject("Kustomization", "apps", "Web-Shop", "7d0cdc51-ddcf", "kustomize.toolkit.fluxcd.io/v1"),
    "info",
    "2026-08-20T09:15:42Z",
    "Reconciliation finished",
    "ReconciliationSucceeded",
    {"cluster": "prod", "team": "shop", "revision": "main@sha1:6dcd4ce2"},
    "kustomize-controller",
)
NAME = "(event.involvedObject.kind + '/' + event.involvedObject.name).lowerAscii()"


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (NAME, "kustomization/web-shop"),
        ("event.metadata.team + '/' + event.involvedObject.name.split('-').first().value()", "shop/Web"),
        ("event.involvedObject.uid.split('-')[0]", "7d0cdc51"),
        ("has(event.metadata.team) ? event.metadata.team : 'nobody'", "shop"),
        ("event.metadata.?nothing.orValue('fallback')", "fallback"),
        ("provider.metadata.name + ' ' + alert.kind", "github.com Alert"),
        ("event.severity + '\\n\\t' + event.reason", "info ReconciliationSucceeded"),
        ("event.involvedObject.name.replace('-', '_').substring(0, 5)", "Web_S"),
        ("[event.metadata.cluster, 'web'].join('/')", "prod/web"),
    ],
)
def test_an_expression_names_a_status(expression: str, name: str) -> None:
    assert compiled(expression)(EVENT, TO) == name


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("'a' +", "line 1, column 6"),
        ("event.metadata.team == 'shop'", "gives bool"),
        ("1 + 1", "gives int"),
        ("commit.author", "undeclared reference to 'commit"),
        ("event.nothing(", "Syntax error"),
        ("'" + "x" * LONGEST + "'", "longer than"),
        ("\x00", "does not compile"),
    ],
)
def test_what_cannot_be_a_name_is_a_configuration_error(expression: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled(expression)

    assert said in caught.value.message
    assert "--commit-status-expr" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("event.metadata.missing", "missing"),
        ("event.metadata.team.split('x')[7]", "--commit-status-expr"),
        ("event.metadata.team == 'shop' ? dyn(1) : dyn('x')", "not text"),
        ("event.metadata.team == 'shop' ? '' : 'x'", "empty text"),
    ],
)
def test_an_event_without_a_name_is_said_so(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match="--commit-status-expr") as caught:
        compiled(expression)(EVENT, TO)

    assert said in str(caught.value)


def test_several_clusters_must_not_share_a_name() -> None:
    with pytest.raises(ConfigurationError, match="several clusters one name"):
        compiled(NAME, several=True)
    assert compiled(NAME + " + event.metadata.cluster", several=True)(EVENT, TO) == "kustomization/web-shopprod"


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)

    with pytest.raises(ConfigurationError) as caught:
        compiled(NAME)

    assert "landed[cel]" in caught.value.hint


# ── with Flux's own manifests ───────────────────────────────────────────────────────────────────────────────────────

PLACE = "Provider flux-system/podinfo: spec.commitStatusExpr"
PROVIDER: dict[str, object] = {
    "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
    "kind": "Provider",
    "metadata": {"name": "podinfo", "namespace": "flux-system", "uid": "0c9c2e41-d2f9-4f9b-9c41-bebc1984d67a"},
    "spec": {"type": "github", "address": "https://github.com/acme/podinfo", "secretRef": {"name": "token"}},
    "data": {"token": "c2VjcmV0"},
}


def manifest(name: str, **spec: object) -> dict[str, object]:
    return {"kind": "Alert", "metadata": {"name": name, "namespace": "flux-system"}, "spec": spec}


def alert(name: str, *sources: EventSource) -> Alert:
    return Alert("flux-system", name, "podinfo", sources=sources)


EVERYTHING = EventSource("Kustomization", "*", "apps")
ALERTS = {
    "flux-system/releases": manifest("releases", eventMetadata={"app": "releases"}),
    "flux-system/web": manifest("web", eventMetadata={"app": "shop"}),
    "flux-system/all": manifest("all"),
}


def named(expression: str, *asking: Alert, provider: dict[str, object] = PROVIDER, **changes: Any) -> str:
    to = Destination("Provider flux-system/podinfo", "statuses", "github.com", alerts=asking)
    return compiled(expression, PLACE, provider=provider, alerts=ALERTS, **changes)(EVENT, to)


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("provider.kind + ' ' + provider.apiVersion", "Provider notification.toolkit.fluxcd.io/v1beta3"),
        ("provider.metadata.namespace + '/' + provider.metadata.name", "flux-system/podinfo"),
        ("provider.metadata.uid.split('-').first().value()", "0c9c2e41"),
        ("provider.spec.type + ' ' + provider.spec.address", "github https://github.com/acme/podinfo"),
        ("provider.spec.secretRef.name", "token"),
        ("has(provider.data) ? 'a secret' : 'nothing'", "nothing"),
    ],
)
def test_a_provider_is_what_its_manifest_says(expression: str, name: str) -> None:
    assert named(expression) == name


def test_a_manifest_that_was_never_in_a_cluster_has_an_empty_uid() -> None:
    plain: dict[str, object] = {**PROVIDER, "metadata": {"name": "podinfo"}}

    assert named("'a' + provider.metadata.uid.split('-').first().value()", provider=plain) == "a"
    assert named("'a' + alert.metadata.uid", alert("all", EVERYTHING), provider=plain) == "a"


@pytest.mark.parametrize(
    ("asking", "name"),
    [
        pytest.param([alert("all", EVERYTHING)], "all", id="the only one"),
        pytest.param([alert("all", EVERYTHING), alert("web", EVERYTHING)], "all", id="the first of two"),
        pytest.param([alert("web", EVERYTHING), alert("all", EVERYTHING)], "web", id="in their order"),
        pytest.param(
            [alert("releases", EventSource("HelmRelease", "*", "apps")), alert("all", EVERYTHING)],
            "all",
            id="another kind",
        ),
        pytest.param(
            [alert("releases", EventSource("Kustomization", "*", "infra")), alert("web", EVERYTHING)],
            "web",
            id="another namespace",
        ),
        pytest.param(
            [alert("releases", EventSource("Kustomization", "api", "apps")), alert("web", EVERYTHING)],
            "web",
            id="another name",
        ),
        pytest.param(
            [alert("releases"), alert("web", EventSource("Kustomization", "Web-Shop", "apps", (("team", "x"),)))],
            "web",
            id="labels are not known",
        ),
    ],
)
def test_the_alert_is_the_first_that_means_the_object(asking: list[Alert], name: str) -> None:
    assert named("alert.metadata.name", *asking) == name


def test_an_alerts_metadata_can_be_used() -> None:
    assert named("alert.spec.eventMetadata.app", alert("web", EVERYTHING)) == "shop"


@pytest.mark.parametrize(
    "asking",
    [[], [alert("releases", EventSource("HelmRelease", "*", "apps"))], [alert("gone", EVERYTHING)]],
    ids=["no alerts", "none that means it", "none that is known"],
)
def test_without_an_alert_nothing_is_made_up(asking: list[Alert]) -> None:
    assert named("event.involvedObject.name", *asking) == "Web-Shop"
    with pytest.raises(ValueError, match="metadata") as caught:
        named("alert.metadata.name", *asking)

    assert str(caught.value).startswith(f"{PLACE}: ")


@pytest.mark.parametrize("expression", ["'a' +", "1 + 1", "'" + "x" * LONGEST + "'"])
def test_an_error_names_the_manifest_and_the_field(expression: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        named(expression)

    assert caught.value.message.startswith(f"{PLACE} ")
    assert "--commit-status-expr" not in caught.value.message + caught.value.hint


def test_several_clusters_must_not_share_a_name_of_a_manifests_either() -> None:
    with pytest.raises(ConfigurationError, match="several clusters one name"):
        named("provider.metadata.name + alert.metadata.name", alert("web", EVERYTHING), several=True)

    assert named("provider.metadata.name + event.metadata.cluster", several=True) == "podinfoprod"


def test_what_yaml_reads_as_more_than_text_does_no_harm() -> None:
    meta = {"name": "podinfo", "creationTimestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1.5: None}

    plain: dict[str, object] = {**PROVIDER, "metadata": meta}

    assert named("provider.metadata.creationTimestamp", provider=plain) == "2026-01-02T03:04:05Z"
    assert named("provider.metadata.name", provider=plain) == "podinfo"


@pytest.mark.parametrize("odd", [object(), 2**70, "\ud800"], ids=["an object", "a large number", "half a character"])
def test_what_cel_has_no_value_for_is_said_in_a_sentence(odd: object) -> None:
    spec = {"type": "github", "channel": odd}

    with pytest.raises((ConfigurationError, ValueError)) as caught:
        named("provider.spec.channel + 'x'", provider={**PROVIDER, "spec": spec})

    assert str(caught.value).startswith(PLACE)


def test_manifests_of_no_provider_leave_everything_as_it_was() -> None:
    assert compiled("provider.metadata.name + ' ' + alert.kind")(EVENT, TO) == "github.com Alert"
    assert compiled("alert.metadata.name", alerts=ALERTS)(EVENT, TO) == "github.com"
