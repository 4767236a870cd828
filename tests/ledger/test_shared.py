"""One ledger for several runs at a time: nobody erases what another one has told."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.errors import ConfigurationError
from landed.ledger import Share, ledger
from landed.ledger.file import FileLedger
from landed.ledger.format import decode, encode
from landed.ledger.sharing import Since, visible
from landed.model import Mark
from landed.told import Entry, Intent, Told

SLACK = "slack"


def shared(path: Path, part: str, *clusters: str, timeout: float = 5.0) -> FileLedger:
    def say(text: str) -> None:
        raise AssertionError(text)

    return FileLedger(
        str(path),
        lock_timeout=timeout,
        warn=say,
        progress=lambda _: None,
        shared=Share(part, clusters or (f"c{part}",)),
    )


def tell(told: Told, cluster: str, commit: str, when: int = 1, destination: str = SLACK) -> None:
    told.record(destination, Mark(f"{cluster} acme/fleet", commit, "success", (commit,)), when)


def stored(path: Path) -> Told:
    return decode(path.read_bytes())


def commits(told: Told, cluster: str, destination: str = SLACK) -> list[str]:
    return [e.commit for e in told.destinations.get(destination, {}).get(f"{cluster} acme/fleet", ())]


# ── any runs, in any order ──────────────────────────────────────────────────────────────────────────────────────────

RUNS = ("1", "2", "3")
_steps = st.lists(
    st.tuples(
        st.sampled_from(RUNS),
        st.sampled_from(
            ["open", "record", "record", "observe", "stock", "see", "begin", "settle", "calm", "save", "save", "end"]
        ),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["success", "failure A"]),
    ),
    max_size=40,
)


class Shard:
    """One part, whose runs come and go; ``kept`` is what it had stored last."""

    def __init__(self, path: Path, part: str) -> None:
        self.book = shared(path, part)
        self.part = part
        self.stack = ExitStack()
        self.told: Told | None = None
        self.kept = Told()

    def step(self, what: str, line: str, commit: str, result: str, when: int) -> None:
        if what == "open" and self.told is None:
            self.told = self.stack.enter_context(self.book.open())
            assert self.own(self.told) == self.own(self.kept), "it finds again what it stored"
        if self.told is None:
            return
        name = f"c{self.part} {line}"
        if what == "record":
            self.told.record(SLACK, Mark(name, commit, result, (commit,)), when)
        elif what == "observe":
            self.told.observe(name, f"{commit} {result}", when)
        elif what == "stock":
            self.told.inventories[name] = commit
        elif what == "see":
            self.told.seen[f"c{self.part}"] = when
        elif what == "begin":
            self.told.begin([Intent(SLACK, name, commit)])
        elif what == "settle":
            self.told.settle()
        elif what == "calm":
            self.told.calm(when + 300)
        elif what == "save":
            self.book.save(self.told)
            self.kept = deepcopy(self.told)
        elif what == "end":  # killed: what was not saved is lost, as it always was
            self.stack.close()
            self.told = None

    def own(self, told: Told) -> object:
        """What there is of this part's clusters, intents apart."""
        mine = f"c{self.part}"

        def of(known: dict[str, object]) -> dict[str, object]:
            return {key: value for key, value in known.items() if key.split(" ")[0] == mine}

        return (
            of(told.destinations.get(SLACK, {})),  # type: ignore[arg-type]
            of(told.seen),  # type: ignore[arg-type]
            of(told.observed),  # type: ignore[arg-type]
            of(told.turns),  # type: ignore[arg-type]
            of(told.inventories),  # type: ignore[arg-type]
        )


