"""The mirror: listed once, followed from there, and never a source that looks older than what was applied from it."""

from __future__ import annotations

import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube.watching import END, GIT, HEAD, HELM, OCI, SOON, Api, K, chunk, event, eventually, refused
from msgspec.structs import replace

from landed.errors import ClusterError
from landed.flux import Reader
from landed.kube import follow, watch
from landed.kube.read import Reading, read
from landed.model import ObjectRef
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from landed.model import Cluster

FLEET = ObjectRef("GitRepository", "flux-system", "fleet")
HELM_INVENTORY = {"inventory": {"entries": [{"id": "apps_podinfo_helm.toolkit.fluxcd.io_HelmRelease", "v": "v2"}]}}


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    made.put(o.git_repository())
    made.put(o.kustomization())
    yield made
    for late in made.late.values():
        late.set()
    made.stop()


@pytest.fixture
def open_reading(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Reading]]:
    """Gives readings of the API server that are ended in the end."""
    monkeypatch.setattr(follow.Follower.__init__, "__defaults__", (SOON,))
    clients = []

    def begin(selection: Selection = Selection(), wants: Wants = Wants()) -> Reading:  # noqa: B008
        client = api.client()
        clients.append(client)
        return Reading(client, "prod", selection, wants, lambda _: None)

    yield begin
    for client in clients:
        client.__exit__(None, None, None)
    names = ("prod", "again")
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith(names)])


def followed(reading: Reading, wake: Callable[[], None] = lambda: None, since: int = 0) -> Cluster:
    """What is read first, with everything followed from there."""
    first = reading.read(since)
    reading.follow(wake)
    return first


def applied(reading: Reading) -> dict[str, str]:
    return {k.ref.name: k.applied for k in reading.read(0).kustomizations}


def test_it_lists_once_and_then_watches(api: Api, open_reading: Callable[..., Reading]) -> None:
    reading = open_reading()
    first = followed(reading)
    with api.client() as client:
        assert first == read(client, "prod")
    assert reading.read(0) == first
    eventually(lambda: len(api.watches(K)) == len(api.watches(GIT)) == 1)
    assert {asked.query["resourceVersion"] for asked in api.watches(K) + api.watches(GIT)} == {"102"}
    asked = len(api.seen)
    for number in range(50):
        api.put(o.kustomization(f"app-{number}"))
    eventually(lambda: len(reading.read(0).kustomizations) == 51)
    assert len(api.seen) == asked


def test_a_change_wakes_and_can_be_read_then(api: Api, open_reading: Callable[..., Reading]) -> None:
    reading = open_reading()
    found: list[dict[str, str]] = []
    followed(reading, lambda: found.append(applied(reading)))
    api.put(o.kustomization("next"))
    eventually(lambda: found)
    assert "next" in found[0]


def test_following_begins_once_and_whenever_it_is_asked_for(api: Api, open_reading: Callable[..., Reading]) -> None:
    reading = open_reading()
    reading.follow(lambda: None)
    reading.follow(lambda: None)
    reading.read(0)
    reading.read(0)
    eventually(lambda: api.watches(K) and api.watches(GIT))
    assert len(api.watches(K)) == len(api.watches(GIT)) == len(api.lists(K)) == 1


def test_a_cluster_that_cannot_be_listed_at_first(
    api: Api, open_reading: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "AGAIN", 0.02)
    reading = open_reading()
    api.stop()
    with pytest.raises(ClusterError):
        reading.read(0)
    woken = threading.Event()
    reading.follow(woken.set)
    asked = len(api.lists(K))
    with pytest.raises(ClusterError):  # told again, and nobody waits for a cluster that hangs
        reading.read(0)
    assert len(api.lists(K)) == asked
    api.start()
    assert woken.wait(10), "somebody has to try again"
    assert applied(reading) == {"web": o.MAIN_A}
    eventually(lambda: api.watches(K))


def test_only_what_is_selected(api: Api, open_reading: Callable[..., Reading]) -> None:
    reading = open_reading(Selection(kustomizations=("apps/w*",)))
    followed(reading)
    api.put(o.kustomization("other"))
    api.put(o.kustomization("wanted"))
    eventually(lambda: applied(reading) == {"web": o.MAIN_A, "wanted": o.MAIN_A})


