"""A mail server that takes what comes over a login, and a judge of what it got: Python's own reader of messages, and
the rules of https://www.rfc-editor.org/rfc/rfc5322 that this reader does not mind.
"""

from __future__ import annotations

import re
from collections import deque
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from contract.way import Way
from servers.smtp import Mail, Smtp

if TYPE_CHECKING:
    from email.message import EmailMessage

_ONCE = ("From", "To", "Subject", "Message-ID", "Date", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version")
_VOID = {"meta", "br", "img", "hr"}


class Email:
    """On this machine, where a password may go without TLS."""

    channel = "ops@example.com, on-call@example.com"
    username = "landed@example.com"
    password = "pass-of-the-tests-9Qx"

    def __init__(self) -> None:
        self.server = Smtp(mechanisms=("PLAIN",))
        self.address = ""
        self.asked: list[Any] = []
        self.faults: deque[Any] = deque()

    def __enter__(self) -> Email:
        self.server.__enter__()
        self.address = f"smtp://127.0.0.1:{self.server.port}?starttls=off"
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [shown(mail) for mail in self.server.mails]

    @property
    def violations(self) -> list[str]:
        return [problem for mail in self.server.mails for problem in mail_problems(mail)]


def shown(mail: Mail) -> dict[str, Any]:
    """What a reader sees."""
    message = mail.message
    names = ("From", "To", "Cc", "Subject", "Message-ID", "In-Reply-To", "References")
    return {
        **{name: str(message[name] or "") for name in names},
        "text": content(message, "plain"),
        "html": content(message, "html"),
        "recipients": list(mail.recipients),
    }


def content(message: EmailMessage, kind: str) -> str:
    """One of the two alternatives, with newlines as line ends."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def mail_problems(mail: Mail) -> list[str]:
    """What is wrong with a message."""
    message = mail.message
    problems = [f"{part.get_content_type()}: {defect!r}" for part in message.walk() for defect in part.defects]
    problems += [
        f"{len(message.get_all(name, []))} times {name}" for name in _ONCE if len(message.get_all(name, [])) != 1
    ]
    problems += [f"{name}: {value.defects}" for name, value in message.items() if getattr(value, "defects", ())]
    if [part.get_content_type() for part in message.walk()] != ["multipart/alternative", "text/plain", "text/html"]:
        problems.append("it is not plain text and HTML")
    problems += [f"a line of {len(line)}" for line in mail.data.split(b"\r\n") if len(line) > 998]
    if re.search(rb"[^\r]\n|\r[^\n]|[^\x01-\x7f]", mail.data):
        problems.append("bare line ends, or bytes that not every server takes")
    if len(content(message, "html").encode()) > 100_000 or len(mail.data) > 500_000:
        problems.append("so long that its end is hidden")
    if len(str(message["Subject"])) > 200:
        problems.append("a subject that nobody sees all of")
    return problems + html_problems(content(message, "html"))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = {"html", "head", "meta", "title", "body", "div", "table", "tr", "td", "p", "br", "a", "h1"}
        if tag not in allowed:
            self.problems.append(f"the element {tag}")
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href") and not (value or "").startswith("https://")):
                self.problems.append(f"{name}={value}")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> out of place")


def html_problems(text: str) -> list[str]:
    """Elements that are not ours, or not closed, and links to anywhere but https."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.problems + [f"{tag} is not closed" for tag in reader.open]


WAYS = {
    "email": Way(
        "email", "standins.email", "Email", content=(250, b"2.0.0 Ok: queued"), http=False, method="MAIL",
        content_type="message/rfc822", example="smtp://mail.example.com:587", plain=frozenset({"text", "Subject"}),
        calls=("<script", "<b>", "<img", "<a href='http", "<at>"), mention=("ada@example.com", "ada@example.com"),
        misnamed=("ada", "@ada", "ada@", "ada@example.com, eve@example.com",
            "ada@example.com>\r\nBcc: eve@example.com", "Ada <ada@example.com>"),
    ),
}  # fmt: skip
