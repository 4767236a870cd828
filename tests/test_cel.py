"""Names of commit statuses by expressions of the kind that Flux's documentation shows."""

from __future__ import annotations

import sys

import pytest

from landed.cel import LONGEST, compiled
from landed.errors import ConfigurationError
from landed.model import Destination, Event, InvolvedObject

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
