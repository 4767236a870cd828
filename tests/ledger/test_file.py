from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.errors import ConfigurationError
from landed.ledger import ledger
from landed.ledger.file import FileLedger
from landed.ledger.format import MOST_BYTES_READ, decode, encode
from landed.model import Mark
from landed.told import Entry, Told


class Said(list[str]):
    """Collects what the ledger says."""


def opened(path: Path, *, timeout: float = 5.0) -> tuple[FileLedger, Said]:
    said = Said()
    return FileLedger(str(path), lock_timeout=timeout, warn=said.append, progress=said.append), said


def mark(commit: str) -> Mark:
    return Mark("acme/fleet flux/prod", commit, "success", (commit,))


def remember(path: Path, commit: str) -> None:
    """A whole run that tells one commit."""
    book, said = opened(path)
    with book.open() as told:
        told.record("github.com", mark(commit), 1)
        book.save(told)
    assert said == []


def commits(told: Told) -> list[str]:
    return [entry.commit for lines in told.destinations.values() for held in lines.values() for entry in held]


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


# ── the registry ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_path_is_a_file(tmp_path: Path, scheme: str) -> None:
    remember(tmp_path / "ledger.json", "a")
    said = Said()
    assert commits(ledger(f"{scheme}{tmp_path}/ledger.json", warn=said.append, progress=said.append).peek()) == ["a"]


