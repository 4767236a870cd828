"""Texts that try to be more than text, reports full of them, and readers that obey as the real ones would."""

from __future__ import annotations

import re

from landed.model import (
    CommitStatus,
    Delivery,
    Digest,
    Event,
    InvolvedObject,
    Look,
    Mark,
    ObjectRef,
    Observation,
    Outcome,
    Report,
    Repository,
    State,
    Story,
    Update,
)

HOSTILE = {
    "error": "::error::forged",
    "indented": "  \t ::set-output name=state::success",
    "no-break space": "\u00a0\u3000::error::forged",
    "second line": "fine\n::error::forged",
    "carriage return": "fine\r::error::forged",
    "other line breaks": "fine\x0b::error::a\x0c::error::b\x85::error::c\u2028::error::d",
    "legacy": "##[error]forged",
    "legacy inside": "all is well ##[add-mask]o",
    "legacy, more signs": "####[error]forged",
    "azure": "##vso[task.setvariable variable=x]y",
    "legacy in pieces": "#\x00#\u200b[error]forged",
    "command in pieces": ":\x1b[0m:error::forged",
    "stop": "::stop-commands::x",
    "escaped": "%0A::error::forged%0D",
    "properties": "x,file=/etc/passwd,line=1::y",
    "colours": "\x1b[31mred\x1b[0m \x9b31m",
    "clear": "\x1b[2J\x1b[H\x1b]0;title\x07\x08\x08\x08",
    "link": "\x1b]8;;https://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "section": "\x1b[0Ksection_start:1560896352:forged\r\x1b[0Kforged",
    "right to left": "\u202egnp.exe\u202c\u2066",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)><!-- ",
    "table": "a | b |\n|---|---|\n| c | d |",
    "backticks": "`a` ``` b ```\n```\n# forged\n",
    "emphasis": "*a* _b_ ~~c~~ **d** \\| \\",
    "link in markdown": "[click](https://evil.example) ![](https://evil.example/x.png) <https://evil.example>",
    "bare links": "https://evil.example/x www.evil.example mail@evil.example",
    "mentions": "@everyone @octocat/team #1 GH-1 acme/fleet#1 !here &amp; :tada:",
    "heading": "# forged\n## forged\n- forged\n1. forged\n> forged",
    "output": "x\nEOF\nstate<<EOF\nsuccess\nEOF\n",
    "assignment": "state=success\nghadelimiter_0\n",
    "json": '", "state": "success", "x": "\\',
    "math": "$x$ $$y$$",
    "empty": "",
    "blank": " \n\t ",
    "nothing visible": "\u200b\u2060\ufeff",
    "half a character": "\ud800",
    "control": "".join(map(chr, range(32))) + "".join(map(chr, range(127, 160))),
}

#: What .NET's String.Trim takes off, https://learn.microsoft.com/dotnet/api/system.char.iswhitespace .
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def commands_in(log: str) -> list[tuple[str, dict[str, str], str]]:
    """Every command that the runner would find in a log, known to it or not: name, properties, data."""
    return [found for line in re.split("\r\n|\n|\r", log) if (found := _command(line)) is not None]


def _command(line: str) -> tuple[str, dict[str, str], str] | None:
    text = line.lstrip(_BLANKS)
    if text.startswith("::") and "::" in text[2:]:
        head, _, data = text[2:].partition("::")
        name, _, rest = head.partition(" ")
        pairs = (pair.partition("=") for pair in rest.split(",") if "=" in pair)
        return name, {key.strip(): _unescaped(value, ":,") for key, _, value in pairs}, _unescaped(data)
    start = line.find("##[")
    end = line.find("]", start)
    if start >= 0 and end >= 0:
        return f"legacy {line[start + 3 : end]}", {}, line[end + 1 :]
    return None


def _unescaped(text: str, more: str = "") -> str:
    for character in f"{more}\r\n":
        text = text.replace(f"%{ord(character):02X}", character)
    return text.replace("%25", "%")


def outputs_in(text: str) -> dict[str, str]:
    """The step outputs in a file, read as the runner reads it. ValueError where it would fail the step."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
            continue
        if heredoc <= 0:
            raise ValueError(line)
        end = line[heredoc + 2 :]
        value = []
        for inner in lines:
            if inner == end:
                break
            value.append(inner)
        else:
            raise ValueError(f"{line} has no end")
        found[line[:heredoc]] = "\n".join(value)
    return found


def as_utf8(text: str) -> str:
    """``text`` as far as it can be written: half a character cannot."""
    return text.encode("utf-8", "replace").decode()


#: What a terminal, GitLab's log or a reader's eyes would obey.
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

NOW = 1_766_400_600


def report_of(text: str) -> Report:
    """A report in which everything that is text is ``text``."""
    repository = Repository(text, text)
    about = ObjectRef(text, text, text)
    said = [
        Observation(
            about, state, repository, text, text, text, since=NOW - 60, duration=text, revision=text,
            past=past, waits_for=about if state is State.PENDING else None,
        )
        for state in (State.FAILURE, State.PENDING, State.SUCCESS)
        for past in (False, True)
    ]  # fmt: skip
    outcomes = tuple(Outcome(text, repository, text, (one,)) for one in said)
    silent = tuple(Observation(about, state, reason=text, message=text) for state in State if state != State.SUCCESS)
    marks = (Mark(text, text, text),)
    updates = [
        Update(text, marks, CommitStatus(repository, text, text, State.FAILURE, text, text)),
        Update(text, marks, Digest(tuple(Story(outcome) for outcome in outcomes))),
        Update(
            text, marks,
            Event(InvolvedObject(text, text, text, text), "error", text, text, text, {text: text}, text),
        ),
    ]  # fmt: skip
    return Report(
        (Look(text, outcomes, silent, warnings=(text,)), Look(text, error=text or "x", hint=text)),
        (
            *(Delivery(update) for update in updates),
            *(Delivery(update, error=text or "x", hint=text) for update in updates),
        ),
        tuple(updates),
        (text,),
    )


A = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
B = "ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec"
FLEET = Repository("github.com", "acme/fleet")


def observed(
    name: str, state: State, reason: str = "", message: str = "", commit: str = A, **more: object
) -> Observation:
    settings = {"since": NOW - 600, "revision": f"main@sha1:{commit}"} | more
    about = ObjectRef("Kustomization", "apps", name)
    return Observation(about, state, FLEET, commit, reason, message, **settings)  # type: ignore[arg-type]


TIMED_OUT = "health check failed after 30s: timeout waiting for: [Deployment/apps/web]"
WEB = observed("web", State.FAILURE, "HealthCheckFailed", TIMED_OUT)
API = observed("api", State.PENDING, "DependencyNotReady", "dependency 'apps/web' is not ready", waits_for=WEB.about)
DB = observed("db", State.SUCCESS, "ReconciliationSucceeded", commit=B, duration="13.118s", since=NOW - 7200)
OLD = Observation(ObjectRef("Kustomization", "apps", "old"), State.SUSPENDED, message="It is suspended")
FETCH = ObjectRef("GitRepository", "flux-system", "fleet")
GONE = Observation(FETCH, State.FAILURE, reason="GitOperationFailed", message="auth: 401")

#: One of everything, as it is on a bad day.
REPORT = Report(
    (
        Look("prod", (Outcome("prod", FLEET, B, (DB,)), Outcome("prod", FLEET, A, (API, WEB))), (OLD, GONE)),
        Look("test", error="The cluster test could not be read: it timed out.", hint="Is it up?"),
    ),
    (
        Delivery(
            Update(
                "github.com",
                (Mark("acme/fleet flux/prod/apps/web", A, "failure HealthCheckFailed"),),
                CommitStatus(FLEET, A, "flux/prod/apps/web", State.FAILURE, "Health check failed after 30s"),
            )
        ),
        Delivery(
            Update("slack", (), Digest((Story(Outcome("prod", FLEET, A, (WEB,))),))),
            error="slack answered 404 no_service",
            hint="Make a new webhook.",
        ),
    ),
    warnings=("prod: Kustomization/apps/odd makes no sense",),
    exit_code=5,
)
QUIET = Report((Look("prod", (Outcome("prod", FLEET, B, (DB,)),)),))
NOTHING = Report()
