"""A checkout says which commit contains which, as Git itself does; and says so where it cannot know."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from landed.checkout import Checkout
from landed.checkout.walk import Known, Walk
from landed.errors import ConfigurationError
from landed.model import Relation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to judge by")

SAME, AFTER, BEFORE, APART, UNKNOWN = Relation
GONE = "f" * 40


def git(folder: Path, *words: str, check: bool = True, feed: str = "") -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"}
    who = {f"GIT_{role}_{what}": "x@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *words],
        cwd=folder,
        env=os.environ | settings | who,
        input=feed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def grow(folder: Path, parents: list[tuple[int, ...]], when: Callable[[int], int] = lambda one: one * 60) -> list[str]:
    """Make commit after commit with these parents, the last as ``main``, and give their hashes."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    lines = []
    for one, of in enumerate(parents):
        lines += [
            f"commit refs/heads/c{one}",
            f"mark :{one + 1}",
            f"committer x <x@example.com> {10**9 + when(one)} +0100",
        ]
        lines += [f"data {len(str(one))}", str(one)]
        lines += [f"{'merge' if position else 'from'} :{parent + 1}" for position, parent in enumerate(of)]
        lines += ["" if of else "deleteall"]
    git(folder, "fast-import", "--quiet", feed="\n".join([*lines, "done", ""]))
    hashes = git(folder, "rev-parse", *(f"c{one}" for one in range(len(parents)))).split()
    git(folder, "update-ref", "refs/heads/main", hashes[-1])
    return hashes


def expected(folder: Path, commit: str, other: str) -> Relation:
    """What Git says."""

    def inside(one: str, two: str) -> bool:
        words = ("git", "merge-base", "--is-ancestor", one, two)
        return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0

    if commit == other:
        return SAME
    return AFTER if inside(commit, other) else BEFORE if inside(other, commit) else APART


@pytest.fixture
def line(tmp_path: Path) -> tuple[Path, list[str]]:
    """Ten commits in a row."""
    folder = tmp_path / "line"
    return folder, grow(folder, [(), *((one,) for one in range(9))])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("packed", [True, False])
def test_any_history_as_git_has_it(tmp_path: Path, seed: int, packed: bool) -> None:
    """With merges, several roots, and times that are wrong."""
    chance = random.Random(seed)
    parents: list[tuple[int, ...]] = []
    for one in range(24):
        most = min(one, chance.choice([0, 1, 1, 1, 1, 2, 2, 3]))
        parents.append(tuple(chance.sample(range(max(0, one - 8), one), min(most, one - max(0, one - 8)))))
    wrong = {one: chance.randrange(0, 100_000) for one in range(24)}
    hashes = grow(tmp_path, parents, (lambda one: wrong[one]) if seed % 2 else (lambda one: one))
    if packed:
        git(tmp_path, "repack", "-adq", "--depth=50", "--window=50")
    else:
        _unpack(tmp_path)
    checkout = Checkout(tmp_path)

    for commit in chance.sample(hashes, 8):
        for other in hashes[::3]:
            assert checkout.relation(commit, other) == (expected(tmp_path, commit, other), "")


def _unpack(folder: Path) -> None:
    packs = folder / ".git/objects/pack"
    for pack in list(packs.glob("*.pack")):
        shutil.move(pack, folder / pack.name)
        for rest in packs.glob(f"{pack.stem}.*"):
            rest.unlink()
        with (folder / pack.name).open("rb") as content:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=folder, stdin=content, check=True, capture_output=True)
        (folder / pack.name).unlink()