@settings(deadline=None)
@given(_steps, st.booleans())
def test_runs_for_different_clusters_end_with_everything_that_was_stored(
    steps: list[tuple[str, str, str, str, str]],
    known: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.json"
        if known:  # a channel that a run for everything has served: every shard knows all of it
            path.write_bytes(encode(Told({SLACK: {}})))
        shards = {part: Shard(path, part) for part in RUNS}
        for when, (part, what, line, commit, result) in enumerate(steps):
            shards[part].step(what, line, commit, result, when)
        found = stored(path) if path.exists() else Told()
        for shard in shards.values():
            assert shard.own(found) == shard.own(shard.kept)
            begun = {intent for intent in found.begun if intent.line.startswith(f"c{shard.part} ")}
            assert begun >= {i for i in shard.kept.begun if i.line.startswith(f"c{shard.part} ")}, "no trace is lost"
            shard.stack.close()


def test_processes_that_save_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path, workers, each = tmp_path / "ledger.json", 4, 12
    children = []
    for number in range(workers):
        child = os.fork()
        if child == 0:  # pragma: no cover — another process
            code = 1
            try:
                book = shared(path, str(number), timeout=30)
                with book.open() as told:
                    for commit in range(each):
                        told.record(SLACK, Mark(f"c{number} {commit}", "a", "success", ("a",)), 1)
                        told.observe(f"c{number} {commit}", "a success")
                        book.save(told)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * workers
    found = stored(path)
    lines = {f"c{number} {commit}" for number in range(workers) for commit in range(each)}
    assert found.destinations[SLACK].keys() == lines
    assert found.observed.keys() == lines


# ── who holds what ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_different_parts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    one, two = shared(path, "1-of-2", timeout=0), shared(path, "2-of-2", timeout=0)
    with one.open() as first, two.open() as second:
        tell(first, "c1-of-2", "a")
        tell(second, "c2-of-2", "b")
        one.save(first)
        two.save(second)
    assert commits(stored(path), "c1-of-2") == ["a"]
    assert commits(stored(path), "c2-of-2") == ["b"]


def test_two_runs_of_one_part_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    with (
        shared(path, "1-of-2").open(),
        pytest.raises(ConfigurationError, match=r"has held part 1-of-2 of the ledger .*; nothing was sent"),
        shared(path, "1-of-2", timeout=0).open(),
    ):
        pytest.fail("both were let in")


def test_a_run_for_everything_waits_for_no_share_but_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    whole = ledger(str(path), lock_timeout=0, warn=print, progress=print)
    book = shared(path, "1-of-2", timeout=0)
    with book.open() as told, whole.open():
        tell(told, "c1-of-2", "a")
        with pytest.raises(ConfigurationError, match="what was delivered may be told once more"):
            book.save(told)
    with book.open() as told:
        tell(told, "c1-of-2", "a")
        book.save(told)
    assert commits(stored(path), "c1-of-2") == ["a"]


def test_a_save_waits_until_the_other_one_has_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    whole = ledger(str(path), lock_timeout=0, warn=print, progress=print)
    book = shared(path, "1-of-2")
    with book.open() as told:
        tell(told, "c1-of-2", "a")
        with whole.open() as all_:
            all_.seen["another"] = 7
            saving = threading.Thread(target=book.save, args=(told,))
            saving.start()
            whole.save(all_)
        saving.join(10)
    found = stored(path)
    assert commits(found, "c1-of-2") == ["a"]
    assert found.seen == {"another": 7}


# ── what became of it meanwhile ─────────────────────────────────────────────────────────────────────────────────────


def test_what_others_stored_is_there_and_our_own_view_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(encode(Told({SLACK: {}}, {"c1": 1, "c2": 1}, observed={"c1 o": "a success", "c2 o": "a success"})))
    book, other = shared(path, "1"), shared(path, "2")
    with book.open() as ours:
        with other.open() as theirs:
            theirs.observe("c2 o", "b success")
            theirs.seen["c2"] = 5
            tell(theirs, "c2", "b")
            other.save(theirs)
        ours.observe("c1 o", "b failure X")
        before = deepcopy(ours)
        book.save(ours)
        assert ours == before
        ours.seen["c1"] = 6
        book.save(ours)
    found = stored(path)
    assert found.observed == {"c1 o": "b failure X", "c2 o": "b success"}
    assert found.seen == {"c1": 6, "c2": 5}
    assert commits(found, "c2") == ["b"]


def test_an_intent_of_another_run_stays_until_that_one_takes_it_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    intent = Intent("github.com", "acme/fleet flux/c1", "a")
    book, other = shared(path, "1"), shared(path, "2")
    with book.open() as ours:
        ours.begin([intent])
        book.save(ours)
        with other.open() as theirs:  # it sees what we are about to send
            theirs.begin([Intent("github.com", "acme/fleet flux/c2", "a")])
            other.save(theirs)
            theirs.settle()
            other.save(theirs)
            assert stored(path).begun == [intent]
            ours.settle()
            book.save(ours)
            tell(theirs, "c2", "b")
            other.save(theirs)
        assert stored(path).begun == []


def test_what_a_killed_run_left_is_taken_back_once_its_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    left = [Intent(SLACK, "c1 acme/fleet", "a"), Intent(SLACK, "c2 acme/fleet", "a")]
    path.write_bytes(encode(Told({SLACK: {}}, begun=left)))
    book = shared(path, "1")
    with book.open() as told:
        assert told.begun == left
        told.begin([Intent(SLACK, "c1 acme/fleet", "b")])
        book.save(told)
        assert set(stored(path).begun) == {*left, Intent(SLACK, "c1 acme/fleet", "b")}
        tell(told, "c1", "b")
        told.settle()
        book.save(told)
    assert stored(path).begun == [left[1]]


def test_turns_that_we_have_forgotten_do_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(encode(Told({SLACK: {}}, observed={"c1 o": "a success"}, turns={"c1 o": [1, 2], "c2 o": [1]})))
    book, other = shared(path, "1"), shared(path, "2")
    with book.open() as ours, other.open() as theirs:
        ours.observe("c1 o", "b success")
        book.save(ours)
        theirs.seen["c2"] = 1
        other.save(theirs)
    assert stored(path).turns == {"c2 o": [1]}


def test_what_is_past_for_us_is_not_present_again_for_the_sake_of_an_old_view(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(encode(Told({SLACK: {}})))
    start = shared(path, "1")
    with start.open() as told:
        tell(told, "c1", "a", 1)
        start.save(told)
    book, other = shared(path, "1"), shared(path, "2")
    with other.open() as theirs, book.open() as ours:
        tell(ours, "c1", "b", 2)
        book.save(ours)
        theirs.seen["c2"] = 1
        other.save(theirs)
    line = stored(path).destinations[SLACK]["c1 acme/fleet"]
    assert line == [Entry("a", "success", 1, past=True), Entry("b", "success", 2)]


def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(b'{"version":1,"destinations":{"slack":{}}}')
    book = shared(path, "1")
    with book.open() as told:
        book.save(told)
        assert path.read_bytes() == b'{"version":1,"destinations":{"slack":{}}}'
    empty = shared(tmp_path / "none.json", "1")
    with empty.open() as told:
        empty.save(told)
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("meanwhile", ["vanished", "damaged"])
def test_a_ledger_that_is_lost_meanwhile_is_written_again(tmp_path: Path, meanwhile: str) -> None:
    path = tmp_path / "ledger.json"
    there = Told({SLACK: {"c1 l": [Entry("a", "success", 1)]}}, {"c1": 1}, observed={"c1 o": "a success"})
    path.write_bytes(encode(there))
    said: list[str] = []
    book = FileLedger(str(path), warn=said.append, progress=said.append, shared=Share("1", ("c1",)))
    with book.open() as told:
        if meanwhile == "vanished":
            path.unlink()
        else:
            path.write_bytes(b"rubbish")
        told.seen["c1"] = 2
        book.save(told)
    found = stored(path)
    assert (found.destinations, found.observed, found.seen) == (there.destinations, there.observed, {"c1": 2})
    assert len(said) == (meanwhile == "damaged")


# ── who has served whom ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_channel_is_new_to_each_shard(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    book, other = shared(path, "1", "a", "b"), shared(path, "2", "c")
    with book.open() as told:
        assert told.serve(SLACK)
        book.save(told)
    with other.open() as told:
        assert not told.knows(SLACK), "what was so before is no news of these clusters, either"
        assert not other.peek().knows(SLACK)
        told.serve(SLACK)
        other.save(told)
    assert stored(path).served == {SLACK: ["a", "b", "c"]}
    for again in (shared(path, "1", "a", "b"), shared(path, "2", "c"), shared(path, "3", "b", "new")):
        with again.open() as told:
            assert told.knows(SLACK)
    with shared(path, "4", "new").open() as told:
        assert not told.knows(SLACK)


def test_a_channel_that_whole_runs_have_served_is_known_to_every_shard(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(encode(Told({SLACK: {}})))
    for part in ("1", "2"):
        book = shared(path, part)
        with book.open() as told:
            assert told.knows(SLACK)
            tell(told, f"c{part}", "a")
            book.save(told)
    assert stored(path).served == {}
    assert b'"served"' not in path.read_bytes()


def test_what_others_have_served_is_not_lost_where_it_is_hidden(tmp_path: Path) -> None:
    there = Told({SLACK: {"a l": [Entry("x", "success", 1)]}, "github.com": {}}, served={SLACK: ["a"]})
    told = visible(there, ["b"])
    assert told.destinations == {"github.com": {}}
    assert visible(there, ["a", "b"]) is there
    assert Since(told, ["b"]).joined(told, there) == there


def test_whole_runs_and_shards_agree_on_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    book = shared(path, "1", "a")
    with book.open() as told:
        tell(told, "a", "x")
        book.save(told)
    whole = ledger(str(path), warn=print, progress=print)
    with whole.open() as told:
        assert commits(told, "a") == ["x"]
        assert told.served == {SLACK: ["a"]}
        tell(told, "b", "y")
        whole.save(told)
    assert stored(path).served == {SLACK: ["a"]}
