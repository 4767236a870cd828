"""Templates in place of our words, and whom a failure calls."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from values import FLEET, MAIN_B, B

from landed.config.perprovider import PerProvider
from landed.errors import ConfigurationError
from landed.messages import message
from landed.model import Digest, Mark, ObjectRef, Observation, Outcome, Repository, State, Story, Update
from landed.story import lines, title
from landed.templating import LARGEST, LONGEST, Template, mentioned, templates, worded
from landed.templating.mistake import Mistake
from landed.templating.variables import MOST, NAMES, variables


def seen(state: State = State.FAILURE, name: str = "web", message: str = "timeout", **rest: Any) -> Observation:
    settings: dict[str, Any] = {"reason": "HealthCheckFailed", "revision": MAIN_B, "since": 1_790_000_000} | rest
    return Observation(ObjectRef("Kustomization", "apps", name), state, FLEET, B, message=message, **settings)


def story(*observations: Observation, **rest: Any) -> Story:
    return Story(Outcome("prod", FLEET, B, observations or (seen(),)), author="Ada Lovelace", subject="Up", **rest)


def update(*stories: Story, to: str = "slack", **rest: Any) -> Update:
    return Update(to, (Mark("line", B, "failure"),), Digest(stories or (story(),), **rest))


def words(source: str, told: Story | None = None, digest: Digest | None = None) -> tuple[str, ...]:
    told = told or story()
    return Template("slack.j2", source).words(variables(told, digest or Digest((told,)), "https://ci.example.com/7"))


def mistake(source: str) -> str:
    template = Template("slack.j2", source)
    with pytest.raises(Mistake) as caught:
        template.words(variables(story(), Digest(())))
    return template.complaint(caught.value)


# ── what a template can say ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_line_is_the_title_and_the_others_stand_below() -> None:
    assert words("\n{{ cluster }}: {{ state }}\n\n{% for o in failed %}\n- {{ o.name }}\n{% endfor %}\nend\n") == (
        "prod: failure",
        "- web",
        "end",
    )


def test_every_documented_variable() -> None:
    told = story(
        seen(message="time\nout", changes=("Deployment/apps/web created",), duration="13.118402s"),
        seen(State.PENDING, "db", waits_for=ObjectRef("Kustomization", "infra", "vault")),
        seen(State.SUCCESS, "api"),
        broken_for=720,
        rolled_back_from="f" * 40,
        superseded_by=MAIN_B,
        failing_since="e" * 40,
    )
    values = variables(told, Digest((told,), summary="Call us", facts=(("env", "prod"),)), "https://ci.example.com/7")

    assert tuple(values) == NAMES
    assert values == {
        "state": "superseded",
        "title": title(told),
        "lines": list(lines(told)),
        "cluster": "prod",
        "repository": "example/fleet",
        "host": FLEET.host,
        "commit": B,
        "short_commit": B[:8],
        "revision": MAIN_B,
        "branch": "main",
        "subject": "Up",
        "author": "Ada Lovelace",
        "url": f"https://{FLEET.host}/example/fleet/commit/{B}",
        "objects": values["objects"],
        "failed": [values["objects"][0]],
        "waiting": [values["objects"][1]],
        "live": [values["objects"][2]],
        "broken_for": "12m",
        "rolled_back_from": "f" * 40,
        "superseded_by": MAIN_B,
        "failing_since": "e" * 40,
        "summary": "Call us",
        "facts": {"env": "prod"},
        "run_url": "https://ci.example.com/7",
    }
    assert values["objects"][0] == {
        "kind": "Kustomization",
        "namespace": "apps",
        "name": "web",
        "state": "failure",
        "reason": "HealthCheckFailed",
        "message": "time out",
        "duration": "13.1s",
        "waits_for": "",
        "since": "2026-09-21T14:13:20Z",
        "changes": ["Deployment/apps/web created"],
    }
    assert values["objects"][1]["waits_for"] == "infra/vault"


def test_the_documentation_names_every_variable_and_no_other() -> None:
    text = (Path(__file__).parent.parent / "docs" / "templates.md").read_text()
    listed = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    values = variables(story(), Digest(()))

    assert listed == {*NAMES, *values["objects"][0]}


def test_the_documentations_examples_say_something() -> None:
    text = (Path(__file__).parent.parent / "docs" / "templates.md").read_text()
    examples = [part.partition("```")[0] for part in text.split("```jinja\n")[1:]]

    assert len(examples) >= 2
    for example in examples:
        told = story(broken_for=60)
        assert len(words(example, told, Digest((told,), summary="Call us", facts=(("env", "prod"),)))) > 1


def test_of_many_objects_the_worst_are_there() -> None:
    told = story(*(seen(State.SUCCESS, f"web-{n:04}") for n in range(MOST)), seen(name="zebra"))

    assert words("{{ objects | length }} {{ objects[0].name }} {{ failed | length }}", told) == (f"{MOST} zebra 1",)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ commit[:8] }}", B[:8]),
        ("{{ lines[0] | truncate(12) }}", "apps/web:..."),
        ("{{ facts.env | default('none') }}", "none"),
        ("{{ 'yes' if 'x' in facts else 'no' }}", "no"),
        ("{{ objects | map(attribute='name') | join(', ') }}", "web"),
        ("{{ objects | selectattr('state', 'equalto', 'failure') | list | length }}", "1"),
        ("{% set ns = namespace(n=0) %}{% for o in objects %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "1"),
        ("{% for o in objects %}{{ loop.index }}/{{ loop.length }}{% endfor %}", "1/1"),
        ("{% for a, b in {'x': 1} | items %}{{ a }}{{ b }}{% endfor %}", "x1"),
        ("{{ 'aaa' | replace('a', 'b', 2) }}{{ 'aa' | replace('a', 'b', -1) }}", "bbabb"),
        ("{{ 5 | upper }}{{ 'a b' | wordcount }}{{ 'abcdef' | truncate(length=3, end='', leeway=0) }}", "52abc"),
        ("{{ title | replace('prod', 'P') | upper | length > 3 }}", "True"),
        ("{{ 1 + 2 * 3 }}{{ 'a' ~ 1 }}{{ 'a' * 3 }}{{ 'a' + 'b' }}{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 3 }}", "7a1aaaab338"),
        ("{{ none }}{{ nothing is defined }}", "False"),
        ("{{ '<b>&' }}", "<b>&"),
    ],
)
def test_what_the_language_has(source: str, expected: str) -> None:
    assert words(source) == (expected,)


@given(st.text(), st.text())
def test_strangers_text_stays_text_on_its_line(subject: str, message_: str) -> None:
    told = structs.replace(story(seen(message=message_)), subject=subject)

    assert len(words("a {{ subject }}\n{{ objects[0].message }} b\nc", told)) == 3


def test_what_a_stranger_writes_is_no_template() -> None:
    assert words("{{ subject }}", structs.replace(story(), subject="{{ 7 * 7 }}")) == ("{{ 7 * 7 }}",)


# ── what is wrong with one ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ title }}\n\n{{ comit }}", "slack.j2 line 3: 'comit' is undefined (is it 'commit'?)"),
        ("{% for o in objects %}\n{{ o.reson }}\n{% endfor %}", "line 2: 'reson' is undefined (is it 'reason'?)"),
        ("{{ xyzzy }}", "line 1: 'xyzzy' is undefined."),
        ("a\n{{ live[0].name }}", "line 2: there is no such element (here: live)"),
        ("a\n{{ (live | first).name }}", "line 2: No first item, sequence was empty (here: live)."),
        (
            "a\n{{ commit.upper() }}",
            "line 2: 'upper' is undefined: what stands before it has no members (here: commit)",
        ),
        ("a\n{{ 1 // live | length }}{{ title }}", "division or modulo by zero (here: live, title)"),
        ("{{ lines[comit:] }}", "line 1: 'comit' is undefined (is it 'commit'?)."),
        ("{{ range(comit) }}", "line 1: 'comit' is undefined (is it 'commit'?)."),
        ("{{ lines | upper }}", "line 1: a list or a mapping cannot be written as it is"),
        ("{{ objects | wordcount }}", "line 1: a list or a mapping cannot be written as it is"),
        ("a\n{% if x", "line 2: unexpected end of template"),
        ("a\n{% endfor %}", "line 2: Encountered unknown tag 'endfor'"),
        ("a\n{{ title | shout }}", "line 2: No filter named 'shout'"),
        ("a\n{{ 1 / 0 }}", "line 2: division by zero"),
        ("a\n{{ lines }}", "line 2: a list or a mapping cannot be written as it is"),
        ("a\n{{ lines[99] }}", "line 2: there is no such element"),
        ("a\n{{ title() }}", "line 2: it cannot be called"),
        ("", "slack.j2: it says nothing"),
        ("{% if false %}x{% endif %}\n \n", "slack.j2: it says nothing"),
    ],
)
def test_an_error_names_the_line_and_what_it_is(source: str, said: str) -> None:
    assert said in mistake(source)


def test_a_message_is_never_lost() -> None:
    template = Template("slack.j2", "{{ title }}\n{{ comit }}")
    (told,), warnings = worded([update()], lambda _: template)

    assert told == update()
    assert warnings == (
        "slack.j2 line 2: 'comit' is undefined (is it 'commit'?). Its messages have the built-in text.",
    )


def test_it_is_said_once_in_a_run() -> None:
    template = Template("slack.j2", "{{ comit }}")

    assert len(worded([update(), update(to="discord")], lambda _: template)[1]) == 1
    assert worded([update()], lambda _: template)[1] == ()


def test_a_mistake_in_one_story_leaves_the_others_theirs() -> None:
    template = Template("slack.j2", "{{ 1 // failed | length }}")
    (told,), warnings = worded([update(story(), story(seen(State.SUCCESS)))], lambda _: template)

    assert isinstance(told.payload, Digest)
    assert [one.words for one in told.payload.stories] == [("1",), ()]
    assert len(warnings) == 1


def test_the_words_are_laid_out_as_ours_are() -> None:
    template = Template("slack.j2", "{{ cluster | upper }} {{ run_url }}\nsecond")
    (told, other), _ = worded([update(), update(to="discord")], {"slack": template}.get, "https://ci.example.com/7")

    assert isinstance(told.payload, Digest)
    passage = message(told.payload).passages[0]
    assert (passage.title, passage.lines) == ("PROD https://ci.example.com/7", ("second",))
    assert other == update(to="discord")


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

BOMBS = {
    "{{ 'a' * 10**9 }}": "longer than 20000",
    "{{ 10**10**10 }}": "too large",
    "{{ (2**64) * (2**64) * (2**64) * (2**64) * (2**64) }}": "too large",
    "{{ '%1000000000d' % 1 }}": "% cannot",
    "{{ '{:>1000000000}'.format(1) }}": "'format' is undefined",
    "{{ 'x'.ljust(1000000000) }}": "'ljust' is undefined",
    "{{ 'x' | center(1000000000) }}": "No filter named 'center'",
    "{{ 'x' | indent(1000000000) }}": "No filter named 'indent'",
    "{{ 'x' | truncate(1000000000) }}": "numbers up to 1000",
    "{% for i in range(10**9) %}{% endfor %}": "a range has more than 1000",
    "{{ range(10**30) }}": "a range has more than 1000",
    "{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}": "more than 100000 steps",
    "{% for i in range(999) %}{{ range(999) | map('string') | join | length }}{% endfor %}": "more than 100000 steps",
    "{% for i in range(999) if range(999) | list | length %}{% endfor %}": "more than 100000 steps",
    "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}": "longer than 20000",
    "{% set a = 'x' * 1000 %}" + "{% set a = a ~ a %}" * 60: "longer than 20000",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}": "sum is too long",
    "{% set n = namespace(x='') %}{% for i in range(999) %}{% set n.x = 'x' * 19000 ~ i %}{% endfor %}": "too much",
    "{% set b = 'x' * 20000 %}" + "".join(f"{{% set a{n} = b[1:] %}}" for n in range(300)): "too much text",
    "{% set a = [1] * 10**9 %}": "* cannot",
    "{% set a = [objects] %}": "text and numbers only",
    "{{ range(999) | map('default', objects) | list | length }}": "text and numbers only",
    "{{ [{}] | map(attribute='x', default=objects) | list }}": "text and numbers only",
    "{{ 'x' | replace('', 'y' * 20000) }}": "longer than 20000",
    "{{ ('x' * 9999) | replace('x', 'y' * 9999) }}": "longer than 20000",
    "{{ range(999) | join('y' * 9999) }}": "longer than 20000",
    "{{ ('x' * 9999) | list }}": "more than 1000 elements",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}": "macro is not taken",
    "{% for i in lines recursive %}{{ loop(range(999)) }}{% endfor %}": "recursive loop is not taken",
    "{% set x %}{{ title }}{% endset %}": "not taken",
    "{% filter upper %}x{% endfilter %}": "filter is not taken",
    "{% include 'x' %}": "include is not taken",
    "{% import 'x' as x %}": "import is not taken",
    "{% extends 'x' %}": "extends is not taken",
    "{% block x %}{% endblock %}": "block is not taken",
    "{% autoescape true %}{% endautoescape %}": "autoescape is not taken",
    "{{ lipsum(100) }}": "'lipsum' is undefined",
    "{{ '" + "(" * 30000 + "' | x }}": "No filter",
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}": "nested too deeply",
    "{{ " + "-" * 50000 + "1 }}": "nested too deeply",
    "{{ " + "(1," * 150 + ")" * 150 + " }}": "",
    "{{ a" + ".a" * 30000 + " }}": "",
    "{{ a }}" * 9000: "more than 4000 parts",
    "{% if 1 %}" * 2000 + "{% endif %}" * 2000: "nested too deeply",
    "{% for i in range(2) %}" * 30 + "x" + "{% endfor %}" * 30: "nested too deeply",
}


@pytest.mark.parametrize("source", BOMBS, ids=lambda source: source[:50].replace(" ", ""))
def test_no_template_can_hang_or_eat_memory(source: str) -> None:
    began = time.process_time()

    assert BOMBS[source] in mistake(source)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ title['__class__'] }}",
        "{{ range.__globals__ }}",
        "{{ namespace.__init__ }}",
        "{{ namespace(a=1)._Namespace__attrs }}",
        "{{ namespace(a=1).__class__ }}",
        "{% for o in objects %}{{ loop.__class__ }}{% endfor %}",
        "{% for o in objects %}{{ loop._iterable }}{% endfor %}",
        "{{ objects | map(attribute='__class__') | list | join }}",
        "{{ (lines | first).__class__ }}",
        "{{ lines.append('x') }}",
        "{{ facts.update({}) }}",
        "{{ facts.items() }}",
        "{{ self }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ title | attr('__class__') }}",
        "{{ environment }}",
        "{{ context }}",
    ],
)
def test_nothing_behind_the_values_can_be_reached(source: str) -> None:
    assert mistake(source)


def test_what_would_be_too_long_is_not_made_first() -> None:
    tracemalloc.start()
    try:
        assert "longer than 20000" in mistake("{{ ('x' * 19999) | replace('', 'y' * 19999, -1) }}")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_what_is_longer_is_cut_off() -> None:
    (said,) = words("{% for i in range(900) %}" + "x" * 1000 + "{% endfor %}")

    assert said == "x" * LONGEST


@settings(deadline=None)
@given(st.text(alphabet="{}%#|.()[]'\"~*+-/ \nabofrinel0123456789=,<>!", max_size=60))
def test_whatever_is_written_gives_words_or_a_mistake(source: str) -> None:
    template = Template("slack.j2", source)
    (told,), warnings = worded([update()], lambda _: template)

    assert isinstance(told.payload, Digest)
    assert bool(told.payload.stories[0].words) is not bool(warnings)
    assert all(warning.isprintable() for warning in warnings)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_channel_has_the_template_that_is_most_its_own(tmp_path: Path) -> None:
    files = {"": "all.j2", "slack": "slack.j2", "apps/on-call": "call.j2"}
    for name in files.values():
        (tmp_path / name).write_text(name)
    of = templates(PerProvider("--message-template", {key: str(tmp_path / name) for key, name in files.items()}))

    def said(type_: str, provider: str) -> tuple[str, ...]:
        found = of(type_, provider)
        return found.words(variables(story(), Digest(()))) if found else ()

    assert said("slack", "apps/on-call") == ("call.j2",)
    assert said("slack", "apps/else") == ("slack.j2",)
    assert said("discord", "") == ("all.j2",)
    assert templates(PerProvider("--message-template", {"slack": str(tmp_path / "slack.j2")}))("discord", "") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: no such file"), (b"\xff\xfe", "UTF-8"), (b"x" * (LARGEST + 1), "larger than 64 KiB")],
    ids=["missing", "binary", "large"],
)
def test_a_file_that_cannot_be_read_is_told_at_once(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "slack.j2"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=said) as caught:
        templates(PerProvider("--message-template", {"slack": str(file)}))
    assert caught.value.message.startswith("--message-template: ")
    assert "slack.j2" in caught.value.message


# ── whom a failure calls ────────────────────────────────────────────────────────────────────────────────────────────

IDS = {("slack", "Ada Lovelace"): "U024BE7LH"}


def calls(*updates: Update) -> list[list[str]]:
    told = mentioned(updates, lambda to, names: next((IDS[to, n] for n in names if (to, n) in IDS), ""))
    return [[one.mention for one in each.payload.stories] for each in told if isinstance(each.payload, Digest)]


def test_the_author_of_what_failed_is_called() -> None:
    assert calls(update(story(), story(seen(State.SUCCESS)), story(seen(State.PENDING)))) == [["U024BE7LH", "", ""]]


def test_only_where_the_author_is_known_and_has_an_id() -> None:
    assert calls(update(to="discord"), update(structs.replace(story(), author=""))) == [[""], [""]]


def test_an_author_goes_by_an_address_and_a_login_too() -> None:
    unnamed = structs.replace(story(), author="", known_as=("ada@example.com", "Ada Lovelace"))
    assert calls(update(unnamed)) == [["U024BE7LH"]]


def test_an_edit_calls_nobody_and_the_reply_beside_it_does() -> None:
    edit, reply = update(about="x", handle="C1:1.1"), update(about="x", handle="C1:1.1", reply=True)

    assert calls(edit, reply) == [[""], ["U024BE7LH"]]
    assert calls(edit) == [[""]]


def test_a_new_message_that_is_answered_at_once_leaves_it_to_the_answer() -> None:
    assert calls(update(about="x"), update(about="x", reply=True)) == [[""], ["U024BE7LH"]]


def test_a_new_message_without_an_answer_calls() -> None:
    elsewhere = structs.replace(story(), outcome=structs.replace(story().outcome, cluster="eu"))

    assert calls(update(about="x"), update(about="y", reply=True)) == [["U024BE7LH"]] * 2
    assert calls(update(about="x"), update(elsewhere, about="x", reply=True)) == [["U024BE7LH"]] * 2


def test_what_is_for_programs_is_left_alone() -> None:
    event = Update("generic", (), Outcome("prod", Repository("", ""), "", ()))  # type: ignore[arg-type]

    assert mentioned([event], lambda *_: "U1") == (event,)
    assert worded([event], lambda _: Template("x", "y")) == ((event,), ())


@pytest.mark.parametrize("name", ["each step", "joined text", "flat list", "held value"])
def test_what_counts_steps_cannot_be_asked_for(name: str) -> None:
    assert "there is no such filter" in mistake(f"{{{{ ['abc'] | map('{name}', -1000) | join }}}}")


def test_looking_for_words_takes_its_time_into_account() -> None:
    began = time.process_time()
    source = "{% for x in range(900) %}{% for y in range(50) %}{{ w | wordcount }}{% endfor %}{% endfor %}"
    assert "steps" in mistake("{% set w = 'a ' * 9999 %}" + source)
    assert time.process_time() - began < 5