@pytest.mark.parametrize("seed", range(300))
def test_a_history_with_holes_says_only_what_is_so(seed: int) -> None:
    """Whatever is missing: what is said is what the whole history says, and never less than can be followed."""
    chance = random.Random(seed)
    size = chance.randrange(2, 16)
    of = {
        str(one): tuple(str(x) for x in chance.sample(range(one), min(one, chance.choice([0, 1, 1, 1, 2, 3]))))
        for one in range(size)
    }
    times = {name: chance.randrange(5) if seed % 2 else int(name) for name in of}
    holes = set(chance.sample(sorted(of), chance.randrange(size)))

    def ancestors(name: str, missing: set[str]) -> set[str]:
        found, pending = {name}, [name]
        while pending:
            one = pending.pop()
            new = set(() if one in missing else of[one]) - found
            found |= new
            pending.extend(new)
        return found

    def look(name: str) -> Known | None:
        return None if name in holes else Known(times[name], of[name])

    for commit in of:
        for other in of:
            if commit == other:
                continue
            told = Walk(look, commit, other).relation()
            truth = (
                AFTER if commit in ancestors(other, set()) else BEFORE if other in ancestors(commit, set()) else APART
            )
            assert told in (truth, UNKNOWN)
            if commit in ancestors(other, holes) or other in ancestors(commit, holes):
                assert told is truth
            seen = ancestors(commit, holes) ^ ancestors(other, holes)
            if not seen & holes:
                assert told is truth


def test_what_is_near_is_found_without_walking_far() -> None:
    looked: list[int] = []

    def look(name: str) -> Known:
        looked.append(int(name))
        return Known(int(name), (str(int(name) - 1),) if name != "0" else ())

    assert Walk(look, "99990", "99999").relation() is AFTER
    assert len(looked) < 30


@pytest.mark.slow
def test_fifty_thousand_commits_take_seconds_at_most(tmp_path: Path) -> None:
    hashes = [""]
    lines = []
    for one in range(1, 50_001):
        lines.append(f"commit refs/heads/main\nmark :{one}\ncommitter x <x@example.com> {10**9 + one} +0000\ndata 1\nx")
        lines.append(f"from :{one - 1}" if one > 1 else "deleteall")
    git(tmp_path, "init", "-q")
    git(tmp_path, "fast-import", "--quiet", feed="\n".join([*lines, "done", ""]))
    hashes = [git(tmp_path, "rev-list", "--max-parents=0", "main"), git(tmp_path, "rev-parse", "main~20", "main")]
    near, tip = hashes[1].split()
    checkout = Checkout(tmp_path)

    begun = time.process_time()
    assert checkout.relation(near, tip)[0] is AFTER
    assert time.process_time() - begun < 0.2
    assert checkout.relation(hashes[0], tip)[0] is AFTER
    assert time.process_time() - begun < 5


