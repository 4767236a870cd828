"""Who we are on a Git host: tokens for one host, and the key of a GitHub App. Errors show no part of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from landed.config.addresses import host_name
from landed.errors import ConfigurationError
from landed.model import GitHubApp, Secret

KEY_OPTION = "--github-app-private-key"
#: Bytes; a key of 16384 bits has 13 thousand.
KEY_LIMIT = 1 << 16

_GITHUB_TOKENS = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")


def host_tokens(given: Sequence[Secret]) -> dict[str, Secret]:
    """Host → token, of ``HOST=TOKEN``. Raises ConfigurationError, which counts them: any part may be secret."""
    found: dict[str, Secret] = {}
    for number, text in enumerate(given, 1):
        host, _, token = text.reveal().partition("=")
        name, token = host_name(host.strip()), token.strip()
        if not name or not token:
            raise ConfigurationError(
                f"--git-token: value {number} is not of the form HOST=TOKEN.",
                "For example: --git-token git.example.com=$TOKEN",
            )
        if name in found:
            raise ConfigurationError(f"--git-token: value {number} names a host that has a token already.")
        found[name] = Secret(token)
    return found


def github_app(id_: str, private_key: Secret, installation_id: str, installation_owner: str) -> GitHubApp | None:
    """The App that the options describe, its key read; None if they describe none. Raises ConfigurationError."""
    if not any((id_, private_key, installation_id, installation_owner)):
        return None
    for missing, option in ((not id_, "--github-app-id"), (not private_key, KEY_OPTION)):
        if missing:
            raise ConfigurationError(f"A GitHub App is given without {option}.", "An App takes its id and private key.")
    if not installation_id and not installation_owner:
        raise ConfigurationError(
            f"It is not known where the GitHub App {id_} is installed.",
            "Give --github-app-installation-id or --github-app-installation-owner.",
        )
    return GitHubApp(id_, key(private_key), installation_id, installation_owner)


def key(given: Secret) -> Secret:
    """A private key in PEM format: as it is, or from the file that ``given`` is the path of.

    Line breaks may be written as two characters, where a variable takes one line. Raises ConfigurationError.
    """
    text = given.reveal().strip()
    content = text if "-----BEGIN" in text else _file(text).strip()
    if not (content.startswith("-----BEGIN") and "PRIVATE KEY-----" in content and content.endswith("-----")):
        raise ConfigurationError(
            f"{KEY_OPTION}: that is no private key in PEM format.",
            "Give the .pem file that GitHub let you download, as its path or its whole content.",
        )
    return Secret(content)


@cache  # a pipe gives its content once
def _file(path: str) -> str:
    from pathlib import Path  # imported late: few runs read a key

    reason = "it is too long for one"
    try:
        with Path(path).open("rb") as file:
            content = file.read(KEY_LIMIT + 1)
        if len(content) <= KEY_LIMIT:
            return content.decode()
    except UnicodeDecodeError:
        reason = "it is no text"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
    # The path is not shown: it may be a key that lost its first line.
    raise ConfigurationError(
        f"{KEY_OPTION}: it is no key in PEM format, and no file to read one from: {reason}.",
        "Give the path of the .pem file that GitHub let you download, or its whole content.",
    )


def looks_like_github(token: Secret) -> bool:
    """Whether only a GitHub makes such tokens.

    https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
    """
    return token.reveal().startswith(_GITHUB_TOKENS)


def hidden(*given: Secret) -> Iterator[Secret]:
    """Everything that must not be printed of tokens that may be ``USER:PASSWORD``."""
    for secret in given:
        if secret:
            yield secret
            _, _, password = secret.reveal().partition(":")
            yield from (Secret(password.strip()),) if password.strip() else ()


def hidden_of_hosts(given: Sequence[Secret]) -> Iterator[Secret]:
    """The same, of tokens that are written as ``HOST=TOKEN``: hosts may be printed."""
    for text in given:
        host, _, token = text.reveal().partition("=")
        yield from hidden(text, Secret(token.strip() if host_name(host.strip()) else ""))


def hidden_key(given: Secret) -> Iterator[Secret]:
    """What must not be printed of a private key. What is wrong with it is said elsewhere."""
    try:
        read = key(given) if given else given
    except ConfigurationError:
        read = given  # perhaps a key, and not quite
    yield from (read, Secret(read.reveal().replace("\\n", "\n"))) if read else ()
