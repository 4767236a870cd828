"""E-mail: one message for each look, as plain text and as HTML. All messages about a commit are one conversation.

https://www.rfc-editor.org/rfc/rfc5322 ; ``providers.doors.smtp`` brings it to a mail server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import Request, Response, not_taken
from landed.messages import Message, Passage, facts, identity, linkable, message, one_line, within
from landed.model import Channel, Digest, Secret, State
from landed.providers.interface import Complaint, Said, wanted
from landed.render import cut
from landed.revision import loopback

if TYPE_CHECKING:
    from email.message import EmailMessage

#: Characters of a subject that people still see.
SUBJECT_LIMIT = 150
_TITLE_LIMIT, _FACT_LIMIT, _LINK_LIMIT = 300, 600, 1000
#: Characters of all details: well below the 102 KB of HTML from which on Gmail hides the end.
_BODY_BUDGET = 12_000
_PASSAGES, _FACTS = 15, 20
#: A header must not get long without end: conversations that one message continues, people who are called.
_THREADS, _CALLED = 10, 10

PORTS = {"smtp": 587, "smtps": 465}
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: What every mail server takes as an address without quotes: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2
ADDRESS = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_NAME}(?:\.{_NAME})*"

_WRITE = "Write it as smtp://mail.example.com, or smtps://mail.example.com, with a port where it is not 587 or 465."


class Server(Struct, frozen=True):
    """What an address says: ``smtp://mail.example.com:587?from=flux@example.com&starttls=off``."""

    host: str
    port: int
    tls: str
    """``at once``, ``starttls`` or ``none``."""
    sender: str = ""
    rest: bool = False
    """Whether there is something in it that is not understood."""


def server(channel: Channel) -> Server:
    """The server that ``channel`` is about. Its address was looked at: it has a host and one of the schemes."""
    parts = urlsplit(channel.address.reveal())
    # Not a form: a plus sign is itself, as addresses have it.
    given = {unquote(name): unquote(value) for name, _, value in (p.partition("=") for p in _split(parts.query))}
    off = given.get("starttls") == "off" and parts.scheme == "smtp"
    rest = "@" in parts.netloc or parts.path not in ("", "/") or bool(parts.fragment)
    rest = rest or bool(set(given) - {"from", "starttls"}) or given.get("starttls", "on") not in ("on", "off")
    tls = "at once" if parts.scheme == "smtps" else "none" if off else "starttls"
    return Server(parts.hostname or "", parts.port or PORTS.get(parts.scheme, 587), tls, given.get("from", ""), rest)


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message, whose ``Date`` the door adds. Its headers say in ``Mail-From`` and ``Rcpt-To`` who it is from and
    for; whom ``Rcpt-Too`` names may be refused without harm.

    Sent again, it has the same Message-ID. Raises DeliveryError where sender or recipients cannot be used.
    """
    digest = wanted(Digest, payload)
    if not digest.stories:
        return ()
    service, sender, to = channel.called("E-mail"), _sender(channel), recipients(channel)
    if not (_is_address(sender) and to and all(map(_is_address, to))):
        raise DeliveryError(
            f"{service}: the addresses of sender or recipients are none.",
            "Write recipients to spec.channel, with commas between, and the sender to the address: ?from=…",
        )
    told = message(digest, _PASSAGES)
    called = _called(told, to)
    body = _threaded(digest, sender) + _written(channel, digest, told, sender, (to, called)).as_bytes()
    headers: dict[str, Secret | str] = {
        "Content-Type": "message/rfc822",
        "Mail-From": sender,
        "Rcpt-To": ",".join(to),
        "Rcpt-Too": ",".join(called),
    }
    return (Request("MAIL", channel.address, headers, body, service, hidden=(channel.password,)),)


def acknowledged(response: Response) -> str:
    """Always "": a message that was sent is not edited. Raises DeliveryError unless the server took it with 250."""
    if response.status != 250:
        raise not_taken(response, {}, "Check the address: there seems to be no mail server at it.")
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """What cannot work: addresses that are none, a login that would be overheard or is half, an address with more."""
    return tuple(_complaints(channel))


def _complaints(channel: Channel) -> Iterator[Complaint]:
    there = server(channel)
    if there.rest:
        yield Complaint(
            "spec.address",
            "the address holds more than a server, ?from= and starttls=off",
            f"{_WRITE} Give user and password in the Secret.",
        )
    bad = [one for one in recipients(channel) if not _is_address(one)]
    if bad or not recipients(channel):
        what = f"{one_line(bad[0])[:80]!r} is not an e-mail address" if bad else "there are no recipients"
        foreign = not "".join(bad).isascii()
        other = " A domain of other letters is written in the form that begins with xn--." if foreign else ""
        yield Complaint("spec.channel", what, f"Write addresses like ops@example.com, with commas between.{other}")
    if not _is_address(_sender(channel)):
        what = "?from= is not an e-mail address" if there.sender else "nobody can tell who the sender is"
        yield Complaint("spec.address", what, "Write the sender to the address: ?from=flux@example.com")
    if channel.password and not channel.username:
        yield Complaint("spec.secretRef", "there is a `password` without a `username`", "Add the `username`.")
    if channel.password and there.tls == "none" and not loopback(_host(there.host)):
        yield Complaint("spec.address", "without TLS the password would be overheard", "Take out starttls=off.")


def recipients(channel: Channel) -> tuple[str, ...]:
    """Whom ``channel`` writes to, each once, as they are written there."""
    return tuple(dict.fromkeys(one for part in channel.channel.split(",") if (one := part.strip())))


def _split(query: str) -> Iterator[str]:
    return filter(None, query.split("&"))


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_address(text: str) -> bool:
    # What looks like an encoded word would be read as one.
    return len(text) <= 254 and "=?" not in text and re.fullmatch(ADDRESS, text) is not None


def _sender(channel: Channel) -> str:
    """As the address says; else the user's name, where that is an address; else landed, where the server is."""
    there = server(channel)
    if there.sender:
        return there.sender
    if _is_address(channel.username):
        return channel.username
    labels = there.host.split(".")
    if ":" in there.host or labels[-1].isdigit():
        return ""
    return f"landed@{'.'.join(labels[1:] if len(labels) > 2 else labels)}"