def test_a_shallow_clone_says_what_it_can(tmp_path: Path, line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=3", "--branch=main", folder.as_uri(), str(shallow))
    checkout = Checkout(shallow)

    assert checkout.relation(hashes[8], hashes[9]) == (AFTER, "")
    assert checkout.relation(hashes[9], hashes[7]) == (BEFORE, "")
    assert checkout.relation(hashes[6], hashes[9]) == (AFTER, "")  # the border still names its parent
    for commit, other in ((hashes[5], hashes[9]), (hashes[9], hashes[2]), (hashes[9], GONE), (GONE, hashes[9])):
        told, why = checkout.relation(commit, other)
        assert told is UNKNOWN
        assert f"The commit {other if commit == hashes[9] else commit} is not in the checkout {shallow}" in why
        assert "shallow: deepen it with `fetch-depth: 0` (GitHub) or `GIT_DEPTH: 0` (GitLab)." in why


def test_a_shallow_clone_does_not_call_apart_what_may_be_related(tmp_path: Path) -> None:
    """1 ← 2 ← 3 and 1 ← 4: with the tips alone nobody knows, with their parents it is so."""
    folder = tmp_path / "whole"
    _, _, three, four = grow(folder, [(), (0,), (1,), (0,)])
    git(folder, "update-ref", "refs/heads/other", three)
    for depth, expected_ in (("1", UNKNOWN), ("2", APART), ("3", APART)):
        shallow = tmp_path / depth
        git(tmp_path, "init", "-q", str(shallow))
        git(shallow, "fetch", "-q", f"--depth={depth}", folder.as_uri(), three, four)
        told, why = Checkout(shallow).relation(three, four)
        assert told is expected_
        assert ("is shallow and ends before" in why) is (told is UNKNOWN)


def test_neither_grafts_nor_replacements_change_anything(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    (folder / ".git/info/grafts").write_text(f"{hashes[5]}\n{hashes[9]} {hashes[1]}\n")
    git(folder, "replace", "--graft", hashes[4])
    (folder / ".git/shallow").write_text(f"{hashes[6]}\n")

    assert Checkout(folder).relation(hashes[0], hashes[9]) == (AFTER, "")
    assert Checkout(folder).relation(hashes[8], hashes[3]) == (BEFORE, "")


@pytest.mark.parametrize("how", ["blob:none", "tree:0"])
def test_a_partial_clone_has_all_commits(tmp_path: Path, line: tuple[Path, list[str]], how: str) -> None:
    folder, hashes = line
    git(folder, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", f"--filter={how}", "--no-checkout", folder.as_uri(), str(partial))
    assert "partialclone" in (partial / ".git/config").read_text().lower()

    checkout = Checkout(partial)
    assert checkout.relation(hashes[0], hashes[9]) == (AFTER, "")
    assert checkout.relation(GONE, hashes[9])[0] is UNKNOWN
    assert checkout.resolve("HEAD") == git(partial, "rev-parse", "HEAD")


def test_a_history_that_is_damaged_is_unknown(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    _unpack(folder)
    broken = folder / ".git/objects" / hashes[4][:2] / hashes[4][2:]
    for content in (b"", b"rubbish", broken.read_bytes()[:20]):
        broken.chmod(0o600)
        broken.write_bytes(content)
        told, why = Checkout(folder).relation(hashes[2], hashes[9])
        assert (told, why) == (UNKNOWN, f"The checkout {folder} lacks the commit {hashes[4]}: clone it anew.")
        assert Checkout(folder).relation(hashes[6], hashes[9])[0] is AFTER


def test_a_damaged_pack_is_unknown(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    git(folder, "repack", "-adq")
    (pack,) = (folder / ".git/objects/pack").glob("*.pack")
    content = pack.read_bytes()
    pack.chmod(0o600)
    for spoilt in (content[:40], content[: len(content) // 2], b"\0" * len(content), b"\xff" * len(content)):
        pack.write_bytes(spoilt)
        assert Checkout(folder).relation(hashes[0], hashes[9])[0] in (UNKNOWN, AFTER)
        assert Checkout(folder).relation(hashes[9], hashes[0])[0] in (UNKNOWN, BEFORE)


def test_what_is_no_commit_is_unknown(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    tree = git(folder, "rev-parse", "main^{tree}")
    checkout = Checkout(folder)
    assert checkout.relation(tree, hashes[9])[0] is UNKNOWN
    for other in ("", "main", "HEAD", hashes[0][:10], "x" * 40, "é" * 40, "0" * 64):
        told, why = checkout.relation(hashes[0], other)
        assert told is UNKNOWN
        assert "is not a full hash" in why


def test_wherever_it_is_opened(tmp_path: Path, line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    bare, tree, separate = tmp_path / "bare.git", tmp_path / "tree", tmp_path / "separate"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    git(folder, "worktree", "add", "-q", "--detach", str(tree), hashes[3])
    git(tmp_path, "clone", "-q", f"--separate-git-dir={tmp_path / 'kept'}", str(folder), str(separate))
    shared = tmp_path / "shared"
    git(tmp_path, "clone", "-q", "--shared", "--no-checkout", str(folder), str(shared))
    link = tmp_path / "link"
    link.symlink_to(below)

    for place in (folder, below, str(folder), folder / ".git", bare, bare / "refs", tree, separate, shared, link):
        checkout = Checkout(place)
        assert checkout.relation(hashes[0], hashes[9]) == (AFTER, ""), place
        assert checkout.resolve("HEAD") == (hashes[3] if place == tree else hashes[9]), place


def test_where_there_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "file").write_text("")
    lost = tmp_path / "lost"
    lost.mkdir()
    (lost / ".git").write_text("gitdir: /nowhere/at/all\n")
    for place in (empty, tmp_path / "gone", lost, "\0"):
        with pytest.raises(ConfigurationError, match=r"is not in a Git checkout|cannot be read") as caught:
            Checkout(place)
        assert "--repository-path" in caught.value.hint


def test_names_are_resolved_as_git_does(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    git(folder, "tag", "-a", "-m", "x", "v1", hashes[2])
    git(folder, "tag", "-a", "-m", "x", "again", "v1")
    git(folder, "tag", "light/one", hashes[3])
    git(folder, "branch", "v1", hashes[7])
    git(folder, "branch", "feature/ü#1", hashes[6])
    git(folder, "update-ref", "refs/remotes/origin/away", hashes[5])
    git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/away")
    git(folder, "symbolic-ref", "HEAD", "refs/heads/main")
    packed = Checkout(folder)
    names = [
        "HEAD",
        "main",
        "v1",
        "again",
        "light/one",
        "feature/ü#1",
        "heads/v1",
        "tags/v1",
        "refs/heads/v1",
        "origin",
    ]
    names += ["origin/away", "refs/remotes/origin/away", hashes[4][:8], hashes[4][:12].upper(), hashes[4], "c4"]
    for pack in (False, True):
        if pack:
            git(folder, "pack-refs", "--all")
            git(folder, "repack", "-adq")
            packed = Checkout(folder)
        for name in names:
            assert packed.resolve(name) == git(folder, "rev-parse", f"{name}^{{commit}}"), name
    assert packed.resolve("away") == hashes[5]
    assert packed.resolve(git(folder, "rev-parse", "refs/tags/v1")) == hashes[2]
    assert packed.resolve(GONE.upper()) == GONE


@pytest.mark.parametrize(
    "text", ["", "gone", "v9", "abcd", "main~1", "../../etc/passwd", "a\0b", "x" * 500, "\udc80", "refs/"]
)
def test_a_name_of_nothing_is_told(line: tuple[Path, list[str]], text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no branch, tag or commit of the checkout"):
        Checkout(line[0]).resolve(text)


def test_a_branch_without_a_commit_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(ConfigurationError, match="HEAD is no branch"):
        Checkout(tmp_path).resolve("HEAD")


def test_a_beginning_that_several_have_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    lines = [f"commit refs/heads/main\ncommitter x <x@example.com> {one} +0000\ndata 1\nx" for one in range(1, 1000)]
    git(tmp_path, "fast-import", "--quiet", feed="\n".join([*lines, "done", ""]))
    hashes = git(tmp_path, "rev-list", "main").split()
    first: dict[str, str] = {}
    clash = next(name[:4] for name in hashes if first.setdefault(name[:4], name) != name)

    with pytest.raises(ConfigurationError, match=f"{clash} is the beginning of several commits"):
        Checkout(tmp_path).resolve(clash)


def test_tips_are_those_of_the_remote(tmp_path: Path, line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    git(folder, "tag", "-a", "-m", "x", "v1", hashes[2])
    clone, bare = tmp_path / "clone", tmp_path / "bare"
    git(tmp_path, "clone", "-q", "--branch=main", str(folder), str(clone))
    git(tmp_path, "clone", "-q", "--mirror", str(folder), str(bare))
    git(clone, "update-ref", "refs/heads/main", hashes[1])
    checkout = Checkout(clone)

    assert checkout.tip("refs/heads/main") == hashes[9]
    assert checkout.tip("refs/heads/c3") == hashes[3]
    assert checkout.tip("refs/tags/v1") == hashes[2]
    assert Checkout(bare).tip("refs/heads/c3") == hashes[3]
    for name in ("refs/heads/gone", "refs/tags/gone", "main", "", "refs/pull/1/head", "refs/heads/../../c3"):
        assert checkout.tip(name) == ""
    assert Checkout(folder).tip("refs/heads/main") == ""


def test_urls_come_without_secrets_and_origin_first(line: tuple[Path, list[str]]) -> None:
    folder, _ = line
    git(folder, "remote", "add", "backup", "git@backup.example.com:acme/fleet.git")
    git(folder, "remote", "add", "origin", "https://gitlab-ci-token:s3cr3t@git.example.com/acme/fleet.git")
    git(folder, "remote", "add", "other", "https://git.example.com/acme/fleet.git")

    assert Checkout(folder).urls() == (
        "https://git.example.com/acme/fleet.git",
        "git@backup.example.com:acme/fleet.git",
    )


@pytest.mark.parametrize(
    "config", ["", "[core", "\0", "[core]\n\trepositoryformatversion = 99\n", '[remote "origin"]\n']
)
def test_a_strange_configuration_is_no_trouble(line: tuple[Path, list[str]], config: str) -> None:
    folder, hashes = line
    (folder / ".git/config").write_text(config)

    checkout = Checkout(folder)
    assert checkout.relation(hashes[0], hashes[9]) == (AFTER, "")
    assert checkout.urls() == ()


def test_nothing_that_the_repository_names_is_run(tmp_path: Path, line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    mark = tmp_path / "ran"
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "alias.rev-parse", "uploadpack.packObjectsHook"):
        git(folder, "config", name, f"touch {mark}")
    git(folder, "config", "include.path", str(tmp_path / "fifo"))
    os.mkfifo(tmp_path / "fifo")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (folder / ".git/hooks").mkdir(exist_ok=True)
        (folder / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (folder / ".git/hooks" / hook).chmod(0o755)

    checkout = Checkout(folder)
    assert checkout.relation(hashes[0], checkout.resolve("main"))[0] is AFTER
    assert not mark.exists()


def test_a_repository_of_longer_hashes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    for name in ("one", "two"):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", name)
    one, two = git(tmp_path, "rev-parse", "HEAD~1", "HEAD").split()
    checkout = Checkout(tmp_path)
    told = {checkout.relation(one, two)}
    git(tmp_path, "repack", "-adq")
    told.add(Checkout(tmp_path).relation(one, two))

    assert told == {(AFTER, "")}
    assert checkout.resolve("HEAD") == two
    assert "is not a full hash" in checkout.relation("a" * 40, two)[1]


def test_what_is_fetched_later_is_seen(tmp_path: Path, line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=main", folder.as_uri(), str(shallow))
    checkout = Checkout(shallow)
    assert checkout.relation(hashes[2], hashes[9])[0] is UNKNOWN

    git(shallow, "fetch", "-q", "--unshallow")

    assert checkout.relation(hashes[2], hashes[9]) == (AFTER, "")


def test_several_threads_may_ask(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    checkout = Checkout(folder)
    told: list[Relation] = []
    threads = [
        threading.Thread(target=lambda: told.extend(checkout.relation(hashes[0], one)[0] for one in hashes[1:]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == [AFTER] * 72


def test_python_ends_without_a_word(line: tuple[Path, list[str]]) -> None:
    folder, hashes = line
    asks = f"print(Checkout({str(folder)!r}).relation({hashes[0]!r}, {hashes[9]!r})[0])"
    program = f"from landed.checkout import Checkout; {asks}"
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("after\n", "")


def test_the_library_is_loaded_late() -> None:
    program = "import sys, landed.checkout; print(any(name.startswith('dulwich') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
