"""The page shows what was told, and hostile text stays text."""

from __future__ import annotations

import html
import http.client
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from sandbox.client import Answer, ask

from landed.sandbox import discordview, slackinbox, teamsinbox, teamsview
from landed.sandbox.clock import Clock
from landed.sandbox.flux import Flux
from landed.sandbox.githost import Commit
from landed.sandbox.markdown import to_html as discord_html
from landed.sandbox.mrkdwn import plain_to_html, to_html
from landed.sandbox.page import Page
from landed.sandbox.progress import Progress, Scene
from landed.sandbox.slackview import cards
from landed.sandbox.statuses import Run, build_failed
from landed.sandbox.story import Stage, set_up
from landed.sandbox.world import GIT_TOKEN, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)> & \'"`'
SHA = "e" * 40


@pytest.fixture
def shown() -> Iterator[tuple[Sandbox, Progress]]:
    clock = Clock()
    progress = Progress([Scene("One", "happens", "because"), Scene(EVIL, EVIL, EVIL)])
    with Sandbox(clock=clock) as sandbox:
        sandbox.page = Page(sandbox, progress).answer
        set_up(Stage(sandbox, Flux(sandbox.store, clock), clock))
        yield sandbox, progress


class _Tags(HTMLParser):
    """Which elements and attributes there are, and what text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def _slack(sandbox: Sandbox, payload: Any) -> None:
    assert ask(sandbox.url, "POST", sandbox.slack_webhook.removeprefix(sandbox.url), payload).status == 200


def _bot(sandbox: Sandbox, method: str = "postMessage", **body: Any) -> str:
    sent = {"channel": slackinbox.CHANNEL_ID, **body}
    path, token = f"{slackinbox.API}{method}", f"Bearer {slackinbox.TOKEN}"
    answer = ask(sandbox.url, "POST", path, sent, Authorization=token).json
    assert answer["ok"], answer
    return str(answer["ts"])


def _discord(sandbox: Sandbox, payload: Any) -> None:
    path = sandbox.discord_webhook.removeprefix(sandbox.url)
    assert ask(sandbox.url, "POST", path, payload).status == 204


def _teams(sandbox: Sandbox, *body: Any) -> None:
    card = {"contentType": teamsinbox.CARD, "content": {"type": "AdaptiveCard", "body": body}}
    path = sandbox.teams_webhook.removeprefix(sandbox.url)
    assert ask(sandbox.url, "POST", path, {"type": "message", "attachments": [card]}).status == 202


def _status(sandbox: Sandbox, sha: str, **members: str) -> None:
    answer = ask(
        sandbox.url, "POST", f"/api/v3/repos/acme/fleet/statuses/{sha}", members, Authorization=f"token {GIT_TOKEN}"
    )
    assert answer.status == 201


def test_the_page_shows_commits_chat_cluster_and_story(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, progress = shown
    sha = sandbox.git.commits()[-1][1].sha
    _status(sandbox, sha, state="failure", context="flux/prod", description="data: Health check failed")
    _slack(sandbox, {"text": "fallback", "attachments": [{"color": "#cf222e", "title": "It failed"}]})
    ask(sandbox.url, "POST", "/hooks/landed", {"reason": "HealthCheckFailed", "involvedObject": {"name": "data"}})
    progress.begin(0)
    progress.told(0, "✓ delivered", "1 status, 1 message")
    page = ask(sandbox.url, "GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = _Tags(page.body.decode()).text
    for part in (
        "Set up the production cluster",
        sha[:8],
        "flux/prod",
        "data: Health check failed",
        "It failed",
        "1 event of Flux",
        "Applied revision",
        "Scene 1 of 2",
        "✓ delivered",
        "sent 1 status, 1 message",
        "landed report --config notifications",
        "type: discord",
    ):
        assert part in text
    assert 'class="commit failure"' in page.body.decode()


def test_nothing_comes_from_elsewhere(shown: tuple[Sandbox, Progress]) -> None:
    page = ask(shown[0].url, "GET", "/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.partition("script-src")[2]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    tags = _Tags(page.body.decode())
    assert tags.tags.count("script") == 1
    assert ("nonce", nonce[1]) in tags.attributes
    loads = [value for name, value in tags.attributes if name in ("src", "srcset", "action")]
    assert loads == []
    links = [value or "" for name, value in tags.attributes if name == "href"]
    assert all(link.startswith(("#", "/", "data:", shown[0].url)) for link in links)
    assert not [link for link in links if link.startswith("//")]


def test_hostile_text_stays_text_wherever_it_comes_from(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, progress = shown
    clean = _Tags(ask(sandbox.url, "GET", "/main").body.decode())
    flux = Flux(sandbox.store, Clock())
    run = Run("main@sha1:" + SHA, Clock().now())
    flux.change("Kustomization", "infra", lambda s, r: build_failed(s, r, EVIL), run)
    sandbox.git.push("acme/fleet", Commit(SHA, EVIL, EVIL, "2026-08-20T09:00:00Z"))
    _status(sandbox, SHA, state="success", context=EVIL, description=EVIL)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": EVIL}}
    _slack(sandbox, {"text": EVIL, "blocks": [section], "attachments": [{"color": EVIL, "title": EVIL, "text": EVIL}]})
    _bot(sandbox, text=EVIL, thread_ts=_bot(sandbox, text=EVIL, blocks=[section]))
    embed = {"title": EVIL, "url": f"https://x.example/{EVIL}", "description": EVIL, "footer": {"text": EVIL}}
    _discord(sandbox, {"content": EVIL, "embeds": [embed | {"fields": [{"name": EVIL, "value": EVIL}], "color": EVIL}]})
    run_ = {"type": "TextRun", "text": EVIL}
    _teams(
        sandbox,
        {"type": "Container", "style": EVIL, "items": [{"type": "RichTextBlock", "inlines": [run_, EVIL]}]},
        {"type": "FactSet", "facts": [{"title": EVIL, "value": EVIL}]},
        {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": EVIL, "url": "javascript:alert(1)"}]},
        {
            "type": "ActionSet",
            "actions": [{"type": "Action.OpenUrl", "title": "x", "url": f"https://x.example/{EVIL}"}],
        },
        {"type": EVIL},
    )
    ask(sandbox.url, "POST", "/hooks/landed", {"reason": EVIL, "message": EVIL, "severity": EVIL})
    progress.begin(1)
    progress.told(1, EVIL, EVIL)
    for path, times in (("/main", 10), ("/inbox/main", 8)):
        tags = _Tags(ask(sandbox.url, "GET", path).body.decode())
        assert not {"script", "img", "iframe"} & set(tags.tags)
        assert not [name for name, _ in tags.attributes if name.startswith("on")]
        links = [value or "" for name, value in tags.attributes if name == "href"]
        assert all(link.startswith(("/", "https://x.example/", sandbox.url)) for link in links)
        styles = {value for name, value in tags.attributes if name == "style"}
        assert styles <= {"--bar: #8a8f98"}
        # Discord's and Slack's markup take the backquotes; where there is no markup, all of it is there.
        assert tags.text.count(EVIL) >= times
        assert tags.text.count('alert("x")') >= times + 8
    tags = _Tags(ask(sandbox.url, "GET", "/main").body.decode())
    assert len(tags.tags) > len(clean.tags)


def test_each_service_is_a_tab_that_the_keyboard_reaches(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, _ = shown
    _discord(sandbox, {"content": "only in Discord"})
    page = ask(sandbox.url, "GET", "/").body.decode()
    tabs = re.findall(r'<input class="hidden" type="radio" name="service" id="on-(\w+)"[^>]*?( checked)?>', page)
    assert tabs == [("slack", " checked"), ("discord", ""), ("msteams", "")]
    for service, _ in tabs:
        assert f'<label for="on-{service}"' in page
        assert f".chat:has(#on-{service}:checked) .{service}" in page, "its messages are shown where it is chosen"
        assert re.search(rf'<div class="list talk {service}" [^>]*role="log" tabindex="0" aria-label="', page)


def test_a_message_is_shown_as_it_stands_with_its_thread(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, _ = shown
    first = _bot(sandbox, text="on its way")
    other = _bot(sandbox, text="another commit")
    _bot(sandbox, text="it failed", thread_ts=first)
    _bot(sandbox, "update", ts=first, text="half way")
    _bot(sandbox, "update", ts=first, text="is live")
    text = " ".join(_Tags(ask(sandbox.url, "GET", "/inbox").body.decode()).text.partition("Slack")[2].split())
    assert "on its way" not in text
    assert re.search(r"\(edited 2 ×\) is live 1 reply landed app \S+ it failed landed app \S+ another commit", text)
    assert text.count("it failed") == 1
    assert text.startswith("3 messages")
    assert other != first


def test_the_inbox_by_itself_shows_all_services_beside_each_other(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, _ = shown
    _bot(sandbox, text="in Slack")
    _discord(sandbox, {"content": "in Discord"})
    _teams(sandbox, {"type": "TextBlock", "text": "in Teams"})
    page = ask(sandbox.url, "GET", "/inbox")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert 'data-from="/inbox/main"' in page.body.decode()
    for path in ("/inbox", "/inbox/main"):
        text = _Tags(ask(sandbox.url, "GET", path).body.decode()).text
        assert all(said in text for said in ("in Slack", "in Discord", "in Teams"))


def test_the_stream_tells_when_there_is_something_new(shown: tuple[Sandbox, Progress]) -> None:
    sandbox, progress = shown
    host, port = sandbox.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("GET", "/changes")
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "text/event-stream"
        first = response.readline()
        response.readline()
        progress.begin(0)
        assert first.startswith(b"data: ")
        second = response.readline()
        response.readline()
        assert second.startswith(b"data: ")
        assert second != first
        message = _bot(sandbox, text="one")
        third = response.readline()
        response.readline()
        _bot(sandbox, "update", ts=message, text="two")
        assert response.readline() not in (first, second, third), "an edit is something new"
    finally:
        connection.close()


def test_a_link_to_a_commit_leads_to_it(shown: tuple[Sandbox, Progress]) -> None:
    def visit(path: str) -> Answer:
        return ask(shown[0].url, "GET", path)

    assert visit(f"/acme/fleet/commit/{SHA}").headers["location"] == f"/#c-{SHA}"
    assert visit("/acme/fleet").headers["location"] == "/"
    assert visit('/acme/fleet/commit/"><script>').headers["location"] == "/"
    assert visit("/somewhere/else/entirely").status == 404
    assert ask(shown[0].url, "POST", "/").status == 404


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("*bold* _it_ ~gone~", "<strong>bold</strong> <em>it</em> <s>gone</s>"),
        ("a*b*c snake_case_name", "a*b*c snake_case_name"),
        ("`*not bold* <b>`", "<code>*not bold* &lt;b&gt;</code>"),
        ("```\na < b\n```", "<pre>a &lt; b</pre>"),
        ("one\ntwo", "one<br>two"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("&amp;lt;", "&amp;lt;"),
        (":white_check_mark: :unknown_thing:", "✅ :unknown_thing:"),
        ("<!channel> <@U1>", '<span class="mention">!channel</span> <span class="mention">@U1</span>'),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        ("\ue000\ue001", ""),
    ],
)
def test_markup_is_shown_as_slack_shows_it(text: str, markup: str) -> None:
    assert to_html(text) == markup


def test_links_lead_to_the_web_only() -> None:
    assert to_html("*<https://x.example/a_b_c|l_a_b>*") == (
        '<strong><a href="https://x.example/a_b_c" rel="noreferrer noopener" target="_blank">l_a_b</a></strong>'
    )
    assert '"onload' not in to_html('<https://x"onload=alert(1)|q>')


def test_plain_text_has_no_markup() -> None:
    assert plain_to_html("*a* <b> :x:\n") == "*a* &lt;b&gt; ❌<br>"


def test_all_parts_of_a_message_are_shown() -> None:
    payload = {
        "text": "only for notifications",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Head"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*S*"}, "fields": [{"type": "mrkdwn", "text": "f"}]},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}, {"type": "image"}]},
            {
                "type": "actions",
                "elements": [
                    {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "url": "https://x.example"},
                    {"type": "button", "text": {"type": "plain_text", "text": "No"}, "url": "javascript:x"},
                ],
            },
            {"type": "video"},
        ],
        "attachments": [
            {"color": "good", "fallback": "unseen", "title": "T", "title_link": "https://t.example", "text": "t",
             "fields": [{"title": "F", "value": "v"}], "footer": "foot"},
            {"color": "}; background: url(x)", "fallback": "seen"},
        ],
    }  # fmt: skip
    own, first, second = cards(payload)
    assert [part.kind for part in own.parts] == [
        "header", "section", "fields", "divider", "context", "actions", "unknown",
    ]  # fmt: skip
    assert own.colour == ""
    assert own.parts[5].html == (
        '<a href="https://x.example" rel="noreferrer noopener" target="_blank">Go</a>',
        "No",
    )
    assert [part.kind for part in first.parts] == ["title", "section", "fields", "context"]
    assert (first.colour, second.colour) == ("#2eb886", "#8a8f98")
    assert second.parts[0].html == ("seen",)
    assert [part.html for card in cards({"text": html.escape("<i>")}) for part in card.parts] == [("&lt;i&gt;",)]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("**bold** *it* __under__ ~~gone~~", "<strong>bold</strong> <em>it</em> <u>under</u> <s>gone</s>"),
        (r"\*not\* \_so\_ \<b\>", "*not* _so_ &lt;b&gt;"),
        ("snake_case_name", "snake_case_name"),
        ("`*not* <b>`", "<code>*not* &lt;b&gt;</code>"),
        ("```\na < b```", "<pre>a &lt; b</pre>"),
        ("one\ntwo", "one<br>two"),
        ("<@123> @here", '<span class="mention">@123</span> <span class="mention">@here</span>'),
        ("@\u200beveryone", "@\u200beveryone"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        (r"https\://x.example", "https://x.example"),
        ("\ue000\ue001", ""),
    ],
)  # fmt: skip
def test_markdown_is_shown_as_discord_shows_it(text: str, markup: str) -> None:
    assert discord_html(text) == markup


def test_discord_links_lead_to_the_web_only() -> None:
    link = '<a href="https://x.example/a_b" rel="noreferrer noopener" target="_blank">l</a>'
    assert discord_html("**[l](https://x.example/a_b)**") == f"<strong>{link}</strong>"
    assert '"onload' not in discord_html('https://x"onload=alert(1) [a](https://x"onload=alert(1))')


def test_all_parts_of_an_embed_are_shown() -> None:
    payload = {
        "content": "**two**",
        "embeds": [
            {"title": "T", "url": "https://t.example", "description": "D", "color": 0x2DA44E,
             "fields": [{"name": "N", "value": "V"}], "footer": {"text": "*F*"}},
            {"title": "U", "url": "javascript:x", "color": -1},
        ],
    }  # fmt: skip
    own, first, second = discordview.cards(payload)
    assert own.parts[0].html == ("<strong>two</strong>",)
    assert [part.kind for part in first.parts] == ["title", "section", "fields", "context"]
    assert first.parts[3].html == ("*F*",)
    assert (first.colour, second.colour) == ("#2da44e", "#8a8f98")
    assert second.parts[0].html == ("U",)


def test_all_parts_of_an_adaptive_card_are_shown() -> None:
    def rich(text: str, **look: Any) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}

    items = [rich("T", size="Medium", weight="Bolder"), rich("**s**"), rich("c", isSubtle=True), {"type": "Image"}]
    body = [
        rich("H", size="Large"),
        {"type": "Container", "style": "attention", "items": items},
        {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "Go", "url": "https://x.example"}]},
    ]
    head, story, go = teamsview.cards({"attachments": [{"contentType": teamsinbox.CARD, "content": {"body": body}}]})
    assert (head.parts[0].kind, head.colour) == ("header", "")
    assert [part.kind for part in story.parts] == ["title", "section", "context", "unknown"]
    assert story.parts[1].html == ("**s**",), "a TextRun has no Markdown"
    assert (story.parts[3].html, story.colour) == (("[Image]",), "#c4314b")
    assert go.parts[0].html[0].startswith('<a href="https://x.example"')


@pytest.mark.parametrize("payload", [{}, {"attachments": "x"}, {"embeds": {}}, {"attachments": [{"content": 1}]}])
def test_what_is_no_message_shows_nothing(payload: dict[str, Any]) -> None:
    assert discordview.cards(payload) == teamsview.cards(payload) == cards(payload) == ()
