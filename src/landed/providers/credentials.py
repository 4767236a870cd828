"""Who we are, as a header says it; and how a token is shown to a Bitbucket, Cloud or Data Center."""

from __future__ import annotations

from base64 import b64encode

from landed.errors import ConfigurationError
from landed.model import Secret


def basic(user: str, password: str) -> Secret:
    """The value of a header Authorization. Half a surrogate pair, which no login holds, becomes a ``?``.

    https://www.rfc-editor.org/rfc/rfc7617#section-2
    """
    return Secret(f"Basic {b64encode(f'{user}:{password}'.encode(errors='replace')).decode()}")


def authorization(token: Secret) -> Secret:
    """The header's value: ``USER:PASSWORD`` goes as Basic, what has no colon as Bearer.

    https://developer.atlassian.com/cloud/bitbucket/rest/intro/#authentication
    https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html

    Raises ConfigurationError where there is no token.
    """
    text = token.reveal().strip()
    if not text:
        raise ConfigurationError(
            "The Bitbucket token is empty.", "Give a token, or a user and password as USER:PASSWORD."
        )
    return Secret(f"Basic {_encoded(text)}" if ":" in text else f"Bearer {text}")


def secrets(token: Secret) -> tuple[Secret, ...]:
    """What must not be quoted from an answer: the token, and of ``USER:PASSWORD`` each half and its base64, too."""
    text = token.reveal().strip()
    user, colon, password = text.partition(":")
    if not colon:
        return (Secret(text),)
    return tuple(Secret(part) for part in (text, _encoded(text), password, user) if part)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
