"""One stream: whatever ends or spoils a watch, it goes on from where it was, and nothing is lost or made up."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from kube.watching import END, HEAD, SOON, Api, K, chunk, event, eventually, refused
from msgspec.structs import replace

from landed.flux import KINDS, Change, Reader
from landed.kube import wire
from landed.kube.client import Client
from landed.kube.credentials import Credentials, Identity
from landed.kube.errors import Forbidden, NotInstalled
from landed.kube.read import Listed
from landed.kube.watch import Ears, Stream, Times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOOKMARK = {"kind": "Kustomization", "apiVersion": "kustomize.toolkit.fluxcd.io/v1"}


class Watching:
    """A stream of Kustomizations at work, and what it tells."""

    def __init__(self, api: Api, times: Times = SOON, listed: Listed | None = None) -> None:
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.changes: list[Change] = []
        self.renewed = 0
        self.wakes = 0
        ears = Ears(self._heard, self._renewed, self._wake, lambda: Reader(whole=True))
        listed = listed or Listed(KINDS["Kustomization"], "v1", "", {}, str(api.version))
        reader = Reader(whole=True)
        for obj in api.objects[K].values():
            reader.put("Kustomization", event("ADDED", obj))
        self.stream = Stream(api.client(), listed, reader, ears, self.lock, self.stopped, times)
        self.thread = threading.Thread(target=self.stream.run, daemon=True)

    def _heard(self, _: Stream, change: Change) -> None:
        assert self.lock.locked()
        self.changes.append(change)

    def _renewed(self, *_: object) -> None:
        assert self.lock.locked()
        self.renewed += 1

    def _wake(self) -> None:
        assert not self.lock.locked(), "whoever wakes may want to read"
        self.wakes += 1

    def __enter__(self) -> Watching:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.stream.client.abort()
        self.thread.join(10)
        assert not self.thread.is_alive(), "it does not stop"

    def applied(self) -> dict[str, str]:
        with self.lock:
            cluster = self.stream.reader.cluster("prod")
        return {k.ref.name: k.applied for k in cluster.kustomizations}

    def warnings(self) -> tuple[str, ...]:
        with self.lock:
            return self.stream.reader.cluster("prod").warnings


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    made.put(o.kustomization())
    yield made
    for late in made.late.values():
        late.set()
    made.stop()


def sees_what_comes(watching: Watching, api: Api, name: str = "next") -> None:
    """It works, whatever was before."""
    api.put(o.kustomization(name, applied=o.MAIN_B))
    eventually(lambda: watching.applied().get(name) == o.MAIN_B)


def test_what_is_made_changed_and_removed(api: Api) -> None:
    with Watching(api) as watching:
        sees_what_comes(watching, api)
        api.put(o.kustomization("next", applied=o.MAIN_C))
        eventually(lambda: watching.applied() == {"web": o.MAIN_A, "next": o.MAIN_C})
        api.delete(o.kustomization("next"))
        eventually(lambda: watching.applied() == {"web": o.MAIN_A})
        eventually(lambda: watching.wakes == 3)
    (asked,) = api.watches(K)
    assert asked.query["resourceVersion"] == "101"
    assert asked.query["allowWatchBookmarks"] == "true"
    assert int(asked.query["timeoutSeconds"]) in range(24, 37)
    assert len(api.seen) == 1


def test_what_changes_nothing_that_is_read_wakes_nobody(api: Api) -> None:
    with Watching(api) as watching:
        again = o.kustomization()
        again["metadata"]["annotations"] = {"touched": "yes"}
        version = api.put(again)
        eventually(lambda: watching.stream._version == str(version))
        assert watching.wakes == 0


def test_a_bookmark_is_where_it_goes_on_from(api: Api) -> None:
    def remember(_: Any) -> Iterator[bytes]:
        yield HEAD + b"\r\n" + chunk(event("BOOKMARK", {**BOOKMARK, "metadata": {"resourceVersion": "150"}})) + END

    api.faults[K] = [remember]
    with Watching(api) as watching:
        eventually(lambda: len(api.watches(K)) == 2)
        assert api.watches(K)[1].query["resourceVersion"] == "150"
        assert watching.wakes == 0


def test_a_bookmark_that_goes_back_in_time_means_another_history(api: Api) -> None:
    def back(_: Any) -> Iterator[bytes]:
        yield HEAD + b"\r\n" + chunk(event("BOOKMARK", {**BOOKMARK, "metadata": {"resourceVersion": "7"}}))

    api.faults[K] = [back]
    with Watching(api) as watching:
        eventually(lambda: watching.renewed == 1)
        sees_what_comes(watching, api)


def cut_silently(_: Any) -> Iterator[bytes]:
    yield HEAD + b"\r\n" + END


def cut_off(_: Any) -> Iterator[bytes]:
    yield HEAD + b"\r\n"


def half_a_line(_: Any) -> Iterator[bytes]:
    whole = event("ADDED", o.kustomization("half", applied=o.MAIN_D))
    yield HEAD + b"\r\n" + chunk(whole[: len(whole) // 2])


def half_a_line_then_the_end(_: Any) -> Iterator[bytes]:
    whole = event("ADDED", o.kustomization("half", applied=o.MAIN_D))
    yield HEAD + b"\r\n" + chunk(whole[:-2]) + END


def garbage(_: Any) -> Iterator[bytes]:
    yield HEAD + b"\r\n" + chunk(b'\x00\xff{"type": [}\n')


def another_type(_: Any) -> Iterator[bytes]:
    yield HEAD + b"\r\n" + chunk(event("INVENTED", o.kustomization("half")))


def not_http(_: Any) -> Iterator[bytes]:
    yield b"SSH-2.0-OpenSSH\r\n"


def nothing(_: Any) -> Iterator[bytes]:
    return iter(())


def bad_chunk(_: Any) -> Iterator[bytes]:
    yield HEAD + b"\r\nxyz\r\n"


def error_event(code: int, message: str = "oh") -> Callable[[Any], Iterator[bytes]]:
    def answer(_: Any) -> Iterator[bytes]:
        yield HEAD + b"\r\n" + chunk(event("ERROR", {"kind": "Status", "code": code, "message": message})) + END

    return answer


def answer(raw: bytes) -> Callable[[Any], Iterator[bytes]]:
    return lambda _: iter((raw,))


ENDS = {
    "silent": cut_silently,
    "cut off": cut_off,
    "half a line": half_a_line,
    "half a line, clean end": half_a_line_then_the_end,
    "garbage": garbage,
    "another type": another_type,
    "not http": not_http,
    "closed": nothing,
    "bad chunk": bad_chunk,
    "error 500": error_event(500),
    "error 429": error_event(429),
    "429": answer(refused(429)),
    "500": answer(refused(500)),
    "503": answer(b"HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
    "504": answer(refused(504, "Too large resource version")),
}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", ENDS.values(), ids=ENDS)
def test_whatever_ends_a_watch_it_goes_on_from_where_it_was(api: Api, fault: Any, times: int) -> None:
    api.faults[K] = [fault] * times
    with Watching(api) as watching:
        sees_what_comes(watching, api)
        assert watching.applied() == {"web": o.MAIN_A, "next": o.MAIN_B}
        assert {asked.query["resourceVersion"] for asked in api.watches(K)} == {"101"}
        assert api.lists(K) == []
        assert watching.stream.down is None


def test_what_was_missed_comes_with_the_next_watch(api: Api) -> None:
    def change_and_go(_: Any) -> Iterator[bytes]:
        api.put(o.kustomization("meanwhile"))
        return iter(())

    api.faults[K] = [change_and_go]
    with Watching(api) as watching:
        eventually(lambda: "meanwhile" in watching.applied())


GONE = {"status": answer(refused(410, "too old")), "event": error_event(410, "too old resource version")}


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming list", "pages"])
@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_a_version_that_is_forgotten_means_a_list(api: Api, gone: Any, streaming: bool) -> None:
    api.streaming_lists = streaming
    with Watching(api) as watching:
        eventually(lambda: api.watches(K))
        api.faults[K] = [gone]
        api.objects[K].clear()  # removed while nobody looked
        api.put(o.kustomization("other"))
        api.log.clear()
        api.hang_up()
        eventually(lambda: set(watching.applied()) == {"other"})
        eventually(lambda: watching.renewed == 1)
        sees_what_comes(watching, api)
    assert (len(api.lists(K)) == 0) is streaming
    assert watching.wakes >= 2


def test_a_list_that_is_forgotten_again_and_again_is_no_storm(api: Api) -> None:
    api.always[K] = error_event(410)
    with Watching(api, replace(SOON, backoff=0.05, longest=10.0)):
        time.sleep(0.5)
        assert 2 <= len(api.lists(K)) <= 6


def test_a_server_that_closes_at_once_every_time_is_left_alone_for_a_while(api: Api) -> None:
    api.always[K] = cut_silently
    with Watching(api, replace(SOON, backoff=0.05, longest=10.0)):
        time.sleep(0.5)
        assert 2 <= len(api.watches(K)) <= 6


def old_server(asked: Any) -> Iterator[bytes] | None:
    """One that does not know of streaming lists: it sends everything, and no bookmark."""
    if "sendInitialEvents" not in asked.query:
        return None

    def send() -> Iterator[bytes]:
        yield HEAD + b"\r\n" + chunk(event("ADDED", o.kustomization("stray")))
        time.sleep(2)

    return send()


def test_where_the_end_of_a_streaming_list_is_never_said_it_is_listed_by_pages(api: Api) -> None:
    api.faults[K] = [error_event(410), old_server]
    with Watching(api, replace(SOON, initial=0.05)) as watching:
        eventually(lambda: watching.renewed == 1)
        assert watching.applied() == {"web": o.MAIN_A}
        sees_what_comes(watching, api)
        assert len(api.lists(K)) == 1


def test_a_server_that_fails_at_streaming_lists_is_asked_for_pages(api: Api) -> None:
    """As current servers do that have an old etcd behind them."""
    api.faults[K] = [error_event(410), error_event(500, "RequestWatchProgress is disabled")]
    with Watching(api) as watching:
        eventually(lambda: watching.renewed == 1)
        assert len(api.lists(K)) == 1
        sees_what_comes(watching, api)


def test_a_server_that_refuses_the_same_version_again_and_again_is_asked_for_everything(api: Api) -> None:
    api.faults[K] = [answer(refused(504, "Too large resource version"))] * 3
    with Watching(api) as watching:
        eventually(lambda: watching.renewed == 1)
        sees_what_comes(watching, api)


def test_retry_after_is_obeyed(api: Api) -> None:
    api.faults[K] = [answer(refused(429, "busy", Retry_After="1"))]
    with Watching(api):
        eventually(lambda: len(api.watches(K)) == 2)
        first, second = api.watches(K)
        assert second.at - first.at >= 0.99


def test_a_server_that_hangs_is_noticed_and_the_watch_begun_anew(api: Api) -> None:
    release = threading.Event()

    def hang(_: Any) -> Iterator[bytes]:
        yield HEAD + b"\r\n"
        release.wait(20)

    api.faults[K] = [hang]
    try:
        with Watching(api, replace(SOON, lasts=1.0, slack=0.1)) as watching:
            sees_what_comes(watching, api)
            first, second = api.watches(K)[:2]
            assert second.at - first.at >= 1.0
    finally:
        release.set()


def test_a_server_that_is_gone_for_a_while(api: Api) -> None:
    with Watching(api) as watching:
        eventually(lambda: api.watches(K))
        api.stop()
        down = eventually(lambda: watching.stream.down)
        assert down.error.message.startswith('The cluster of context "prod" (127.0.0.1:')
        eventually(lambda: watching.wakes == 1)  # it can be read that nothing is heard
        api.put(o.kustomization("meanwhile"))
        api.start()
        eventually(lambda: "meanwhile" in watching.applied())
        assert watching.stream.down is None
        assert watching.wakes >= 2


def test_a_short_while_wakes_nobody(api: Api) -> None:
    with Watching(api, replace(SOON, patience=60)) as watching:
        eventually(lambda: api.watches(K))
        api.stop()
        eventually(lambda: watching.stream.down)
        api.start()
        eventually(lambda: watching.stream.down is None)
        assert watching.wakes == 0


FORBIDDEN = 'kustomizations.kustomize.toolkit.fluxcd.io is forbidden: User "reader" cannot watch resource'


def test_where_a_watch_is_forbidden_it_is_listed_and_that_is_said_once(api: Api) -> None:
    api.always[K] = answer(refused(403, FORBIDDEN))
    with Watching(api) as watching:
        sees_what_comes(watching, api)
        said = watching.stream.warning
        assert "does not let us watch kustomizations.kustomize.toolkit.fluxcd.io in all namespaces (403)" in said
        assert "--verb=get,list,watch" in said
        assert "--user='reader'" in said
        api.delete(o.kustomization("next"))
        eventually(lambda: "next" not in watching.applied())
        assert watching.wakes == 3
        time.sleep(0.2)
        assert watching.wakes == 3, "a list that brings nothing new wakes nobody"
        assert len(api.watches(K)) == 1


def test_a_watch_that_is_allowed_later_is_used(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landed.kube.watch.LISTS_BEFORE_WATCH", 2)
    api.faults[K] = [answer(refused(403, FORBIDDEN))]
    with Watching(api) as watching:
        eventually(lambda: watching.stream.warning)
        eventually(lambda: not watching.stream.warning)
        sees_what_comes(watching, api)
        assert len(api.lists(K)) == 2


@pytest.mark.parametrize(("code", "kind"), [(403, Forbidden), (404, NotInstalled)])
def test_what_may_be_lacking_is_a_warning_and_tried_again_seldom(api: Api, code: int, kind: Any) -> None:
    api.refusals[K] = [refused(code, FORBIDDEN)]
    listed = Listed(KINDS["Kustomization"], "v1", "", {}, tolerates=(kind,))
    with Watching(api, listed=listed) as watching:
        eventually(lambda: watching.stream.warning)
        eventually(lambda: not watching.stream.warning)
        sees_what_comes(watching, api)


def test_a_kind_whose_version_changes(api: Api) -> None:
    old = "/apis/kustomize.toolkit.fluxcd.io/v1beta2/kustomizations"
    api.objects["/apis/kustomize.toolkit.fluxcd.io"] = {}
    listed = Listed(KINDS["Kustomization"], "v1beta2", "", {}, str(api.version))
    group = json.dumps({"versions": [{"version": "v1"}]}).encode()
    api.refusals["/apis/kustomize.toolkit.fluxcd.io"] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(group) + group
    ]
    api.faults[old] = [answer(refused(404, "no such version"))]
    with Watching(api, listed=listed) as watching:
        sees_what_comes(watching, api)
        assert watching.stream.listed.api == "v1"


def test_what_makes_no_sense_is_a_warning_until_it_does(api: Api) -> None:
    with Watching(api) as watching:
        odd = o.kustomization()
        odd["spec"]["sourceRef"] = 7
        api.put(odd)
        eventually(lambda: watching.wakes == 1)
        assert watching.warnings() == ("Kustomization apps/web: `.spec.sourceRef` is a whole number, expected a map",)
        assert watching.applied() == {}
        api.put(o.kustomization(applied=o.MAIN_B))
        eventually(lambda: watching.applied() == {"web": o.MAIN_B})
        assert watching.warnings() == ()
        api.put({**odd, "metadata": dict(odd["metadata"])})
        eventually(watching.warnings)
        api.delete(odd)
        eventually(lambda: watching.warnings() == ())


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_lines_arrive_however_they_are_cut_and_compressed(size: int) -> None:
    lines = [json.dumps({"text": "ä" * number}, ensure_ascii=False).encode() for number in range(0, 3000, 500)]
    plain = b"".join(line + b"\n" for line in lines)
    for coding, body in ((b"", plain), (b"Content-Encoding: gzip\r\n", gzip.compress(plain))):
        pieces = [body[n : n + size] for n in range(0, len(body), size)]
        ours, theirs = socket.socketpair()
        sender = threading.Thread(target=_send, args=(theirs, [HEAD + coding + b"\r\n", *map(chunk, pieces), END]))
        sender.start()
        connection = wire.Connection(ours)
        try:
            stream = connection.stream(float("inf"))
            assert not isinstance(stream, wire.Answer)
            assert not connection.usable
            assert list(stream) == lines
            assert connection.usable
        finally:
            connection.close()
            sender.join()


def test_a_stream_that_ends_with_its_connection() -> None:
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=_send, args=(theirs, [b"HTTP/1.1 200 OK\r\n\r\n", b"1\n", b"2\n"]))
    sender.start()
    connection = wire.Connection(ours)
    stream = connection.stream(float("inf"))
    assert not isinstance(stream, wire.Answer)
    assert list(stream) == [b"1", b"2"]
    assert not connection.usable
    connection.close()
    sender.join()


def _send(sock: socket.socket, pieces: list[bytes]) -> None:
    with sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            sock.sendall(piece)


def test_a_line_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_LINE", 1000)
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(HEAD + b"\r\n" + chunk(b"x" * 600) * 4)
        connection = wire.Connection(ours)
        stream = connection.stream(float("inf"))
        assert not isinstance(stream, wire.Answer)
        with pytest.raises(ValueError, match="too long"):
            list(stream)
        connection.close()


def test_a_plugin_runs_once_for_all_threads_and_once_more_for_a_refusal() -> None:
    counter = itertools.count(1)

    def obtain() -> Identity:
        time.sleep(0.02)
        return Identity(f"Bearer {next(counter)}")

    credentials = Credentials(obtain, renewable=True)
    shown: list[Identity] = []

    def refused_once() -> None:
        first = credentials.identity()
        assert credentials.renew(first)
        shown.append(credentials.identity())

    first = credentials.identity()
    threads = [threading.Thread(target=refused_once) for _ in range(8)]
    with credentials._lock:  # they all start with the first one
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert first.authorization == "Bearer 1"
    assert {identity.authorization for identity in shown} <= {f"Bearer {number}" for number in range(2, 10)}
    assert credentials.renew(first), "refused long ago: not forgotten again"
    assert next(counter) <= 10


def test_a_twin_shows_the_same_credentials_over_a_connection_of_its_own(api: Api) -> None:
    with api.client() as client:
        twin: Client = client.twin()
        assert twin.endpoint is client.endpoint
        assert twin._credentials is client._credentials
        assert json.loads(twin.get(K))["items"]
        assert client.connections == 0
        twin.close()
