"""Which Kustomizations are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.errors import CONFIGURATION, ConfigurationError
from landed.selection import Selection, parse_label_selector


@pytest.mark.parametrize(
    ("namespaces", "kustomizations", "admitted"),
    [
        pytest.param((), (), True, id="all"),
        pytest.param(("apps",), (), True, id="namespace"),
        pytest.param(("infra", "apps"), (), True, id="one-of-two-namespaces"),
        pytest.param(("infra",), (), False, id="other-namespace"),
        pytest.param(("app",), (), False, id="start-of-namespace"),
        pytest.param(("Apps",), (), False, id="case-of-namespace"),
        pytest.param(("ap*",), (), True, id="namespace-glob"),
        pytest.param((), ("web",), True, id="name"),
        pytest.param((), ("we",), False, id="start-of-name"),
        pytest.param((), ("Web",), False, id="case-of-name"),
        pytest.param((), ("apps/web",), True, id="namespace-and-name"),
        pytest.param((), ("infra/web",), False, id="other-namespace-and-name"),
        pytest.param((), ("w*",), True, id="star"),
        pytest.param((), ("w?b",), True, id="question-mark"),
        pytest.param((), ("w?",), False, id="question-mark-is-one-character"),
        pytest.param((), ("*/web",), True, id="star-namespace"),
        pytest.param((), ("apps/*",), True, id="star-name"),
        pytest.param((), ("ap?s/w*b",), True, id="globs-in-both"),
        pytest.param((), ("*b/web",), False, id="star-does-not-cross-the-slash"),
        pytest.param((), ("w.b",), False, id="dot-is-a-dot"),
        pytest.param((), ("[w]eb",), False, id="brackets-are-brackets"),
        pytest.param((), ("db", "web"), True, id="one-of-two-names"),
        pytest.param(("infra",), ("web",), False, id="both-must-hold"),
    ],
)
def test_a_kustomization_is_admitted_by_namespace_and_name(
    namespaces: tuple[str, ...], kustomizations: tuple[str, ...], admitted: bool
) -> None:
    assert Selection(namespaces, kustomizations).admits("apps", "web", {}) is admitted


LABELS = {"app": "web", "example.com/tier": "front", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "admitted"),
    [
        ("", True),
        ("  ", True),
        ("app=web", True),
        ("app==web", True),
        (" app = web ", True),
        ("app=db", False),
        ("app=Web", False),
        ("other=web", False),
        ("app!=db", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app", True),
        ("other", False),
        ("!app", False),
        ("! other", True),
        ("app in (web)", True),
        ("app in (db, web)", True),
        ("app in(db,web )", True),
        ("app in (db)", False),
        ("other in (web)", False),
        ("app notin (db,cache)", True),
        ("app notin (web)", False),
        ("other notin (web)", True),
        ("empty=", True),
        ("app=", False),
        ("empty in (,x)", True),
        ("empty!=", False),
        ("example.com/tier=front", True),
        ("example.com/tier=front,app in (web,db),!other", True),
        ("example.com/tier=front,app in (db),!other", False),
        ("in=web", False),
        ("notin notin (in)", True),
    ],
)
def test_a_label_selector_admits_what_kubernetes_would(selector: str, admitted: bool) -> None:
    assert Selection(label_selector=selector).admits("apps", "web", LABELS) is admitted


@pytest.mark.parametrize(
    ("selector", "rest"),
    [
        ("=web", "=web"),
        ("app=web,", "app=web,"),
        (",app=web", ",app=web"),
        ("app=web,,tier=db", ",tier=db"),
        ("app=web tier=db", "app=web tier=db"),
        ("app in web", "app in web"),
        ("app in (web", "app in (web"),
        ("tier,app in (we b)", "app in (we b)"),
        ("app===web", "app===web"),
        ("app=web,-tier", "-tier"),
        ("app>1", "app>1"),
        ("a b", "a b"),
        ("app=w eb", "app=w eb"),
        ("!app=web", "!app=web"),
        ("!", "!"),
        ("a//b", "a//b"),
        ("app=\x00", "app=\x00"),
    ],
)
def test_a_bad_label_selector_is_refused_and_the_place_named(selector: str, rest: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_label_selector(selector)
    assert caught.value.message == f"The label selector {selector!r} cannot be understood from {rest!r} on."
    assert "kubectl" in caught.value.hint
    assert caught.value.exit_code == CONFIGURATION


@given(
    st.one_of(st.text(), st.text(st.sampled_from("ab=!,() \tinot./-_"))),
    st.dictionaries(st.text(), st.text()),
)
def test_any_text_is_a_label_selector_or_refused(selector: str, labels: dict[str, str]) -> None:
    try:
        requirements = parse_label_selector(selector)
    except ConfigurationError:
        return
    admitted = Selection(label_selector=selector).admits("apps", "web", labels)
    assert admitted is all(requirement.admits(labels) for requirement in requirements)


@given(st.text(), st.text(), st.text())
def test_any_text_is_a_pattern_that_never_fails(pattern: str, namespace: str, name: str) -> None:
    assert isinstance(Selection((pattern,), (pattern,)).admits(namespace, name, {}), bool)


@given(st.text(st.characters(exclude_characters="*?/")), st.text(st.characters(exclude_characters="*?/")))
def test_a_pattern_without_wildcards_admits_itself_only(one: str, other: str) -> None:
    assert Selection(kustomizations=(one,)).admits("apps", other, {}) is (one == other)