@pytest.mark.parametrize(
    ("location", "message", "hint"),
    [
        ("redus://host/0", "unknown scheme", "file://"),
        ("", "names no place", "--ledger a path"),
        ("file://", "names no place", "--ledger a path"),
        ("a\0b", "names no place", "--ledger a path"),
    ],
)
def test_a_location_that_is_none_is_refused(location: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        ledger(location, warn=print, progress=print)
    assert hint in caught.value.hint


# ── reading and writing ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_saved_is_there_in_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.json"
    remember(path, "a")
    remember(path, "b")
    book, said = opened(path)
    with book.open() as told:
        assert commits(told) == ["a", "b"]
    assert commits(book.peek()) == ["a", "b"]
    assert said == []
    assert names(path.parent) == {"ledger.json", "ledger.json.lock"}


def test_a_relative_path_is_taken_from_where_the_run_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    book, said = opened(Path(".landed/ledger.json"))
    monkeypatch.chdir("/")
    with book.open() as told:
        told.serve("slack")
        book.save(told)
    assert (tmp_path / ".landed" / "ledger.json").exists()
    assert said == []


def test_a_missing_ledger_is_empty_without_a_word(tmp_path: Path) -> None:
    book, said = opened(tmp_path / "ledger.json")
    with book.open() as told:
        assert told == Told()
        book.save(told)
    assert book.peek() == Told()
    assert said == []
    assert names(tmp_path) == {"ledger.json.lock"}, "nothing to remember, nothing written"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_cache_step_can_read_everything_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "one" / "two" / "ledger.json"
    before = os.umask(umask)
    try:
        remember(path, "a")
        remember(path, "b")
    finally:
        os.umask(before)
    for name in (path, Path(f"{path}.lock")):
        assert stat.S_IMODE(name.stat().st_mode) == 0o644
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_mode_of_a_folder_that_was_there_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    remember(tmp_path / "mine" / "ledger.json", "a")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    os.utime(path, ns=(1, 1))
    os.utime(tmp_path, ns=(1, 1))
    before = path.stat()
    book, _ = opened(path)
    with book.open() as told:
        book.save(told)
        book.save(told)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert tmp_path.stat().st_mtime_ns == 1, "no temporary file came and went"


def test_a_ledger_laid_out_by_hand_is_not_rewritten_for_that(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    by_hand = b'{"version":1,"destinations":{"slack":{}}}'
    path.write_bytes(by_hand)
    book, _ = opened(path)
    with book.open() as told:
        book.save(told)
        assert path.read_bytes() == by_hand
        told.serve("github.com")
        book.save(told)
    assert path.read_bytes() == encode(Told({"slack": {}, "github.com": {}}))


def test_every_save_of_a_run_counts(tmp_path: Path) -> None:
    book, _ = opened(tmp_path / "ledger.json")
    with book.open() as told:
        for commit in "abc":
            told.record("github.com", mark(commit), 1)
            book.save(told)
            assert commits(book.peek()) == commits(told)


def test_a_symbolic_link_is_written_through_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.json"
    link = tmp_path / "ledger.json"
    link.symlink_to(target)
    remember(link, "a")
    remember(link, "b")
    assert link.is_symlink()
    assert commits(decode(target.read_bytes())) == ["a", "b"]
    assert names(target.parent) == {"real.json", "real.json.lock"}


def test_what_killed_runs_left_behind_is_swept(tmp_path: Path) -> None:
    (tmp_path / "ledger.json.0123abcd.tmp").write_text("half")
    for name in ("ledger.json.tmp", "ledger.json.0123abcd.tmp.txt", "other.json.0123abcd.tmp"):
        (tmp_path / name).write_text("not ours")
    remember(tmp_path / "ledger.json", "a")
    assert names(tmp_path) == {
        "ledger.json", "ledger.json.lock", "ledger.json.tmp", "ledger.json.0123abcd.tmp.txt", "other.json.0123abcd.tmp",
    }  # fmt: skip


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DAMAGED = [
    pytest.param(b"", "damaged", "is empty", id="empty"),
    pytest.param(encode(Told({"slack": {}}))[:-9], "damaged", "cut short or not JSON", id="truncated"),
    pytest.param(b"# notes\n", "damaged", "cut short or not JSON", id="not JSON"),
    pytest.param(b'{"name": "web"}', "damaged", "not a ledger", id="foreign JSON"),
    pytest.param(b'{"version": 1, "destinations": 7}', "damaged", "not a ledger", id="wrong types"),
    pytest.param(b'{"version": 2}', "newer", "version 2, this landed knows version 1", id="newer version"),
]


@pytest.mark.parametrize(("raw", "kind", "why"), DAMAGED)
def test_a_damaged_ledger_is_put_aside_with_a_warning(tmp_path: Path, raw: bytes, kind: str, why: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(raw)
    book, said = opened(path)
    with book.open() as told:
        assert told == Told()
        told.serve("slack")
        book.save(told)
    (aside,) = names(tmp_path) - {"ledger.json", "ledger.json.lock"}
    assert re.fullmatch(rf"ledger\.json\.{kind}-\d{{8}}T\d{{6}}Z", aside)
    assert (tmp_path / aside).read_bytes() == raw
    assert decode(path.read_bytes()).knows("slack")
    assert len(said) == 1
    assert all(part in said[0] for part in (str(path), why, aside))


def test_an_earlier_damaged_ledger_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    contents = [b"one", b"two", b"three", b"four"]
    for content in contents:
        path.write_bytes(content)
        with opened(path)[0].open():
            assert not path.exists()
    kept = [entry for entry in tmp_path.iterdir() if entry.name != "ledger.json.lock"]
    assert sorted(entry.read_bytes() for entry in kept) == sorted(contents)


def test_a_ledger_too_large_is_put_aside_unread(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES_READ + 1)
    book, said = opened(path)
    with book.open() as told:
        assert told == Told()
    assert "larger than 64 MiB" in said[0]
    (aside,) = names(tmp_path) - {"ledger.json.lock"}
    assert (tmp_path / aside).stat().st_size == MOST_BYTES_READ + 1


@pytest.mark.parametrize(("raw", "kind", "why"), DAMAGED)
def test_peeking_at_a_damaged_ledger_moves_nothing(tmp_path: Path, raw: bytes, kind: str, why: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(raw)
    book, said = opened(path)
    assert book.peek() == Told()
    assert why in said[0]
    assert names(tmp_path) == {"ledger.json"}
    assert path.read_bytes() == raw


def test_peeking_makes_nothing(tmp_path: Path) -> None:
    book, said = opened(tmp_path / "folder" / "ledger.json")
    assert book.peek() == Told()
    assert names(tmp_path) == set()
    assert said == []


def test_peeking_does_not_wait_for_another_run(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    with opened(path)[0].open():
        assert commits(opened(path)[0].peek()) == ["a"]


@settings(max_examples=200)  # each one takes milliseconds
@given(raw=st.binary(max_size=200))
def test_any_file_is_a_ledger_or_a_warning(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "ledger.json").write_bytes(raw)
    book, said = opened(folder / "ledger.json")
    with book.open() as told:
        assert said or encode(told)
        told.serve("slack")
        book.save(told)
        assert book.peek() == told
    assert all("ledger.json" in line for line in said)
    shutil.rmtree(folder)


# ── replaced under us ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_somebody_else_stored_meanwhile_is_not_erased(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    book, said = opened(path)
    with book.open() as told:
        path.write_bytes(encode(Told({"slack": {"line": [Entry("theirs", "success", 7)]}})))  # a cache is restored
        told.record("github.com", mark("ours"), 2)
        before = encode(told)
        book.save(told)
        assert encode(told) == before, "the run's own view is left alone"
        assert commits(book.peek()) == ["theirs", "a", "ours"]
        told.record("github.com", mark("later"), 3)
        book.save(told)
    assert commits(book.peek()) == ["theirs", "a", "ours", "later"]
    assert said == []


def test_a_newer_acknowledgement_of_somebody_else_stands(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    book, _ = opened(path)
    with book.open() as told:
        path.write_bytes(encode(Told({"github.com": {mark("a").line: [Entry("a", "failure X", 9)]}})))
        book.save(told)
    latest = book.peek().latest("github.com", mark("a").line)
    assert latest == Entry("a", "failure X", 9)


def test_a_ledger_that_vanished_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    book, _ = opened(path)
    with book.open() as told:
        path.unlink()
        book.save(told)
    assert commits(book.peek()) == ["a"]


def test_a_ledger_damaged_meanwhile_is_put_aside_and_ours_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    book, said = opened(path)
    with book.open() as told:
        path.write_bytes(b"rubbish")
        book.save(told)
    assert commits(book.peek()) == ["a"]
    assert "not JSON" in said[0]
    assert len(names(tmp_path)) == 3


def test_each_opening_starts_from_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    book, _ = opened(path)
    for commit in "ab":
        with book.open() as told:
            told.record("github.com", mark(commit), 1)
            book.save(told)
    assert commits(book.peek()) == ["a", "b"]


# ── places that cannot be used ──────────────────────────────────────────────────────────────────────────────────────


def refused(path: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught, opened(path)[0].open():
        pytest.fail("it was opened")
    assert caught.value.exit_code == 2
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path).message
    with pytest.raises(ConfigurationError, match="is a directory"):
        opened(tmp_path)[0].peek()
    assert names(tmp_path) == set()


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "ledger.json", tmp_path / "file" / "deeper" / "ledger.json"):
        assert "a part of its path is a file" in refused(path).message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger.json")
    assert "not a regular file" in refused(tmp_path / "ledger.json").message
    with pytest.raises(ConfigurationError, match="not a regular file"):
        opened(tmp_path / "ledger.json")[0].peek()


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").symlink_to("ledger.json")
    assert "symbolic link" in refused(tmp_path / "ledger.json").message


def test_a_planted_lock_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "ledger.json.lock").symlink_to(victim)
    assert "symbolic link" in refused(tmp_path / "ledger.json").message
    assert victim.read_text() == "precious"


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path / ("x" * 254)).message


def test_a_kernel_file_system_is_refused() -> None:
    assert refused(Path("/proc/sys/ledger.json"))


def _as_nobody(path: Path, action: str) -> subprocess.CompletedProcess[str]:
    """Run ``action`` on a ledger as a user who may do little."""
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from landed.errors import ConfigurationError
from landed.ledger.file import FileLedger
os.setgid(65534); os.setuid(65534)
book = FileLedger({str(path)!r}, warn=print, progress=print)
try:
    {action}
except ConfigurationError as error:
    print(error.message, error.hint, sep="\\n")
    sys.exit(error.exit_code)
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def _open_up(tmp_path: Path) -> None:
    """pytest's folders are closed to others; nobody must get as far as ours."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and folder != Path("/"):
            folder.chmod(0o755)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


@needs_root
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_not_ours_is_refused_before_anything_is_sent(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "ledger.json"
    if there:
        remember(path, "a")
        Path(f"{path}.lock").chmod(0o666)
        path.chmod(0o666)
    _open_up(tmp_path)
    run = _as_nobody(path, "with book.open(): print('sent')")
    assert run.returncode == 2, run
    assert "permission denied (this process is user 65534)" in run.stdout
    assert str(path) in run.stdout
    assert "sent" not in run.stdout.replace("nothing was sent", "")


@needs_root
def test_a_ledger_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    remember(path, "a")
    path.chmod(0o600)
    _open_up(tmp_path)
    run = _as_nobody(path, "book.peek()")
    assert run.returncode == 2, run
    assert "cannot be read: permission denied" in run.stdout


def _mounted(options: str, source: str, target: Path) -> bool:
    command = ["mount", "-n", *options.split(), source, str(target)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_read_only_file_system_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    if not _mounted("-t tmpfs -o ro", "none", place):
        pytest.skip("needs the right to mount")
    try:
        assert "read-only" in refused(place / "ledger.json").message
        assert "read-only" in refused(place / "deeper" / "ledger.json").message
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_file_system_is_told_and_leaves_the_old_ledger(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    if not _mounted("-t tmpfs -o size=64k", "none", place):
        pytest.skip("needs the right to mount")
    try:
        path = place / "ledger.json"
        remember(path, "a")
        book, _ = opened(path)
        with book.open() as told:
            told.record("github.com", mark("b" * 100_000), 2)
            with pytest.raises(ConfigurationError, match="no space is left") as caught:
                book.save(told)
        assert "told once more" in caught.value.hint
        assert commits(book.peek()) == ["a"]
        assert names(place) == {"ledger.json", "ledger.json.lock"}
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_file_that_is_a_mount_of_its_own_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    if not _mounted("-t tmpfs", "none", place):
        pytest.skip("needs the right to mount")
    try:
        (place / "ledger.json").write_bytes(encode(Told()))
        target = tmp_path / "ledger.json"
        target.write_text("")
        assert _mounted("--bind", str(place / "ledger.json"), target)
        try:
            assert "Mount the folder" in refused(target).hint
        finally:
            subprocess.run(["umount", str(target)], check=True)
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod"])
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EBUSY, "mount of its own"),
        (errno.EIO, "Input/output error"),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else "",
)
def test_a_failing_disk_is_told_and_leaves_the_old_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, why: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "ledger.json"
    remember(path, "a")
    book, _ = opened(path)
    with book.open() as told:
        told.record("github.com", mark("b"), 2)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fails)
            with pytest.raises(ConfigurationError, match=f"cannot be written: .*{why}"):
                book.save(told)
        assert commits(book.peek()) == ["a"]
        book.save(told)
    assert commits(book.peek()) == ["a", "b"]
    assert names(tmp_path) == {"ledger.json", "ledger.json.lock"}


def test_a_file_system_without_unnamed_files_and_modes_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no modes here")

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "fchmod", refuses)
    remember(tmp_path / "ledger.json", "a")
    assert names(tmp_path) == {"ledger.json", "ledger.json.lock"}


def test_a_crash_of_the_run_frees_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    with pytest.raises(ZeroDivisionError), opened(path)[0].open():
        raise ZeroDivisionError
    with opened(path, timeout=0)[0].open():
        pass


def test_a_killed_run_frees_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover — it dies before it could tell
        with opened(path)[0].open():
            os.write(writer, b"x")
            signal.pause()
    assert os.read(reader, 1) == b"x"
    with pytest.raises(ConfigurationError, match=f"pid {pid}"), opened(path, timeout=0)[0].open():
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with opened(path, timeout=0)[0].open():
        pass
    os.close(reader)
    os.close(writer)


def test_a_damaged_ledger_that_cannot_be_put_aside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    (tmp_path / "ledger.json").write_text("rubbish")
    monkeypatch.setattr(os, "rename", fails)
    assert "mount of its own" in refused(tmp_path / "ledger.json").message
    assert (tmp_path / "ledger.json").read_text() == "rubbish"


def test_without_locks_the_ledger_works_and_sweeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuses)
    (tmp_path / "ledger.json.0123abcd.tmp").write_text("of a run that may be alive")
    book, said = opened(tmp_path / "ledger.json")
    with book.open() as told:
        told.record("github.com", mark("a"), 1)
        book.save(told)
    assert commits(book.peek()) == ["a"]
    assert len(said) == 1
    assert (tmp_path / "ledger.json.0123abcd.tmp").exists()
