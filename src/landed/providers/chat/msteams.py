"""Microsoft Teams, by the webhook of a Workflow: one Adaptive Card for each look, one container for each story.

https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498

Connectors, which came before Workflows and which Microsoft has retired, are still told in the format of theirs:
https://learn.microsoft.com/outlook/actionable-messages/message-card-reference
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from landed.http import Request, Response, host_of, json_request, not_taken
from landed.messages import Message, Passage, called, facts, fitted, linkable, message, uncalled, units, within
from landed.model import Channel, Digest, State
from landed.providers.interface import Said, wanted

#: Teams takes about 28 KB, counted after it has written the message again; of a flow that has answered 202 before,
#: nobody hears that it was too much. https://learn.microsoft.com/microsoftteams/limits-specifications-teams ,
#: https://github.com/MicrosoftDocs/msteams-docs/issues/11274
BYTES = 27_000
#: Stories, and characters of each kind of text in a message: the first pair that has room is taken.
_SIZES = ((15, 9000), (15, 4000), (8, 2000), (4, 1000), (1, 500), (1, 250))
_TITLE, _LINK = 300, 2000
#: A user's principal name, or the id that Entra gives them.
_USER = (
    r"[0-9A-Za-z][0-9A-Za-z.'_#^!~-]{0,62}@[0-9A-Za-z][0-9A-Za-z.-]{0,61}[0-9A-Za-z]"
    "|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_STYLES = {
    State.FAILURE: "attention",
    State.SUCCESS: "good",
    State.PENDING: "warning",
    State.STALE: "warning",
}

_CARD = "application/vnd.microsoft.card.adaptive"
_MAKE = (
    "In Teams open Workflows, choose “Send webhook alerts to a channel”, allow anyone to trigger it,"
    " and replace the address by its link."
)
_COPY = "Copy the whole link of the flow again, with its sig=…, and allow anyone to trigger it."
#: https://learn.microsoft.com/azure/logic-apps/logic-apps-http-endpoint
_HINTS = {
    "WorkflowTriggerIsNotEnabled": "The flow is turned off: turn it on in Teams under Workflows.",
    "WorkflowNotFound": f"The flow was deleted. {_MAKE}",
    "DirectApiAuthorizationRequired": f"The address lacks its signature. {_COPY}",
    "MissingApiVersionParameter": f"The address is not whole. {_COPY}",
    "400": "The flow did not take the message: check that its trigger is “When a Teams webhook request is received”"
    " and that it is turned on.",
    "401": f"The flow does not know the address's signature. {_COPY}",
    "403": f"The flow does not know the address's signature. {_COPY}",
    "404": f"There is no such flow, or it is turned off. {_MAKE}",
    "410": f"There is no such flow any more. {_MAKE}",
}
#: https://learn.microsoft.com/troubleshoot/power-platform/power-automate/flow-run-issues/triggers-troubleshoot
_MOVED = (
    "Links of flows at logic.azure.com ended on 30 November 2025: copy the flow's new link in Teams under Workflows;"
    " it is at api.powerplatform.com."
)
#: https://devblogs.microsoft.com/microsoft365dev/retirement-of-office-365-connectors-within-microsoft-teams/
_RETIRED = f"Microsoft has retired this kind of webhook. {_MAKE}"
#: What a connector says of what became of a message.
_WORDS = {
    "HTTP error 413": "The message is too large for Teams.",
    "HTTP error 429": "Too many requests; the update is sent by the next run.",
    "HTTP error": _RETIRED,
}
_LATER = ("HTTP error 429", "HTTP error 5")
#: What no flow says that has taken a message: a page, bytes that are no text, bad news.
_REFUSAL = r'\A<|\ufffd|error|fail|invalid|denied|refused|"(?:ok|success)"\s*:\s*false'
_REFUSED = ("400", "401", "403", "404", "410")


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted."""
    digest, service = wanted(Digest, payload), channel.called("Microsoft Teams")
    if not digest.stories:
        return ()
    host = host_of(channel.address.reveal())
    laid = _sized(digest, message_card, in_utf_16) if connector(host) else _sized(digest, adaptive, in_a_string)
    return (json_request(channel.address, laid, service=service, hints=_hints(host)),)


