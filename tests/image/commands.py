"""What the GitHub runner reads out of a step's log, and out of the files a step writes for it.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands , and where that page is silent,
the runner's own source, https://github.com/actions/runner (ActionCommand, ActionCommandManager, FileCommandManager).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field


class ContractError(AssertionError):
    """The step did what the runner would refuse, or drop."""


class Command(Struct, frozen=True):
    """One ``::name key=value::data`` or ``##[name key=value]data``."""

    name: str
    properties: dict[str, str]
    data: str


class Log(Struct):
    """A step's log as its readers see it."""

    lines: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def annotations(self) -> list[Command]:
        """The annotations that the runner keeps: ten of each level."""
        kept: list[Command] = []
        for level in ("error", "warning", "notice"):
            kept += [command for command in self.commands if command.name == level][:10]
        return kept


#: Every command that the runner knows. Anything else that looks like one is text.
NAMES = frozenset(
    {"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "internal-set-repo-path"}
    | {"notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"}
)
#: Commands that would let a log line reach into later steps.
REFUSED = frozenset({"set-env", "add-path", "set-output", "save-state", "add-matcher", "remove-matcher"})
#: How much of an annotation's message is kept.
MESSAGE_LIMIT = 4096
#: A summary beyond this is dropped whole.
SUMMARY_LIMIT = 1024 * 1024


def unescape(text: str, more: dict[str, str] | None = None) -> str:
    for code, character in {"%0D": "\r", "%0A": "\n", **(more or {}), "%25": "%"}.items():
        text = text.replace(code, character)
    return text


def properties(text: str, separator: str, escapes: dict[str, str]) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(separator) if "=" in pair)
    return {key.strip(): unescape(value, escapes) for key, _, value in pairs}


def command(line: str) -> Command | None:
    """The command in this line, if the runner would find one. The older form counts anywhere in a line."""
    stripped = line.lstrip()
    if stripped.startswith("::") and "::" in stripped[2:]:
        head, _, data = stripped[2:].partition("::")
        name, _, rest = head.partition(" ")
        if name.lower() in NAMES:
            return Command(name.lower(), properties(rest, ",", {"%3A": ":", "%2C": ","}), unescape(data))
    _, found, tail = line.partition("##[")
    head, closed, data = tail.partition("]")
    name, _, rest = head.partition(" ")
    if found and closed and name.lower() in NAMES:
        more = {"%3B": ";", "%5D": "]"}
        return Command(name.lower(), properties(rest, ";", more), unescape(data, more))
    return None


def read_log(lines: Iterable[str], secrets: Iterable[str] = ()) -> Log:
    """Read a step's output, standard output and standard error alike, line by line."""
    log = Log(masks=[secret for secret in secrets if secret])
    stopped = ""
    for line in lines:
        found = None if stopped else command(line)
        if stopped and line.strip() == f"::{stopped}::":
            stopped = ""
        elif found is None:
            log.lines.append(masked(line, log.masks))
        elif found.name == "stop-commands":
            stopped = found.data
        elif found.name == "add-mask":
            add_mask(log, found.data)
        elif found.name in REFUSED:
            raise ContractError(f"the log holds a command that reaches into later steps: {line!r}")
        else:
            data = masked(found.data, log.masks)[:MESSAGE_LIMIT]
            log.commands.append(Command(found.name, found.properties, data))
    if stopped:
        raise ContractError("workflow commands were stopped and never resumed")
    return log


def add_mask(log: Log, value: str) -> None:
    if not value.strip():
        log.warnings.append("an empty string cannot be masked")
        return
    log.masks += [value, *(line.strip() for line in value.splitlines() if line.strip())]


def masked(text: str, masks: Iterable[str]) -> str:
    for mask in sorted(masks, key=len, reverse=True):
        text = text.replace(mask, "***")
    return text


def key_values(text: str) -> dict[str, str]:
    """Read what a step wrote to ``GITHUB_OUTPUT``, ``GITHUB_ENV`` or ``GITHUB_STATE``."""
    found: dict[str, str] = {}
    lines = iter(text.removesuffix("\n").split("\n") if text else ())
    for line in lines:
        if not line:
            continue
        name, equals, value = line.partition("=")
        heredoc, marker, delimiter = line.partition("<<")
        if marker and len(heredoc) < (len(name) if equals else len(line)):
            found[heredoc] = until(delimiter, lines)
        elif equals and name:
            found[name] = value
        else:
            raise ContractError(f"neither name=value nor name<<delimiter: {line!r}")
    return found


def until(delimiter: str, lines: Iterator[str]) -> str:
    value: list[str] = []
    for line in lines:
        if line == delimiter:
            return "\n".join(value)
        value.append(line)
    raise ContractError(f"no line ends the value that {delimiter!r} should end")


def summary(text: str, masks: Iterable[str]) -> str:
    """The job summary as it is shown."""
    if len(text.encode()) > SUMMARY_LIMIT:
        raise ContractError("the runner drops a step summary of more than 1 MiB whole")
    return masked(text, masks)