def _called(told: Message, to: Sequence[str]) -> tuple[str, ...]:
    """Who is called, where their addresses are some and they do not get it anyway."""
    known = {one.lower() for one in to}
    found = [passage.mention for passage in told.passages if _is_address(passage.mention)]
    return tuple(dict.fromkeys(one for one in found if one.lower() not in known))[:_CALLED]


def _written(
    channel: Channel, digest: Digest, told: Message, sender: str, receivers: tuple[Sequence[str], Sequence[str]]
) -> EmailMessage:
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP

    to, called = receivers
    domain = sender.rpartition("@")[2]
    made = EmailMessage(SMTP)
    made["From"] = Address("landed", addr_spec=sender)
    made["To"] = ", ".join(to)
    if called:
        made["Cc"] = ", ".join(called)
    made["Subject"] = _subject(told)
    made["Message-ID"] = f"<{_hashed(channel.name, identity(digest))}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # https://www.rfc-editor.org/rfc/rfc3834#section-5
    made["X-Auto-Response-Suppress"] = "All"
    if told.state is State.FAILURE:
        made["Importance"] = "high"
    made.set_content(_text(told), cte="quoted-printable")
    made.add_alternative(_html(told), subtype="html", cte="quoted-printable")
    made.set_boundary(f"=_{_hashed(channel.name, identity(digest))}")
    return made


def _threaded(digest: Digest, sender: str) -> bytes:
    """The headers that say which conversations it belongs to, folded by ourselves: the library would encode ids that
    are longer than its lines, and then they are none.
    """
    # The first message is answered by name, although nobody ever sees it: so each one after it is its sibling.
    threads = [f"<{thread}@{sender.rpartition('@')[2]}>" for thread in _threads(digest)]
    listed = "\r\n ".join(threads)
    return f"In-Reply-To: {threads[0]}\r\nReferences: {listed}\r\n".encode()


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]


def _threads(digest: Digest) -> tuple[str, ...]:
    """What tells the conversations apart: the commits, and the objects where no commit is known."""
    found = (
        (str(story.outcome.repository), story.outcome.commit)
        if story.outcome.commit
        else (story.outcome.cluster, str(story.outcome.observations[0].about))
        for story in digest.stories
    )
    return tuple(dict.fromkeys(_hashed(*parts) for parts in found))[:_THREADS]