def acknowledged(response: Response) -> str:
    """A flow takes a message with 202, or without a word; a connector with ``1``. Raises DeliveryError.

    A connector says 200 whatever becomes of the message, and the truth in words:
    https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors

    A flow may have a Response action of its maker's, with any words: not to hear it would tell all of it again at each
    run. https://learn.microsoft.com/azure/connectors/connectors-native-reqres#add-a-response-action
    """
    said = response.body.strip()
    if response.status == 202 or said in (b"", b"1"):
        return ""
    if not re.search(_REFUSAL, said.decode(errors="replace"), re.IGNORECASE) and not _by_connector(response):
        return ""
    raise not_taken(response, _WORDS, "A flow that answers by itself must say 202, or no errors.", passing=_LATER)


def connector(host: str) -> bool:
    """Whether ``host`` is where connectors are."""
    name = host.rpartition(":")[0] or host
    return name.endswith(".webhook.office.com") or name in ("outlook.office.com", "outlook.office365.com")


def _by_connector(response: Response) -> bool:
    return connector(response.origin.rpartition("(")[2].rstrip(")"))


def _hints(host: str) -> dict[str, str]:
    if connector(host):
        return {"413": "The message is too large for Teams.", **dict.fromkeys(_REFUSED, _RETIRED)}
    if re.search(r"\.logic\.azure\.com(?::\d+)?\Z", host):
        moved = {status: f"{_HINTS[status]} {_MOVED}" for status in _REFUSED}
        return {**_HINTS, **moved}
    return _HINTS


def _sized(
    digest: Digest, lay: Callable[[Message, int], dict[str, Any]], count: Callable[[object], int]
) -> dict[str, Any]:
    """What ``lay`` makes of as much of ``digest`` as there is room for."""
    for most, room in _SIZES:
        laid = lay(message(digest, most), room)
        if count(laid) <= BYTES:
            break
    return laid


def in_a_string(laid: object) -> int:
    """Bytes of it in ASCII, as a text in another message."""
    return len(json.dumps(json.dumps(laid)))


def in_utf_16(laid: object) -> int:
    """Bytes of it in UTF-16, or in ASCII where that takes more."""
    return max(len(json.dumps(laid)), 2 * units(json.dumps(laid, ensure_ascii=False)))


