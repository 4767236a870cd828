"""HTTP, byte by byte: judged by ``http.client``, and fed rubbish."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.kube import wire


def answer(raw: bytes) -> tuple[wire.Answer, bool]:
    """What we read of ``raw``, and whether another request may follow."""
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=_send, args=(theirs, raw))
    sender.start()
    connection = wire.Connection(ours)
    try:
        return connection.answer(float("inf")), connection.usable
    finally:
        connection.close()
        sender.join()


def _send(sock: socket.socket, raw: bytes) -> None:
    with sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(raw)


def judged(raw: bytes) -> tuple[int, bytes, bool]:
    """The same as the standard library reads it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(ours)
        response.begin()
        with response:
            body = response.read()
            return response.status, body, not response.will_close


HEAD = b"HTTP/1.1 200 OK\r\n"
SOUND = {
    "length": HEAD + b"Content-Length: 2\r\n\r\n{}",
    "empty": HEAD + b"Content-Length: 0\r\n\r\n",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
    "chunked with trailers": HEAD + b"Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    "until the end": HEAD + b"\r\n{}",
    "closing": HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no reason": b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "go on first": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}",
    "bare newlines": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
}


@pytest.mark.parametrize("raw", SOUND.values(), ids=SOUND)
def test_it_reads_what_the_standard_library_reads(raw: bytes) -> None:
    ours, usable = answer(raw)
    assert (ours.status, ours.body, usable) == judged(raw)


@given(st.binary(max_size=5000), st.booleans(), st.booleans())
def test_whatever_is_sent_arrives(body: bytes, chunked: bool, zipped: bool) -> None:
    sent = gzip.compress(body) if zipped else body
    coding = b"Content-Encoding: gzip\r\n" if zipped else b""
    if chunked:
        pieces = [sent[n : n + 700] for n in range(0, len(sent), 700)]
        raw = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        raw = HEAD + coding + b"Transfer-Encoding: chunked\r\n\r\n" + raw + b"0\r\n\r\n"
    else:
        raw = HEAD + coding + b"Content-Length: %d\r\n\r\n" % len(sent) + sent
    assert answer(raw)[0].body == body


REFUSED = (wire.NotHTTP, wire.CutOff, wire.HungUp, ValueError, zlib.error)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        pytest.param(b"", wire.HungUp, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", wire.NotHTTP, id="another-protocol"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", wire.NotHTTP, id="no-status"),
        pytest.param(HEAD + b"nonsense\r\n\r\n", wire.NotHTTP, id="no-header"),
        pytest.param(HEAD + b"Content-Length: 2\r\n", wire.CutOff, id="cut-in-the-head"),
        pytest.param(HEAD + b"Content-Length: 3\r\n\r\n{}", wire.CutOff, id="cut-in-the-body"),
        pytest.param(HEAD + b"Content-Length: -3\r\n\r\n{}", wire.NotHTTP, id="bad-length"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", wire.NotHTTP, id="bad-chunk-size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", wire.NotHTTP, id="negative-chunk-size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}}", wire.NotHTTP, id="bad-chunk-end"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", wire.CutOff, id="cut-between-chunks"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", wire.CutOff, id="cut-in-the-trailers"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", zlib.error, id="not-gzip"),
        pytest.param(
            HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n" + gzip.compress(b"{}")[:9],
            wire.CutOff,
            id="gzip-cut",
        ),
        pytest.param(HEAD + b"X: " + b"x" * (1 << 19) + b"\r\n\r\n", REFUSED, id="endless-head"),
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes, error: type[Exception] | tuple[type[Exception], ...]) -> None:
    with pytest.raises(error):
        answer(raw)


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda rest: HEAD + rest),
        st.sampled_from(list(SOUND.values())).flatmap(lambda raw: st.integers(0, len(raw)).map(lambda end: raw[:end])),
    )
)
def test_no_bytes_make_it_stumble(raw: bytes) -> None:
    with contextlib.suppress(*REFUSED):
        answer(raw)


@pytest.mark.parametrize(
    ("target", "value"),
    [("/a b", b"x"), ("/a\r\nX: y", b"x"), ("/a", b"x\r\nY: z"), ("/ä", b"x")],
    ids=["blank", "line-break", "header-line-break", "not-ascii"],
)
def test_nothing_can_be_slipped_into_a_request(target: str, value: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = wire.Connection(ours)
        with pytest.raises(ValueError, match=r"."):
            connection.request("GET", target, [("X", value)], None)
        connection.close()
        assert theirs.recv(10) == b""
