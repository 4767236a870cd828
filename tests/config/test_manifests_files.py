"""From paths and documents to objects."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from config.manifestsource import ALERT, GROUP, PROVIDER, alert, provider, read, secret, written

from landed.config.manifests.problems import render_problems
from landed.config.manifests.read import read_files, read_objects, unanswered
from landed.config.manifests.values import Manifests, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE = written(provider(PROVIDER))


def told(paths: Sequence[str]) -> str:
    return render_problems(read_files(paths)[1])


def test_a_folder_is_all_its_yaml_and_json_sorted(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c/d.json", "c/a.yaml", ".git/x.yaml", "c/.x.yaml", "readme.md", "z.yaml.bak"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(written(provider(PROVIDER, name=name.strip(".").replace("/", "-"))))
    manifests, problems = read_files([str(tmp_path)])
    assert not problems
    assert [provider.name for provider in manifests.providers] == ["a.yaml", "b.yml", "c-a.yaml", "c-d.json"]
    assert manifests.providers[0].place.file == str(tmp_path / "a.yaml")


def test_links_are_followed_once(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.yaml").write_text(ONE)
    (inner / "loop").symlink_to(tmp_path)
    (inner / "self").symlink_to(inner / "self")
    (inner / "gone").symlink_to("nowhere")
    (tmp_path / "again.yaml").symlink_to(inner / "a.yaml")
    (tmp_path / "other").symlink_to(inner)
    manifests, problems = read_files([str(tmp_path), str(inner / "a.yaml"), str(inner)])
    assert not problems
    assert len(manifests.providers) == 1


def test_a_mounted_configmap_is_read(tmp_path: Path) -> None:
    """Kubernetes mounts files as links into a hidden folder."""
    (tmp_path / "..2024").mkdir()
    (tmp_path / "..2024" / "a.yaml").write_text(ONE)
    (tmp_path / "..data").symlink_to("..2024")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert len(read_files([str(tmp_path)])[0].providers) == 1


def test_what_is_hidden_is_read_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / ".a").write_text(ONE)
    assert len(read_files([str(tmp_path / ".a")])[0].providers) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "nothing: there is no such file or folder."),
        ("empty", "empty: there is no file in it that ends in .yaml, .yml, .json."),
        ("large.yaml", "large.yaml: it is larger than 8 MiB."),
        ("latin.yaml", "latin.yaml: it is not text in UTF-8."),
        ("broken", "a.yaml: it cannot be read: no such file or directory."),
        ("a\0b", "ab: there is no such file or folder."),
        ("x" * 300, "it cannot be read: file name too long."),
        ("large.yaml/x", "large.yaml/x: there is no such file or folder."),
    ],
)
def test_a_path_that_gives_nothing_is_a_problem_and_the_rest_is_read(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.yaml").symlink_to("nowhere")
    (tmp_path / "large.yaml").write_bytes(b"#" * (8 * 1024 * 1024 + 1))
    (tmp_path / "latin.yaml").write_bytes("a: ü".encode("latin-1"))
    (tmp_path / "good.yaml").write_text(ONE)
    manifests, problems = read_files([f"{tmp_path}/{path}", str(tmp_path / "good.yaml")])
    assert len(problems) == 1
    assert words in render_problems(problems)
    assert len(manifests.providers) == 1


def test_a_path_that_is_empty_is_not_the_working_folder() -> None:
    assert told([""]).endswith("- --config: the path is empty.")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file that opens and cannot be read")
def test_a_file_that_cannot_be_read_is_a_problem() -> None:
    assert "/proc/self/mem: it cannot be read: " in told(["/proc/self/mem"])


def test_a_device_does_not_end_the_run() -> None:
    assert "/dev/zero: it is larger than 8 MiB" in told(["/dev/zero"])


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert "there is no file in it" in told([str(tmp_path)])


def test_a_name_that_is_not_text_can_be_printed(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff\n.yaml"
    Path(os.fsdecode(file)).write_text("[")
    message = told([str(tmp_path)])
    assert "\ufffd" in message
    message.encode()
    assert message.count("\n") == 1


def test_lists_are_read_however_they_are_nested() -> None:
    items = [provider(PROVIDER, name="a"), {"apiVersion": "v1", "kind": "List", "items": [alert(ALERT), secret()]}]
    typed = [{key: value for key, value in provider(PROVIDER, name="b").items() if key in ("metadata", "spec")}]
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items},
        {"apiVersion": f"{GROUP}/v1beta2", "kind": "ProviderList", "items": typed},
        {"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "c"}, "stringData": {"a": "b"}}]},
        {"apiVersion": f"{GROUP}/v1beta2", "kind": "AlertList", "items": None},
    ]
    manifests, problems = read(written(*documents))
    assert not problems
    assert [provider.name for provider in manifests.providers] == ["a", "b"]
    assert [provider.place.document for provider in manifests.providers] == [1, 2]
    assert [listener.place.line for listener in manifests.listeners] == [15]
    assert set(manifests.secrets) == {("apps", "slack-url"), ("default", "c")}


def test_items_of_a_list_of_anything_say_what_they_are() -> None:
    item = {key: value for key, value in provider(PROVIDER).items() if key != "apiVersion"}
    _, (problem,) = read(written({"apiVersion": "v1", "kind": "List", "items": [item]}))
    assert (problem.field, problem.what) == ("apiVersion", "it is missing")


def test_items_that_are_no_list_are_a_problem() -> None:
    assert "items: it is not a list" in render_problems(
        read(written({"apiVersion": "v1", "kind": "List", "items": 1}))[1]
    )


def test_json_is_read() -> None:
    text = '{\n\t"apiVersion": "GROUP/v1beta3", "kind": "Provider",\n"metadata": {"name": "a", "namespace": "b"},\n'
    manifests, problems = read(
        text.replace("GROUP", GROUP) + '"spec": {"type": "slack",\n"username": "\\ud83e\\udd16\\\\ud83e\\/"}}', "a.json"
    )
    assert not problems
    assert manifests.providers[0].username == "\U0001f916\\ud83e/"
    assert manifests.providers[0].lines["spec.username"] == 5


def test_other_kinds_are_counted() -> None:
    others = [{"apiVersion": "v1", "kind": kind} for kind in ("Namespace", "HelmRepository", "HelmRepository")]
    foreign = {"apiVersion": "pkg.crossplane.io/v1", "kind": "Provider"}
    receivers = [{"apiVersion": f"{GROUP}/v1", "kind": "Receiver"}] * 2
    manifests, problems = read(written(*others, foreign, *receivers, {"image": "x"}, ["a"], "text"))
    assert not problems
    assert manifests.notes == (
        "4 objects of other kinds (2 HelmRepository, Namespace, Provider) are left out",
        "2 Receivers are left out",
        "3 documents without apiVersion and kind are left out",
    )


def test_what_is_wrong_in_other_kinds_is_nobodys_business() -> None:
    assert read("apiVersion: v1\nkind: ConfigMap\ndata: {a: 1, a: 2, b: !Ref c}\n")[1] == ()


@pytest.mark.parametrize("text", ["", "---\n", "---\n---\n", "# nothing\n", "---\n# a\n---\nnull\n...\n", "\ufeff"])
def test_empty_documents_are_fine(text: str) -> None:
    assert read(text) == (Manifests(), ())


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b: c", 1, "it is not YAML: mapping values are not allowed in this context (column 5)"),
        ("a:\n\t- 1", 2, "it is not YAML: found character that cannot start any token (column 1)"),
        ("a: *b", 1, "an alias (*) stands for nothing before it"),
        ("a: &b [*b]", 1, "an alias (*) stands for nothing before it"),
        ("a: !x!y z", 1, "it is not YAML: found undefined tag handle"),
        ("[" * 100_000, 1, "it is nested more than 100 levels deep"),
        ("- " * 100_000, 1, "it is nested more than 100 levels deep"),
        ("{a: " * 100_000, 1, "it is nested more than 100 levels deep"),
    ],
)
def test_what_is_no_yaml_is_one_problem_with_its_line(text: str, line: int, words: str) -> None:
    manifests, problems = read(f"{ONE}---\n{text}\n---\n{ONE}")
    (problem,) = problems
    assert problem.place == Place(problem.place.file, ONE.count("\n") + 1 + line, 2)
    assert problem.what.startswith(words)
    assert len(manifests.providers) == 1, "what comes before is read"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("é: 1\nb: \x07", ":2", "it is not YAML: it holds a control character (column 4)"),
        ("a: 'x\n", ":2 (document 1)", "it is not YAML: found unexpected end of stream (column 1)"),
        ("%YAML 3.0\n---\na: 1", ":1 (document 1)", "it is not YAML: found incompatible YAML document (column 1)"),
        ("a: 1\n---\n{}\n{}", ":4 (document 3)", "it is not YAML: did not find expected <document start> (column 1)"),
    ],
)
def test_where_a_text_stops_being_yaml(text: str, place: str, words: str) -> None:
    (problem,) = read(text)[1]
    assert str(problem.place).endswith(f"m.yaml{place}")
    assert problem.what == words


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


MERGES = "\n".join(
    ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}", "a1: {<<: [" + ", ".join(["*a0"] * 100_000) + "]}"]
)


@pytest.mark.parametrize("text", [bomb(10, 10), bomb(90, 2), MERGES])
def test_aliases_do_not_blow_up(text: str) -> None:
    started = time.process_time()
    (problem,) = read(f"{ONE}extra:\n  " + text.replace("\n", "\n  "))[1]
    assert problem.what == "its aliases (*) blow it up"
    assert time.process_time() - started < 5


def test_too_many_values_are_a_problem() -> None:
    (problem,) = read("- a\n" * 500_001)[1]
    assert problem.what == "there are more than 500000 values in it"


def test_aliases_and_merges_are_followed() -> None:
    text = (
        f"apiVersion: {GROUP}/v1beta3\nkind: Alert\nmetadata: &m {{name: a, namespace: b}}\nspec: &s\n"
        "  providerRef: {name: c}\n  eventSources: [&k {kind: Bucket, name: '*'}, {<<: *k, name: x}]\n"
        "  eventMetadata: {<<: [{a: '1', b: '2'}, {b: '3', c: '4'}], a: '0'}\n"
    )
    manifests, problems = read(text)
    assert not problems
    (listener,) = manifests.listeners
    assert [(source.kind, source.name) for source in listener.alert.sources] == [("Bucket", "*"), ("Bucket", "x")]
    assert listener.alert.metadata == (("a", "0"), ("b", "2"), ("c", "4"))


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("channel: a\n  channel: b", "spec.channel", '"channel" is there twice'),
        ("channel: !mine a", "spec.channel", "a tag that is not YAML's own"),
        ("channel: !!int a", "spec.channel", "a tag that is not YAML's own"),
        ("secretRef: !mine {name: a}", "spec.secretRef", "a tag that is not YAML's own"),
        ("secretRef: {[a]: b, name: c}", "spec.secretRef", "a key is not text"),
        ("secretRef: {<<: a, name: c}", "spec.secretRef.<<", "merges mappings only"),
        ("channel: 1234e56", "spec.channel", "Write it in quotes."),
        ("channel: on", "spec.channel", "Write it in quotes."),
    ],
)
def test_traps_of_yaml_are_problems_with_their_line(line: str, field: str, words: str) -> None:
    (problem,) = read(f"{ONE}  {line}\n")[1]
    assert problem.field == field
    assert problem.place.line >= ONE.count("\n") + 1
    assert words in render_problems([problem])


@pytest.mark.parametrize("text", ["12:30", "-1001234:56", "2001-01-01", "1.2.3", "=", "0xZZ", "y", "n", ".", "1e"])
def test_what_kubectl_takes_for_text_is_text(text: str) -> None:
    assert read(f"{ONE}  channel: {text}\n")[0].providers[0].channel == text


def test_all_problems_come_at_once_sorted_by_place(tmp_path: Path) -> None:
    wrong = {"providerRef": {}, "eventSources": [{"kind": "x", "name": "a"}], "z": 1}
    (tmp_path / "b.yaml").write_text(written(alert(wrong), provider({"type": "y"})))
    (tmp_path / "a.yaml").write_text("a: [")
    lines = told([str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml"), f"{tmp_path}/c"]).splitlines()
    assert lines[0] == "6 problems in the manifests:"
    assert [line.removeprefix(f"- {tmp_path}/").split(": ")[0] for line in lines[1:]] == [
        "a.yaml:2 (document 1)",
        "b.yaml:7 (document 1), Alert apps/on-call, spec.providerRef.name",
        "b.yaml:9 (document 1), Alert apps/on-call, spec.eventSources[0].kind",
        "b.yaml:11 (document 1), Alert apps/on-call, spec.z",
        "b.yaml:19 (document 2), Provider apps/slack, spec.type",
        "c",
    ]


def test_a_stranger_cannot_write_lines_of_ours() -> None:
    shout = "a\n::error::x\u202e"
    message = render_problems(read(written(provider({"type": shout, shout: 1, "channel": {}})))[1])
    assert message.count("\n") == 3
    assert "\u202e" not in message
    assert not any(line.startswith("::") for line in message.splitlines())


def test_very_many_problems_are_counted() -> None:
    problems = [Problem(Place("a", line), "", "", "x") for line in range(1, 301)]
    lines = render_problems(problems).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("300 problems in the manifests:", "- … and 100 more.", 202)
    assert render_problems(problems[:1]) == "1 problem in the manifests:\n- a:1: x."


@pytest.mark.parametrize("document", [provider(PROVIDER), alert(ALERT), alert({**ALERT, "suspend": True}), secret()])
def test_twice_the_same_object_is_a_problem(document: dict[str, Any]) -> None:
    manifests, (problem,) = read(written(document, document))
    lines = written(document).count("\n")
    assert problem.field == "metadata.name"
    assert problem.place.line > lines
    assert ":1 (document 1)" in problem.what
    assert len(manifests.providers) + len(manifests.listeners) + len(manifests.secrets) <= 1


def test_equal_names_elsewhere_are_fine() -> None:
    documents = (provider(PROVIDER), provider(PROVIDER, namespace="b"), alert(ALERT, name="slack"), secret("slack"))
    assert not read(written(*documents))[1]


def test_objects_of_a_cluster_have_its_name_for_a_place() -> None:
    objects = [
        provider({"type": "x"}, name="a"),
        provider(PROVIDER) | {"status": {"observedGeneration": -1}},
        {"apiVersion": f"{GROUP}/v1beta3", "kind": "AlertList", "items": [{**alert(ALERT), "kind": None}]},
    ]
    manifests, (problem,) = read_objects(objects, "cluster prod")
    assert render_problems([problem]).splitlines()[1].startswith("- cluster prod, Provider apps/a, spec.type: ")
    assert [provider.name for provider in manifests.providers] == ["slack"]
    assert manifests.providers[0].lines == {}
    assert manifests.listeners[0].place == Place("cluster prod")


def test_what_a_cluster_holds_was_substituted() -> None:
    assert read_objects([provider({**PROVIDER, "channel": "${a}"})], "cluster prod")[0].notes == ()


def test_a_damaged_answer_is_a_problem() -> None:
    deep: dict[str, object] = {}
    for _ in range(2000):
        deep = {"a": deep}
    _, (problem,) = read_objects([deep], "cluster prod")
    assert problem.what == "it is nested more than 100 levels deep"


def test_an_alert_without_a_provider_is_told_which_there_are() -> None:
    documents = [provider(PROVIDER, name="b"), provider(PROVIDER, name="a"), provider(PROVIDER, namespace="other")]
    manifests, problems = read(written(*documents, alert(ALERT)))
    assert not problems
    (problem,) = unanswered(manifests)
    assert (problem.about, problem.field) == ("Alert apps/on-call", "spec.providerRef.name")
    assert problem.what == 'there is no Provider "slack" in the namespace apps'
    assert problem.instead.startswith("There is one in other, but")
    assert problem.place.line == manifests.listeners[0].lines["spec.providerRef.name"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "There is none at all in that namespace."),
        (("b",), "There is b."),
        (("c", "b"), "There are b, c."),
        (tuple(f"a{n:02}" for n in range(12)), "a09 and 2 more."),
    ],
)
def test_which_providers_there_are(names: tuple[str, ...], words: str) -> None:
    elsewhere = provider(PROVIDER, name="z", namespace="other")
    manifests, _ = read(written(alert(ALERT), elsewhere, *(provider(PROVIDER, name=name) for name in names)))
    (problem,) = unanswered(manifests)
    assert problem.instead.endswith(words)


@pytest.mark.parametrize("spec", [PROVIDER, {**PROVIDER, "suspend": True}, {"type": "x"}])
def test_a_provider_that_is_there_is_enough(spec: dict[str, Any]) -> None:
    assert unanswered(read(written(alert(ALERT), provider(spec)))[0]) == ()


def test_files_and_a_cluster_answer_one_another() -> None:
    files, _ = read(written(alert(ALERT)))
    cluster, _ = read_objects([provider(PROVIDER)], "cluster prod")
    assert unanswered(files)
    assert unanswered(Manifests(cluster.providers, files.listeners)) == ()