def adaptive(told: Message, room: int) -> dict[str, Any]:
    """The message with its card, https://adaptivecards.microsoft.com/ .

    Strangers' text stands in TextRuns alone, for these are the only texts without Markdown:
    https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run . A FactSet has Markdown. Only a TextBlock can
    call somebody, and only those whom ``entities`` names.
    """
    share = room // len(told.passages)
    entities = [_entity(user) for user in called(told, _USER)]
    body = [] if told.alone else [_rich(_run(told.headline, _TITLE, size="Large", weight="Bolder"))]
    body += [_container(passage, share) for passage in told.passages]
    below = [*_facts(told, room), *(_rich(_run(note, room // 4, isSubtle=True)) for note in _notes(told))]
    body += [{"type": "Container", "separator": True, "items": below}] if below else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": fitted(told.notice, _TITLE, _escape),
        "msteams": {"width": "Full", **({"entities": entities} if entities else {})},
        "body": body,
    }
    attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "summary": fitted(told.notice, _TITLE, _plain), "attachments": [attachment]}


def _container(passage: Passage, room: int) -> dict[str, Any]:
    title = _run(f"{passage.mark} {passage.title}", min(_TITLE, room), size="Medium", weight="Bolder")
    items = [_rich(title)]
    items += [{**_rich(_run(line, room)), "spacing": "Small"} for line in within(passage.lines, room)]
    where = f"{passage.cluster} · {passage.place}" if passage.place else passage.cluster
    items.append({**_rich(_run(where, min(_TITLE, room), isSubtle=True, size="Small")), "spacing": "Small"})
    if re.fullmatch(_USER, passage.mention):
        items.append({"type": "TextBlock", "text": f"<at>{passage.mention}</at>", "wrap": True, "spacing": "Small"})
    if link := _link(passage):
        opens = {"type": "Action.OpenUrl", "title": "Open the commit", "url": link}
        items.append({"type": "ActionSet", "spacing": "Small", "actions": [opens]})
    return {"type": "Container", "style": _STYLES.get(passage.state, "emphasis"), "items": items}


def _entity(user: str) -> dict[str, Any]:
    """Who ``<at>…</at>`` is.

    https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format#mention-support-within-adaptive-cards
    """
    return {"type": "mention", "text": f"<at>{user}</at>", "mentioned": {"id": user, "name": user}}


def _facts(told: Message, room: int) -> Iterator[dict[str, Any]]:
    """One line each, as many as there is room for, and how many there are more."""
    left = room // 2
    for number, (name, value) in enumerate(told.facts):
        title, said = fitted(name, 100), fitted(value, room // 4)
        left -= len(title) + len(said) + 20
        if left < 0:
            yield _rich(_run(f"… and {len(told.facts) - number} more", 100, isSubtle=True))
            return
        yield {**_rich(_run(f"{title}: ", 110, weight="Bolder"), _run(said, room)), "spacing": "Small"}


def _notes(told: Message) -> tuple[str, ...]:
    return tuple(note for note in (told.more, *told.notes) if note)


def _rich(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, limit: int, **look: object) -> dict[str, Any]:
    return {"type": "TextRun", "text": fitted(text, limit, _plain) or "–", **look}


def _link(passage: Passage) -> str:
    return linkable(passage.link, _LINK, "[]")


def message_card(told: Message, room: int) -> dict[str, Any]:
    """The message as connectors take it. All of it is Markdown, and some HTML."""
    share = room // len(told.passages)
    shown, more = facts(told, 10)
    added = [_fact(name, value, room) for name, value in shown] + (
        [_fact("…", f"and {more} more", room)] if more else []
    )
    sections = [_section(passage, share) for passage in told.passages]
    if added or _notes(told):
        text = "\n\n".join(fitted(note, room // 4, _escape) for note in _notes(told))
        sections.append({**({"text": text} if text else {}), **({"facts": added} if added else {})})
    return {
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "themeColor": told.passages[0].colour[1:],
        "summary": fitted(told.notice, _TITLE, _escape),
        "title": fitted(told.headline, _TITLE, _escape),
        "sections": sections,
    }


def _fact(name: str, value: str, room: int) -> dict[str, str]:
    title, said = fitted(name, min(100, room // 5), _escape), fitted(value, room // 20, _escape)
    return {"name": title or "–", "value": said or "–"}


def _section(passage: Passage, room: int) -> dict[str, Any]:
    where = f"{passage.cluster} · {passage.place}" if passage.place else passage.cluster
    link = _link(passage)
    opens = {"@type": "OpenUri", "name": "Open the commit", "targets": [{"os": "default", "uri": link}]}
    return {
        "activityTitle": f"{passage.mark} {fitted(passage.title, min(_TITLE, room), _escape)}",
        "activitySubtitle": fitted(where, min(_TITLE, room), _escape),
        "text": "\n\n".join(within(passage.lines, room, _escape)),
        **({"potentialAction": [opens]} if link else {}),
    }


def _plain(text: str) -> str:
    """Text in which a card finds no date to be written as its reader does, and a flow nobody to be called."""
    calls = re.sub(r"<(?=/?[a-z!@#])", "<\u200b", text, flags=re.IGNORECASE)
    return uncalled(calls).replace("{{", "{\u200b{")


def _escape(text: str) -> str:
    """The same where there is Markdown and HTML."""
    return uncalled(re.sub(r"[\\`*_{}\[\]()#+!|~<>&-]|(?<=\d)\.(?= )", _sign, text))


def _sign(match: re.Match[str]) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(match[0], f"\\{match[0]}")
