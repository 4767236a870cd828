"""OpenTelemetry from a Provider manifest to a receiver that others have written, and what they read of it."""

from __future__ import annotations

import socket
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest
from manifest_runs import APP, Rollout
from objects import MAIN_A, MAIN_B, MAIN_C, MAIN_D
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from oteltap.oteltap_core import OtelTapCore, OtelTapFlags
from standins.otel import attributes, span_problems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK, ERROR, UNSET = Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET


class Tap(NamedTuple):
    """A receiver of OTLP/HTTP that is written in Rust."""

    address: str
    handle: int

    def spans(self) -> list[Span]:
        """All that has come since this was asked last."""
        found = []
        while (data := OtelTapCore.oteltap_poll_trace(self.handle, 100)[1]) is not None:
            found.append(Span.FromString(data))
        return found


@pytest.fixture
def tap() -> Iterator[Tap]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    status, handle = OtelTapCore.oteltap_start_receiving_http_protobuf(port, OtelTapFlags.NONE, None, None, None)
    assert status == 0
    yield Tap(f"http://127.0.0.1:{port}", handle)
    OtelTapCore.oteltap_stop_receiving(handle)


def test_a_trace_for_each_commit_and_a_span_for_all_that_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tap: Tap
) -> None:
    Rollout(tmp_path, monkeypatch, {}, type="otel", address=tap.address).all_situations()

    spans = tap.spans()
    assert [problem for span in spans for problem in span_problems(span)] == []
    said = {span.span_id: attributes(span.attributes) for span in spans}
    commits = [said[span.span_id]["vcs.ref.head.revision"] for span in spans]
    of_objects = [
        (span.status.code, commit) for span, commit in zip(spans, commits, strict=True) if span.parent_span_id
    ]
    b, c, d = (revision.rpartition(":")[2] for revision in (MAIN_B, MAIN_C, MAIN_D))
    # The failure that came later is a part of the commit's own span.
    assert Counter(of_objects) >= Counter([(OK, b), (ERROR, b), (OK, c), (UNSET, d)])
    assert len({(span.trace_id, commit) for span, commit in zip(spans, commits, strict=True)}) == 3
    roots = {span.trace_id: span.span_id for span in spans if not span.parent_span_id}
    assert all(
        roots[span.trace_id] == span.parent_span_id for span in spans if span.parent_span_id and span.trace_id in roots
    )
    assert "timeout waiting for" in next(s for s in spans if s.status.code == ERROR).status.message


def test_a_second_run_with_nothing_new_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tap: Tap) -> None:
    rollout = Rollout(tmp_path, monkeypatch, {}, type="otel", address=f"{tap.address}/v1/traces")
    before = (APP.fetched(MAIN_A), APP.live(MAIN_A, since=300))
    after = (APP.fetched(MAIN_B), APP.unhealthy(MAIN_B, MAIN_B, since=15))
    assert [rollout.report(*objects) for objects in (before, after)] == [0, 0]
    assert len(tap.spans()) == 2
    assert rollout.report(*after) == 0
    assert tap.spans() == []
