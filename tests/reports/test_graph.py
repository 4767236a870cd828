from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from reports.answered import FAILED, LIVE, answered, answered_of, k, read, ref, stands
from reports.hostile import HOSTILE, QUIET

from landed.model import Report
from landed.reports import graph

ROOT = Path(__file__).parents[2]
PACKAGES = Path(os.environ.get("LANDED_TEST_MERMAID") or ROOT / ".ci" / "node_modules")
needs_mermaid = pytest.mark.skipif(
    not shutil.which("node") or not (PACKAGES / "mermaid").is_dir() or not (PACKAGES / "jsdom").is_dir(),
    reason="needs node, mermaid and jsdom in .ci",
)
TRICKS = (
    'a"]; n0 --> n1; b["', "style a:#b; c", "classDef x:#1;", "end", "%%{init: {}}%%", "click n0 callback", "fa:fa-car",
    "<b>x</b>", "$$x$$", "---", "#quot;#35;", "`**x**`", "a & b", "graph TD", "subgraph x", "ﬂ°°34¶ß",
)  # fmt: skip


def texts(reports: Iterable[Report]) -> list[str]:
    return [graph.flowchart(one) for report in reports for one in graph.graphs(report)]


def drawn(flowcharts: list[str]) -> list[dict[str, Any]]:
    """What Mermaid itself makes of them."""
    ran = subprocess.run(
        ["node", ROOT / "tests" / "reports" / "flowcharts.mjs", PACKAGES],
        input=json.dumps([text.encode("utf-8", "replace").decode() for text in flowcharts]),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


FLOWCHART = """\
flowchart LR
  n0["#10007; apps#47;web"]
  n1["#9676; apps#47;api"]
  n2["#10003; apps#47;db"]
  n2 --> n0
  n0 --> n1
  classDef lost stroke:crimson,stroke-width:3px
  classDef waiting stroke:orange,stroke-width:2px,stroke-dasharray:5 5
  classDef live stroke:seagreen,stroke-width:2px
  class n0 lost
  class n1 waiting
  class n2 live
"""


def test_the_graph_leads_from_what_is_needed_to_what_needs_it() -> None:
    assert texts([FAILED]) == [FLOWCHART]


def test_there_is_none_where_nothing_depends_on_anything() -> None:
    assert graph.graphs(QUIET) == ()
    assert "".join(graph.fenced(answered(stands("web")))) == ""


def test_what_is_waited_for_is_known_without_what_was_read() -> None:
    (found,) = graph.graphs(answered(stands("api", "waiting", waits_for=ref("web")), stands("web", "failed")))
    assert found.edges == ((ref("web"), ref("api")),)


def test_what_depends_on_itself_is_no_edge() -> None:
    assert graph.graphs(replace(LIVE, looks=(read(k("web", "web")),))) == ()


def test_one_graph_for_each_cluster_troubles_first() -> None:
    two = replace(FAILED, looks=(read(k("b", "a"), cluster="a"), *FAILED.looks))
    assert [one.cluster for one in graph.graphs(two)] == ["prod", "a"]


def _large(number: int) -> Report:
    """A chain of Kustomizations; the last but one has failed."""
    broken = number - 2
    states = (stands(f"n{i:04}", "failed" if i == broken else "live") for i in range(number))
    chain = (k(f"n{i:04}", f"n{i - 1:04}") for i in range(1, number))
    return replace(answered(*states), looks=(read(*chain),))


def test_a_large_graph_is_cut_and_keeps_the_trouble_and_its_neighbours() -> None:
    (found,) = graph.graphs(_large(300))
    assert len(found.nodes) == graph.MOST_NODES
    assert found.left_out == 300 - graph.MOST_NODES
    assert {node.name for node in found.nodes[:3]} == {"n0297", "n0298", "n0299"}
    assert (ref("n0297"), ref("n0298")) in found.edges
    assert "… and 240 more Kustomizations" in "".join(graph.fenced(_large(300)))


@pytest.mark.parametrize("text", [*HOSTILE.values(), *TRICKS])
def test_a_label_holds_nothing_but_letters_digits_and_entities(text: str) -> None:
    plain = texts([answered_of("plain")])
    found = texts([answered_of(text)])
    assert [len(one.splitlines()) for one in found] == [len(one.splitlines()) for one in plain] or not text.strip()
    for flowchart in found:
        for line in flowchart.splitlines():
            if "[" in line:
                head, label = line.split('["', 1)
                assert head.strip().isalnum()
                assert label.endswith('"]')
                assert set(label[:-2]) <= set("#; abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@needs_mermaid
def test_mermaid_reads_what_was_meant() -> None:
    failed, *others = drawn(texts([FAILED, LIVE, _large(300)]))
    assert failed["type"] == "flowchart-v2"
    assert failed["nodes"] == [
        ["n0", "✗ apps/web", ["lost"], None],
        ["n1", "◌ apps/api", ["waiting"], None],
        ["n2", "✓ apps/db", ["live"], None],
    ]  # fmt: skip
    assert failed["edges"] == [["n2", "n0"], ["n0", "n1"]]
    assert len(others[-1]["nodes"]) == graph.MOST_NODES


@needs_mermaid
def test_no_text_breaks_out_of_its_label() -> None:
    tricks = [*HOSTILE.values(), *TRICKS]
    every = [texts([answered_of(text)]) for text in tricks]
    found = drawn([text for one in every for text in one])
    assert len(found) >= len(tricks)
    for one in found:
        assert len(one["nodes"]) == 2
        assert len(one["edges"]) == 1
        assert all(link is None for _, _, _, link in one["nodes"])