def _subject(told: Message) -> str:
    # What looks like an encoded word would be read as one.
    text = f"{told.passages[0].mark} {one_line(told.headline)}".replace("=?", "= ?")
    return cut(text, SUBJECT_LIMIT)


def _text(told: Message) -> str:
    """The message for whoever reads no HTML: nothing in it needs to be escaped."""
    lines: list[str] = []
    for passage in told.passages:
        lines += [f"{passage.mark} {_cut(passage.title)}", *_details(told, passage), _where(passage)]
        link = linkable(passage.link, _LINK_LIMIT)
        lines += [link, ""] if link else [""]
    if not told.alone:
        lines = [_cut(told.headline), "", *lines]
    lines += [told.more, ""] if told.more else []
    shown, more = facts(told, _FACTS)
    lines += [f"{_cut(name)}: {_cut(value, _FACT_LIMIT)}" for name, value in shown]
    lines += [f"… and {more} more"] if more else []
    return "\n".join([*lines, *within(told.notes, _BODY_BUDGET, one_line)]).rstrip("\n") + "\n"


def _details(told: Message, passage: Passage) -> Sequence[str]:
    return within(passage.lines, _BODY_BUDGET // len(told.passages), one_line)


def _cut(text: str, limit: int = _TITLE_LIMIT) -> str:
    return cut(one_line(text), limit)


def _where(passage: Passage) -> str:
    cluster = _cut(passage.cluster)
    return f"{cluster} · {_cut(passage.place)}" if passage.place else cluster


#: Colours of the text are left to the reader's own, light or dark; styles stand where they count, for many a mail
#: program reads no style sheets (https://www.caniemail.com/features/html-style/).
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:680px;margin:0 auto">
{content}
</div>
</body>
</html>
"""
_CARD = """<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:0 0 16px;\
border-collapse:separate;border:1px solid rgba(128,128,128,.35);border-left:6px solid {colour};border-radius:6px">
<tr><td style="padding:12px 16px">
{content}
</td></tr>
</table>"""
_SMALL = "margin:8px 0 0;font-size:13px;opacity:.75"


def _html(told: Message) -> str:
    headline = _escape(_cut(told.headline))
    parts = [] if told.alone else [f'<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">{headline}</h1>']
    parts += [_card(told, passage) for passage in told.passages]
    if told.more:
        parts.append(f'<p style="margin:0 0 16px">{_escape(told.more)}</p>')
    parts += [_table(told)] if told.facts else []
    parts += [f'<p style="{_SMALL}">{note}</p>' for note in within(told.notes, _BODY_BUDGET, _escape)]
    return _PAGE.format(title=headline, content="\n".join(parts))


def _card(told: Message, passage: Passage) -> str:
    title = f"{passage.mark} {_escape(_cut(passage.title))}"
    parts = [f'<p style="margin:0;font-size:16px;font-weight:600;overflow-wrap:anywhere">{title}</p>']
    details = [_escape(line) for line in _details(told, passage)]
    if details:
        parts.append(f'<p style="margin:8px 0 0;overflow-wrap:anywhere">{"<br>".join(details)}</p>')
    parts.append(f'<p style="{_SMALL};overflow-wrap:anywhere">{_linked(passage)}</p>')
    return _CARD.format(colour=passage.colour, content="\n".join(parts))


def _linked(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster, place = _escape(_cut(passage.cluster)), _escape(_cut(passage.place))
    link = linkable(passage.link, _LINK_LIMIT)
    if not place:
        return cluster
    return f'{cluster} · <a href="{_escape(link)}">{place}</a>' if link else f"{cluster} · {place}"


def _table(told: Message) -> str:
    """What the Alert adds."""
    shown, more = facts(told, _FACTS)
    rows = [
        f'<tr><td style="padding:2px 16px 2px 0;vertical-align:top;opacity:.75">{_escape(_cut(name))}</td>'
        f'<td style="padding:2px 0;overflow-wrap:anywhere">{_escape(_cut(value, _FACT_LIMIT))}</td></tr>'
        for name, value in shown
    ]
    rows += [f'<tr><td colspan="2" style="padding:2px 0">… and {more} more</td></tr>'] if more else []
    style = "margin:0 0 16px;font-size:14px"
    return f'<table cellpadding="0" cellspacing="0" style="{style}">\n{"".join(rows)}\n</table>'


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line, also inside quotation marks."""
    from html import escape

    return escape(one_line(text))