def test_what_no_longer_has_the_label_is_gone(api: Api, open_reading: Callable[..., Reading]) -> None:
    api.put(o.kustomization(labels={"team": "a"}))
    reading = open_reading(Selection(label_selector="team=a"))
    followed(reading)
    eventually(lambda: api.watches(K))
    assert {asked.query["labelSelector"] for asked in api.seen if asked.path == K} == {"team=a"}
    api.put(o.kustomization(labels={"team": "b"}), "DELETED")
    eventually(lambda: applied(reading) == {})
    api.put(o.kustomization(labels={"team": "b"}), "MODIFIED")  # from a server that does not select
    api.put(o.kustomization("last", labels={"team": "a"}))
    eventually(lambda: applied(reading) == {"last": o.MAIN_A})


class TestWhatElseIsFollowed:
    def test_another_kind_of_source(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        api.put(o.oci_repository("images"))
        reading = open_reading()
        followed(reading)
        api.put(o.kustomization("next", source_kind="OCIRepository", source="images"))
        ref = ObjectRef("OCIRepository", "flux-system", "images")
        eventually(lambda: ref in reading.read(0).sources)
        eventually(lambda: api.watches(OCI))
        api.put(o.oci_repository("images", revision=o.LATEST_B))
        eventually(lambda: reading.read(0).sources[ref].revision == o.LATEST_B)

    def test_another_namespace(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        def here(path: str, namespace: str) -> str:
            front, _, plural = path.rpartition("/")
            return f"{front}/namespaces/{namespace}/{plural}"

        api.objects[here(K, "apps")] = api.objects[K]
        api.objects[here(GIT, "flux-system")] = api.objects[GIT]
        api.objects[here(GIT, "other")] = {}
        reading = open_reading(Selection(namespaces=("apps",)))
        followed(reading)
        eventually(lambda: api.watches(here(K, "apps")))
        changed = o.kustomization("next", source_namespace="other", applied="")
        api.log.append((api.version + 1, here(K, "apps"), "ADDED", changed))
        changed["metadata"]["resourceVersion"] = str(api.version + 1)
        eventually(lambda: api.watches(here(GIT, "other")))
        assert api.watches(GIT) == api.lists(GIT) == []

    def test_helm_releases_once_an_inventory_has_one(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        api.put(o.helm_release())
        reading = open_reading()
        assert followed(reading).helm_releases == ()
        assert api.lists(HELM) == []
        api.put(o.kustomization(status=HELM_INVENTORY))
        eventually(lambda: len(reading.read(0).helm_releases) == 1)
        assert api.seen[-1].query["labelSelector"] == "kustomize.toolkit.fluxcd.io/namespace"
        eventually(lambda: api.watches(HELM))
        api.delete(o.helm_release())
        eventually(lambda: reading.read(0).helm_releases == ())

    def test_helm_releases_that_are_not_there_are_a_warning_while_they_are_not(
        self, api: Api, open_reading: Callable[..., Reading]
    ) -> None:
        api.put(o.kustomization(status=HELM_INVENTORY))
        reading = open_reading()
        first = followed(reading)
        assert len(first.warnings) == 1
        assert reading.read(0).warnings == first.warnings
        api.objects["/apis/helm.toolkit.fluxcd.io"] = {}
        api.put(o.helm_release())
        eventually(lambda: reading.read(0).helm_releases and not reading.read(0).warnings)


class TestTruth:
    """A Kustomization is heard of before its source."""

    def test_a_source_that_is_behind_is_asked_for(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        api.late[GIT] = threading.Event()
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.kustomization(applied=o.MAIN_B))
        for _ in range(3000):
            cluster = reading.read(0)
            (k,) = cluster.kustomizations
            assert cluster.sources[FLEET].revision == k.applied
            if k.applied == o.MAIN_B:
                break
            time.sleep(0.001)
        assert applied(reading) == {"web": o.MAIN_B}
        asked = [a for a in api.seen if a.path.endswith("/namespaces/flux-system/gitrepositories/fleet")]
        assert len(asked) == 1, "once is enough"
        api.late[GIT].set()
        api.put(o.git_repository(revision=o.MAIN_C))
        eventually(lambda: reading.read(0).sources[FLEET].revision == o.MAIN_C)

    @pytest.mark.parametrize("by", ["attempted", "reconciling"])
    def test_a_revision_that_is_only_tried(self, api: Api, open_reading: Callable[..., Reading], by: str) -> None:
        api.late[GIT] = threading.Event()
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        if by == "attempted":
            api.put(o.kustomization("next", attempted=o.MAIN_B))
        else:
            states = [o.condition(status="Unknown"), o.progress("Building manifests", o.MAIN_B)]
            api.put(o.kustomization("next", conditions=states))
        eventually(lambda: "next" in applied(reading))
        assert reading.read(0).sources[FLEET].revision == o.MAIN_B

    def test_what_a_stream_says_late_does_not_undo_it(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        api.late[GIT] = threading.Event()
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.git_repository(revision=o.MAIN_C))
        api.put(o.kustomization(applied=o.MAIN_C))
        eventually(lambda: reading.read(0).sources[FLEET].revision == o.MAIN_C)
        heard: list[str] = []
        put = Reader.put

        def spy(self: Reader, kind: str, line: bytes) -> Any:
            change = put(self, kind, line)
            if kind == "GitRepository":
                heard.append(reading._follower._streams[1].reader.held(FLEET).revision)  # type: ignore[union-attr]
            return change

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Reader, "put", spy)
            api.late[GIT].set()
            eventually(lambda: len(heard) == 2)
        assert heard == [o.MAIN_C, o.MAIN_C]

    def test_going_back_to_an_earlier_commit(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.kustomization(applied=o.MAIN_B))
        eventually(lambda: applied(reading) == {"web": o.MAIN_B})
        eventually(lambda: reading.read(0).sources[FLEET].revision == o.MAIN_B)
        api.late[GIT] = threading.Event()
        time.sleep(0.05)
        api.put(o.git_repository(revision=o.MAIN_A))
        api.put(o.kustomization(applied=o.MAIN_A))
        eventually(lambda: applied(reading) == {"web": o.MAIN_A})
        assert reading.read(0).sources[FLEET].revision == o.MAIN_A

    def test_a_source_that_is_gone_stays_gone(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        api.late[GIT] = threading.Event()
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.kustomization(applied=o.MAIN_B))
        api.delete(o.git_repository())
        eventually(lambda: applied(reading) == {"web": o.MAIN_B})
        assert reading.read(0).sources == {}
        api.late[GIT].set()
        api.put(o.git_repository("other"))
        other = replace(FLEET, name="other")
        eventually(lambda: list(reading.read(0).sources) == [other])
        api.put(o.git_repository(revision=o.MAIN_C))
        eventually(lambda: set(reading.read(0).sources) == {FLEET, other})

    def test_an_answer_that_does_not_come_is_asked_for_again(
        self, api: Api, open_reading: Callable[..., Reading]
    ) -> None:
        api.late[GIT] = threading.Event()
        where = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/fleet"
        api.refusals[where] = [refused(500)] * 2
        reading = open_reading()
        followed(reading)
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.kustomization(applied=o.MAIN_B))
        eventually(lambda: applied(reading) == {"web": o.MAIN_B})
        assert reading.read(0).sources[FLEET].revision == o.MAIN_B
        assert len([a for a in api.seen if a.path == where]) == 3

    def test_old_revisions_that_were_there_from_the_beginning_are_no_news(
        self, api: Api, open_reading: Callable[..., Reading]
    ) -> None:
        for number in range(40):
            api.put(o.kustomization(f"old-{number}", applied=f"main@sha1:{number:040}"))
        reading = open_reading()
        followed(reading)
        eventually(lambda: api.watches(K) and api.watches(GIT))
        asked = len(api.seen)
        for number in range(40):
            api.put(o.kustomization(f"old-{number}", applied=f"main@sha1:{number:040}", suspend=True))
        eventually(lambda: all(k.suspended for k in reading.read(0).kustomizations if k.ref.name != "web"))
        assert len(api.seen) == asked

    def test_a_storm_of_commits(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        """A source and a Kustomization change as Flux changes them; no look may see the source behind."""
        reading = open_reading()
        followed(reading)
        order = [f"main@sha1:{number:040}" for number in range(60)]
        done = threading.Event()

        def flux() -> None:
            for revision in order:
                api.put(o.git_repository(revision=revision))
                api.put(o.kustomization(applied=revision))
            done.set()

        writer = threading.Thread(target=flux)
        writer.start()
        number = {o.MAIN_A: -1} | {revision: n for n, revision in enumerate(order)}
        while not done.is_set() or applied(reading)["web"] != order[-1]:
            cluster = reading.read(0)
            (k,) = cluster.kustomizations
            assert number[cluster.sources[FLEET].revision] >= number[k.applied]
        writer.join()


class TestUnreachable:
    def test_it_says_so_after_a_while_and_recovers(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        woken: list[float] = []
        reading = open_reading()
        first = followed(reading, lambda: woken.append(time.monotonic()))
        eventually(lambda: api.watches(K) and api.watches(GIT))
        api.stop()
        assert reading.read(0) == first, "a server that is restarted is no news"
        eventually(lambda: woken)
        with pytest.raises(
            ClusterError, match=r"Nothing new is known of it since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\."
        ):
            reading.read(0)
        woken.clear()
        api.put(o.kustomization("meanwhile"))
        api.start()
        eventually(lambda: woken)
        eventually(lambda: all(stream.down is None for stream in reading._follower._streams))  # type: ignore[union-attr]
        eventually(lambda: "meanwhile" in applied(reading))

    def test_expired_and_changed_meanwhile(self, api: Api, open_reading: Callable[..., Reading]) -> None:
        reading = open_reading()
        followed(reading)
        eventually(lambda: api.watches(K) and api.watches(GIT))
        expired = lambda _: iter((HEAD + b"\r\n" + chunk(event("ERROR", {"code": 410})) + END,))  # noqa: E731
        api.faults = {K: [expired], GIT: [expired]}
        api.put(o.git_repository(revision=o.MAIN_B))
        api.put(o.kustomization("new", applied=o.MAIN_B))
        api.delete(o.kustomization())
        api.log.clear()
        api.hang_up()
        eventually(lambda: applied(reading) == {"new": o.MAIN_B})
        assert reading.read(0).sources[FLEET].revision == o.MAIN_B


SNAPSHOTS = st.lists(st.tuples(st.sampled_from([o.MAIN_A, o.MAIN_B, o.MAIN_C]), st.integers(0, 50)), max_size=5).map(
    lambda pairs: [o.snapshot(revision, at=f"2026-08-20T09:00:{at:02}Z") for revision, at in pairs]
)


@given(SNAPSHOTS, st.sampled_from([o.MAIN_A, o.MAIN_B]), st.integers(0, 50), st.booleans(), st.booleans())
def test_histories_are_cut_as_if_they_had_been_listed(
    history: list[Any], attempted: str, second: int, before: bool, rollout: bool
) -> None:
    since = 0 if before else 1787216400 + second  # 2026-08-20T09:00:00Z
    line = event("ADDED", o.kustomization(attempted=attempted, history=history))
    page = b'{"items": [' + line[len(b'{"type": "ADDED", "object": ') : -2] + b"]}"
    wants = Wants(rollout=rollout)
    listed = Reader(Selection(), since, wants=wants)
    listed.take("Kustomization", page)
    watched = Reader(Selection(), 0, wants=wants, whole=True)
    watched.put("Kustomization", line)
    assert watched.cluster("prod", since).kustomizations == listed.cluster("prod").kustomizations
    assert watched.cluster("prod", since).seen >= listed.cluster("prod").seen


def test_how_far_a_look_reaches(api: Api, open_reading: Callable[..., Reading]) -> None:
    reading = open_reading()
    first = followed(reading)
    later = o.snapshot(o.MAIN_B, at=o.LATER)
    api.put(o.kustomization(applied=o.MAIN_B, history=[later, o.snapshot(o.MAIN_A)]))
    eventually(lambda: applied(reading) == {"web": o.MAIN_B})
    assert reading.read(0).seen > first.seen
    (k,) = reading.read(first.seen + 1).kustomizations
    assert [snapshot.revision for snapshot in k.history] == [o.MAIN_B]
    (k,) = reading.read(first.seen).kustomizations
    assert [snapshot.revision for snapshot in k.history] == [o.MAIN_B, o.MAIN_A]
    api.delete(o.kustomization())
    eventually(lambda: not reading.read(0).kustomizations)
    assert reading.read(0).seen > first.seen


@pytest.mark.slow
def test_ten_thousand_events_take_no_room() -> None:
    """Revisions, messages, labels, names and transition times that never come again."""
    reader = Reader(Selection(), 0, wants=Wants(details=True, rollout=True), whole=True)
    tracemalloc.start()
    try:
        sizes = []
        for number in range(10_000):
            states = [o.condition(message=f"said {number}", reason=f"Reason{number}", since=_at(number))]
            obj = o.kustomization(
                f"app-{number % 20}",
                applied=f"main@sha1:{number:040}",
                conditions=states,
                labels={f"label-{number}": "x"},
                source=f"fleet-{number}",
            )
            reader.put("Kustomization", event("MODIFIED", obj))
            if number % 2_000 == 1_999:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(list(reader.objects("Kustomization"))) == 20
    assert max(sizes) < 8_000_000
    assert sizes[-1] < sizes[0] + 1_000_000


def _at(number: int) -> str:
    hours, minutes = divmod(number // 60, 60)
    return f"2026-08-{1 + hours // 24:02}T{hours % 24:02}:{minutes:02}:{number % 60:02}Z"


def test_a_stream_too_many_is_said(
    api: Api, open_reading: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST_STREAMS", 1)
    reading = open_reading()
    followed(reading)
    assert "not everything is followed" in reading.read(0).warnings[0]


def test_the_usual_times_are_what_is_promised() -> None:
    usual = watch.Times()
    assert usual.longest == 30
    assert usual.patience <= 5
