"""Which Alert wants which event, by Flux's rules; what a pattern means, by the verdicts of Go's own ``regexp``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.alerts import LONGEST, SEARCHED, admits, mentions, merged, selects, unusable
from landed.errors import ConfigurationError
from landed.model import Alert, EventSource, ObjectRef


def source(kind: str = "Kustomization", name: str = "*", namespace: str = "apps", **labels: str) -> EventSource:
    return EventSource(kind, name, namespace, tuple(sorted(labels.items())))


def alert(*sources: EventSource, **changes: Any) -> Alert:
    return Alert("apps", "on-call", "slack", sources=sources or (source(),), **changes)


class Said(NamedTuple):
    """An event, as far as an Alert looks at it."""

    kind: str = "Kustomization"
    namespace: str = "apps"
    name: str = "web"
    labels: dict[str, str] = {}  # noqa: RUF012 — never changed
    severity: str = "info"
    message: str = "Health check passed in 10.02s"


def wants(asking: Alert, said: Said) -> bool:
    about = ObjectRef(said.kind, said.namespace, said.name)
    return selects(asking, about, said.labels) and admits(asking, said.severity, said.message)


FAILED = "health check failed after 2m0s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"
ERROR = Said(severity="error", message=FAILED)
CHANGES = Said(message="Deployment/apps/web configured\nService/apps/web created")
WAITS = Said(message="Dependencies do not meet ready condition, retrying in 30s")
DONE = Said(message="Reconciliation finished in 13.1s, next run in 10m0s")

CASES: dict[str, tuple[Alert, Said, bool]] = {
    # sources: kind
    "kind and namespace equal, any name": (alert(), Said(), True),
    "another kind": (alert(), Said(kind="HelmRelease"), False),
    "the kind in another case": (alert(source("kustomization")), Said(), False),
    "a kind that begins alike": (alert(source("Kustom")), Said(), False),
    "a star is no kind": (alert(source("*")), Said(), False),
    "a GitRepository": (alert(source("GitRepository", "*")), Said("GitRepository"), True),
    "an OCIRepository": (alert(source("OCIRepository", "*")), Said("OCIRepository"), True),
    "a Bucket": (alert(source("Bucket", "*")), Said("Bucket"), True),
    "a HelmRepository": (alert(source("HelmRepository", "*")), Said("HelmRepository"), True),
    "a HelmChart": (alert(source("HelmChart", "*")), Said("HelmChart"), True),
    "a HelmRelease": (alert(source("HelmRelease", "*")), Said("HelmRelease"), True),
    "an ExternalArtifact": (alert(source("ExternalArtifact", "*")), Said("ExternalArtifact"), True),
    # sources: namespace
    "another namespace": (alert(), Said(namespace="infra"), False),
    "a namespace of its own choice": (alert(source(namespace="infra")), Said(namespace="infra"), True),
    "a namespace other than the Alert's does not mean the Alert's": (alert(source(namespace="infra")), Said(), False),
    "no namespace means the Alert's": (alert(source(namespace="")), Said(), True),
    "no namespace means no other": (alert(source(namespace="")), Said(namespace="infra"), False),
    "a star is no namespace": (alert(source(namespace="*")), Said(), False),
    "a namespace in another case": (alert(source(namespace="Apps")), Said(), False),
    # sources: name
    "the name": (alert(source(name="web")), Said(), True),
    "another name": (alert(source(name="web")), Said(name="api"), False),
    "a name that begins alike": (alert(source(name="web")), Said(name="web-shop"), False),
    "a name in another case": (alert(source(name="Web")), Said(), False),
    "a name is no glob": (alert(source(name="web-*")), Said(name="web-shop"), False),
    "a name is no pattern": (alert(source(name=".*")), Said(), False),
    "a name is no question mark": (alert(source(name="we?")), Said(), False),
    "two stars are a name": (alert(source(name="**")), Said(), False),
    "no name means nothing": (alert(source(name="")), Said(), False),
    # sources: labels
    "a label": (alert(source(team="shop")), Said(labels={"team": "shop"}), True),
    "a label among others": (alert(source(team="shop")), Said(labels={"team": "shop", "tier": "web"}), True),
    "a label with another value": (alert(source(team="shop")), Said(labels={"team": "billing"}), False),
    "a label that is not there": (alert(source(team="shop")), Said(), False),
    "all labels": (alert(source(team="shop", tier="web")), Said(labels={"team": "shop", "tier": "web"}), True),
    "one of two labels": (alert(source(team="shop", tier="web")), Said(labels={"team": "shop"}), False),
    "a label's value in another case": (alert(source(team="shop")), Said(labels={"team": "Shop"}), False),
    "a label's value is no star": (alert(source(team="*")), Said(labels={"team": "shop"}), False),
    "an empty value": (alert(source(team="")), Said(labels={"team": ""}), True),
    "an empty value is not a missing label": (alert(source(team="")), Said(), False),
    "labels beside a name: both right": (alert(source(name="web", team="shop")), Said(labels={"team": "shop"}), True),
    "labels beside a name: the label wrong": (alert(source(name="web", team="shop")), Said(), False),
    "labels beside a name: the name wrong": (
        alert(source(name="web", team="shop")),
        Said(name="api", labels={"team": "shop"}),
        False,
    ),
    "no labels asked for, some there": (alert(), Said(labels={"team": "shop"}), True),
    # sources: several, and none
    "the second source": (alert(source("HelmRelease"), source()), Said(), True),
    "the first source": (alert(source(), source("HelmRelease")), Said(), True),
    "neither source": (alert(source("HelmRelease"), source(namespace="infra")), Said(), False),
    "sources do not lend one another a part": (alert(source("HelmRelease"), source(namespace="x")), Said(), False),
    "a source with wrong labels beside one without": (alert(source(team="x"), source()), Said(), True),
    "no sources": (Alert("apps", "on-call", "slack"), Said(), False),
    # severity
    "info lets info through": (alert(severity="info"), Said(severity="info"), True),
    "info lets errors through": (alert(severity="info"), ERROR, True),
    "info lets anything through": (alert(severity="info"), Said(severity="trace"), True),
    "error lets errors through": (alert(severity="error"), ERROR, True),
    "error stops info": (alert(severity="error"), Said(severity="info"), False),
    "error stops anything else": (alert(severity="error"), Said(severity="trace"), False),
    "error in another case": (alert(severity="error"), Said(severity="Error"), False),
    "Info in another case is another word": (alert(severity="Info"), Said(severity="info"), False),
    "another word wants its own": (alert(severity="trace"), Said(severity="trace"), True),
    "no severity wants nothing": (alert(severity=""), Said(severity="info"), False),
    "no severity wants no error": (alert(severity=""), ERROR, False),
    "no severity wants not even none": (alert(severity=""), Said(severity=""), False),
    "the severity is not looked for in the message": (alert(severity="error"), Said(message="error"), False),
    # inclusion
    "included": (alert(inclusion=("Health check",)), Said(), True),
    "not included": (alert(inclusion=("created",)), Said(), False),
    "included by the second": (alert(inclusion=("created", "passed")), Said(), True),
    "included in the middle": (alert(inclusion=("check pass",)), Said(), True),
    "included at the end": (alert(inclusion=("10.02s$",)), Said(), True),
    "included as a whole": (alert(inclusion=("^Health check passed in .*s$",)), Said(), True),
    "an anchor stops what begins otherwise": (alert(inclusion=("^check",)), Said(), False),
    "case matters": (alert(inclusion=("health check",)), Said(), False),
    "case does not matter where it says so": (alert(inclusion=("(?i)health check",)), Said(), True),
    "an anchor is the message's, not a line's": (alert(inclusion=("configured$",)), CHANGES, False),
    "an anchor is a line's where it says so": (alert(inclusion=("(?m)configured$",)), CHANGES, True),
    "a dot is no newline": (alert(inclusion=("configured.Service",)), CHANGES, False),
    "a dot is a newline where it says so": (alert(inclusion=("(?s)configured.Service",)), CHANGES, True),
    "the second line": (alert(inclusion=("created",)), CHANGES, True),
    "an empty pattern is found everywhere": (alert(inclusion=("",)), Said(), True),
    "a star of anything is found in nothing": (alert(inclusion=(".*",)), Said(message=""), True),
    "something is not found in nothing": (alert(inclusion=(".",)), Said(message=""), False),
    "included does not help against severity": (
        alert(severity="error", inclusion=("Health",)),
        Said(severity="info"),
        False,
    ),
    "included does not help against sources": (alert(inclusion=("Health",)), Said("HelmRelease"), False),
    "a broken inclusion is passed over": (alert(inclusion=("(", "Health")), Said(), True),
    "broken inclusions alone let nothing through": (alert(inclusion=("(", "(?=x)")), Said(), False),
    # exclusion
    "excluded": (alert(exclusion=("Health check",)), Said(), False),
    "not excluded": (alert(exclusion=("created",)), Said(), True),
    "excluded by the second": (alert(exclusion=("created", "passed")), Said(), False),
    "an error is excluded, too": (alert(exclusion=("timeout waiting",)), ERROR, False),
    "exclusion beats inclusion": (alert(inclusion=("Health",), exclusion=("passed",)), Said(), False),
    "exclusion beats the same inclusion": (alert(inclusion=("Health",), exclusion=("Health",)), Said(), False),
    "included and not excluded": (alert(inclusion=("Health",), exclusion=("failed",)), Said(), True),
    "excluded in the middle": (alert(exclusion=("waiting for",)), ERROR, False),
    "excluded in any case": (alert(exclusion=("(?i)HEALTH",)), Said(), False),
    "an empty exclusion excludes everything": (alert(exclusion=("",)), Said(), False),
    "a broken exclusion is passed over": (alert(exclusion=("(",)), Said(), True),
    "a broken exclusion does not take the others along": (alert(exclusion=("(", "passed")), Said(), False),
    "the reason is not looked at": (alert(exclusion=("HealthCheckFailed",)), ERROR, True),
    "the object is not looked at": (alert(exclusion=("Kustomization",)), ERROR, True),
    # what the versions of Flux did differently, and is the same here
    "a wait for a dependency": (alert(), WAITS, True),
    "a wait for a dependency is no error": (alert(severity="error"), WAITS, False),
    "a wait for a dependency, excluded": (alert(exclusion=(".*Dependencies.*",)), WAITS, False),
    "an error that no annotation marks": (alert(), ERROR, True),
    "a success that is told at every interval": (alert(), DONE, True),
    "a success is no error": (alert(severity="error"), DONE, False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_alert_wants_what_it_says(case: tuple[Alert, Said, bool]) -> None:
    asking, said, wanted = case

    assert wants(asking, said) is wanted


def test_an_object_is_mentioned_whatever_its_labels() -> None:
    about = ObjectRef("Kustomization", "apps", "web")

    assert mentions(alert(source(team="shop")), about)
    assert not mentions(alert(source(name="api", team="shop")), about)
    assert not mentions(Alert("apps", "on-call", "slack"), about)


# ── metadata ────────────────────────────────────────────────────────────────────────────────────────────────────────

EVERYWHERE = alert(metadata=(("summary", "metadata"), ("team", "metadata")), summary="summary")


@pytest.mark.parametrize(
    ("asking", "annotations", "controller", "expected"),
    [
        pytest.param(alert(), {}, {}, {}, id="nothing"),
        pytest.param(alert(), {"team": "a"}, {}, {"team": "a"}, id="annotations"),
        pytest.param(alert(metadata=(("team", "b"),)), {"team": "a"}, {}, {"team": "b"}, id="eventMetadata wins"),
        pytest.param(alert(summary="s"), {"summary": "a"}, {}, {"summary": "s"}, id="summary wins over an annotation"),
        pytest.param(EVERYWHERE, {}, {}, {"summary": "summary", "team": "metadata"}, id="summary over eventMetadata"),
        pytest.param(
            EVERYWHERE,
            {"team": "a"},
            {"team": "c", "summary": "c"},
            {"team": "c", "summary": "c"},
            id="the controller wins over all",
        ),
        pytest.param(alert(metadata=(("revision", "x"),)), {"revision": "y"}, {"revision": "r"}, {"revision": "r"},
                     id="nobody forges a revision"),
        pytest.param(alert(summary=""), {"summary": "a"}, {}, {"summary": "a"}, id="no summary takes nothing away"),
        pytest.param(alert(metadata=(("team", ""),)), {"team": "a"}, {}, {"team": ""}, id="empty is a value"),
        pytest.param(alert(metadata=(("b", "2"),)), {"c": "3"}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, id="all"),
    ],
)  # fmt: skip
def test_metadata(
    asking: Alert, annotations: dict[str, str], controller: dict[str, str], expected: dict[str, str]
) -> None:
    found = merged(asking, annotations, controller)

    assert found == expected
    assert list(found) == sorted(found)


# ── patterns ────────────────────────────────────────────────────────────────────────────────────────────────────────

VERDICTS = json.loads((Path(__file__).parent / "data/re2/verdicts.json").read_text())


@pytest.mark.parametrize("pattern", VERDICTS["found"])
def test_a_pattern_is_found_where_go_finds_it(pattern: str) -> None:
    assert unusable(pattern) == ""
    found = [n for n, text in enumerate(VERDICTS["texts"]) if admits(alert(inclusion=(pattern,)), "info", text)]
    spared = [n for n, text in enumerate(VERDICTS["texts"]) if admits(alert(exclusion=(pattern,)), "info", text)]

    assert found == VERDICTS["found"][pattern]
    assert sorted({*found, *spared}) == list(range(len(VERDICTS["texts"])))
    assert not {*found} & {*spared}


@pytest.mark.parametrize("pattern", VERDICTS["refused"])
def test_what_go_refuses_is_refused_in_a_sentence(pattern: str) -> None:
    said = unusable(pattern)

    assert said.endswith(".")
    assert "\n" not in said
    assert not [word for word in ("perl", "operator", "invalid", "b'", "error") if word in said]
    assert len(said) < 200


def test_every_complaint_of_the_corpus_is_known() -> None:
    generic = {pattern for pattern in VERDICTS["refused"] if unusable(pattern) == "It is not in RE2's syntax."}

    assert generic == set()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        pytest.param("x" * (LONGEST + 1), f"{LONGEST + 1} characters", id="too long"),
        pytest.param(r"\pL{1000}", "too large", id="too much memory"),
        pytest.param(".{0,1000}.{0,1000}", "too large", id="too many steps"),
        pytest.param("a\ud800", "half a character", id="half a character"),
        pytest.param("(?=healthy)", "'(?='", id="the place is named"),
        pytest.param(r"a\C", r"'\C'", id="a single byte"),
        pytest.param("(?P<a\nb>x)", "'(?P<a b>'", id="a newline in the place"),
        pytest.param("(?P<" + "\u202e" * 5 + "x", "'(?P<x'", id="what turns the writing around"),
    ],
)
def test_what_cannot_be_used_is_said_so(pattern: str, said: str) -> None:
    assert said in unusable(pattern)
    assert not admits(alert(inclusion=(pattern,)), "info", "a" * 50)
    assert admits(alert(exclusion=(pattern,)), "info", "a" * 50)


def test_the_longest_pattern_is_usable() -> None:
    assert unusable("x" * LONGEST) == ""


def test_a_message_is_searched_as_far_as_an_event_has_room() -> None:
    within, beyond = "x" * (SEARCHED - 3) + "end", "x" * (SEARCHED - 2) + "end"

    assert admits(alert(inclusion=("end",)), "info", within)
    assert not admits(alert(inclusion=("end",)), "info", beyond)


HOSTILE_TEXT = ["a" * 100_000, "ab" * 50_000, "é" * 100_000, "\n" * 100_000, "\ud800" * 100_000, "\x00\u202e" * 50_000]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"(.*)(.*)(.*)(.*)z", r"(?i)(x+x+)+y", r"(?s)^(\s*.)*!"])
def test_no_text_takes_long(pattern: str) -> None:
    asking = alert(inclusion=(pattern,), exclusion=(f"{pattern}x",))
    assert unusable(pattern) == ""

    begun = time.process_time()
    for text in HOSTILE_TEXT:
        admits(asking, "info", text)

    assert time.process_time() - begun < 3


def test_half_a_character_is_what_go_makes_of_it() -> None:
    for half in ("\ud800", "\udfff"):
        assert admits(alert(inclusion=("^a\ufffdb$",)), "info", f"a{half}b")
        assert admits(alert(inclusion=("^a.b$",)), "info", f"a{half}b")


def test_without_the_library_it_is_named() -> None:
    said = _alone("""
        sys.modules["re2"] = None
        for attempt in (lambda: unusable("a"), lambda: admits(asking, "info", "a")):
            try:
                attempt()
            except ConfigurationError as error:
                print(error.message, error.hint)
        print(admits(Alert("n", "a", "p", severity="error", inclusion=("a",)), "info", "a"))
    """)

    assert said.count("landed[re2]") == 2
    assert said.endswith("False\n")


def test_the_library_is_loaded_only_for_a_pattern() -> None:
    said = _alone("""
        admits(Alert("n", "a", "p"), "info", "a")
        print("re2" in sys.modules)
        admits(asking, "info", "a")
        print("re2" in sys.modules)
    """)

    assert said == "False\nTrue\n"


def test_the_library_is_silent() -> None:
    said = _alone(r"""
        for pattern in ("(", r"\pL{1000}", "(a|b)*a(a|b){400}c", "[a"):
            unusable(pattern)
            admits(Alert("n", "a", "p", exclusion=(pattern,)), "info", "ab" * 20000)
    """)

    assert said == ""


def _alone(lines: str) -> str:
    """What a process of its own prints, on both of its outputs."""
    from textwrap import dedent

    start = """
        import sys
        from landed.alerts import admits, unusable
        from landed.errors import ConfigurationError
        from landed.model import Alert
        asking = Alert("n", "a", "p", inclusion=("a",))
    """
    program = dedent(start) + dedent(lines)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_library_that_is_missing_is_asked_for_again_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = "a pattern that nothing else here has"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "re2", None)
        with pytest.raises(ConfigurationError, match="inclusionList and exclusionList"):
            unusable(pattern)

    assert unusable(pattern) == ""


# ── what always holds ───────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(["", "a", "web", "Web", "apps", "*", "Kustomization", "HelmRelease", "shop"])
LABELS = st.dictionaries(WORDS, WORDS, max_size=3)
SOURCES = st.builds(
    lambda kind, name, namespace, labels: EventSource(kind, name, namespace, tuple(sorted(labels.items()))),
    WORDS,
    WORDS,
    WORDS,
    LABELS,
)
PATTERNS = st.one_of(
    st.text(alphabet=st.sampled_from("ab.*+?()[]{}|\\^$C1,<>P:i\n\u00e9\ud800"), max_size=8),
    st.sampled_from([pattern for pattern in VERDICTS["found"] if len(pattern) < 30]),
    st.text(max_size=20),
)
MESSAGES = st.one_of(st.text(), st.sampled_from(VERDICTS["texts"]), st.text(st.characters(categories=["Cs", "Ll"])))
SEVERITIES = st.sampled_from(["", "info", "error", "trace", "Info"])
ALERTS = st.builds(
    lambda sources, severity, inclusion, exclusion: Alert(
        "apps", "on-call", "slack", severity=severity, sources=tuple(sources), inclusion=inclusion, exclusion=exclusion
    ),
    st.lists(SOURCES, max_size=3),
    SEVERITIES,
    st.lists(PATTERNS, max_size=3).map(tuple),
    st.lists(PATTERNS, max_size=3).map(tuple),
)
OBJECTS = st.builds(ObjectRef, WORDS, WORDS, WORDS)


def changed(asking: Alert, **changes: Any) -> Alert:
    from msgspec import structs

    return structs.replace(asking, **changes)


@given(ALERTS, OBJECTS, LABELS, SEVERITIES, MESSAGES)
def test_matching_never_raises(
    asking: Alert, about: ObjectRef, labels: dict[str, str], severity: str, message: str
) -> None:
    assert selects(asking, about, labels) in (True, False)
    assert admits(asking, severity, message) in (True, False)


@given(PATTERNS)
def test_a_pattern_is_usable_or_it_is_said_why(pattern: str) -> None:
    said = unusable(pattern)

    assert said == unusable(pattern)
    assert said == "" or (said.endswith(".") and said.isprintable())
    assert said == "" or not admits(alert(inclusion=(pattern,)), "error", pattern)


@given(ALERTS, OBJECTS, LABELS)
def test_a_star_means_whatever_a_name_means(asking: Alert, about: ObjectRef, labels: dict[str, str]) -> None:
    from msgspec import structs

    stars = changed(asking, sources=tuple(structs.replace(one, name="*") for one in asking.sources))

    assert selects(stars, about, labels) >= selects(asking, about, labels)


@given(ALERTS, OBJECTS, LABELS, LABELS)
def test_more_labels_on_an_object_never_mean_less(
    asking: Alert, about: ObjectRef, labels: dict[str, str], more: dict[str, str]
) -> None:
    assert selects(asking, about, {**more, **labels}) >= selects(asking, about, labels)
    assert mentions(asking, about) >= selects(asking, about, labels)


@given(ALERTS, SOURCES, OBJECTS, LABELS)
def test_another_source_never_selects_less(
    asking: Alert, more: EventSource, about: ObjectRef, labels: dict[str, str]
) -> None:
    wider = changed(asking, sources=(*asking.sources, more))

    assert selects(wider, about, labels) >= selects(asking, about, labels)


@given(ALERTS, PATTERNS, SEVERITIES, MESSAGES)
def test_another_exclusion_never_admits_more(asking: Alert, pattern: str, severity: str, message: str) -> None:
    stricter = changed(asking, exclusion=(*asking.exclusion, pattern))

    assert admits(stricter, severity, message) <= admits(asking, severity, message)


@given(ALERTS, PATTERNS, SEVERITIES, MESSAGES)
def test_another_inclusion_never_admits_less_once_there_is_one(
    asking: Alert, pattern: str, severity: str, message: str
) -> None:
    wider = changed(asking, inclusion=(*asking.inclusion, pattern))

    if asking.inclusion:
        assert admits(wider, severity, message) >= admits(asking, severity, message)
    else:
        assert admits(wider, severity, message) <= admits(asking, severity, message)


@given(ALERTS, SEVERITIES, MESSAGES)
def test_error_admits_no_more_than_info(asking: Alert, severity: str, message: str) -> None:
    strict, open_ = changed(asking, severity="error"), changed(asking, severity="info")

    assert admits(strict, severity, message) <= admits(open_, severity, message)


@given(
    st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text())
)
def test_what_the_controller_says_stands(
    annotations: dict[str, str], metadata: dict[str, str], controller: dict[str, str]
) -> None:
    found = merged(alert(metadata=tuple(sorted(metadata.items())), summary="s"), annotations, controller)

    assert {key: found[key] for key in controller} == controller
    assert set(found) == {*annotations, *metadata, *controller, "summary"}
