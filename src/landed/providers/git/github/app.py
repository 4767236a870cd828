"""Acting as a GitHub App: a key signs who we are, and GitHub gives a token for an hour.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import quote

from github import Auth
from jwt import PyJWTError
from msgspec import structs

from landed.errors import ConfigurationError, DeliveryError
from landed.model import GitHubApp
from landed.providers.asking import Answer, Asker, Dialect, Meaning, Task
from landed.providers.git.github.dialect import dialect, said

#: Seconds before its end from which a token is not used any more.
SPARE = 300.0
_KEY = "Give the whole content of the .pem file that the App's page gave, with --github-app-private-key."
_WHERE = "Give --github-app-installation-id or --github-app-installation-owner."


def signer(app: GitHubApp) -> Callable[[], Auth.AppAuthToken]:
    """What says, each time anew and for five minutes, that we are ``app``.

    Raises ConfigurationError where what is known of the App is not enough, or its key is none.
    """
    if not (app.id.isascii() and app.id.replace(".", "").isalnum()):
        raise ConfigurationError(
            "The id of the GitHub App is neither a number nor a client id.", "Give --github-app-id."
        )
    if not app.installation_id and not app.installation_owner:
        raise ConfigurationError(f"It is not known where the GitHub App {app.id} is installed.", _WHERE)
    if app.installation_id and not (app.installation_id.isascii() and app.installation_id.isdigit()):
        raise ConfigurationError("The installation id of the GitHub App is not a number.", _WHERE)
    # Where a secret can hold no line breaks, people write them as two characters.
    key = app.private_key.reveal().replace("\\n", "\n").strip()
    signing = Auth.AppAuth(app.id, key) if key else None
    try:
        if signing is not None and signing.create_jwt():
            return lambda: Auth.AppAuthToken(signing.create_jwt())
    except (PyJWTError, ValueError, TypeError):  # never quoted: it may hold the key
        pass
    raise ConfigurationError("The private key of the GitHub App is not an RSA key in PEM format.", _KEY)


def speech() -> Dialect:
    """What GitHub's refusals mean to an App that asks for its token."""
    return structs.replace(dialect(), explain=_explain)


class Installation:
    """An App where it is installed. Fetches its token when one is needed. Safe to use from several threads."""

    def __init__(self, app: GitHubApp, who: str, asker: Asker) -> None:
        """Ask with ``asker``, which signs as the App."""
        self._app = app
        self._who = who
        self._asker = asker
        self._lock = Lock()
        self._token = ""
        self._until = 0.0
        self._id = app.installation_id
        self.permissions: Mapping[str, str] = {}
        """``statuses`` → ``write`` …, as of the last token; empty where GitHub did not say."""

    def token(self) -> str:
        """The token, a new one five minutes before the old one ends. Raises DeliveryError."""
        with self._lock:  # whoever comes while one is being fetched waits for it
            if time.time() >= self._until:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        without = f"the token of the GitHub App {self._app.id} cannot be fetched"
        try:
            self._id = self._id or self._look_up(without)
            task = self._task("POST", without)
            # Two tokens do no harm, so a lost answer is no reason not to ask again.
            answer = self._asker.ask(task, f"/app/installations/{self._id}/access_tokens", None, lambda: None)
        except DeliveryError as error:
            error.uncertain = False  # what was to be written was not even tried
            raise
        value = answer.value
        token, until = _token(value)
        if not token:
            raise self._asker.nonsense(task, answer)
        permissions = value.get("permissions")
        self.permissions = permissions if isinstance(permissions, dict) else {}
        self._token, self._until = token, until - SPARE

    def _look_up(self, without: str) -> str:
        """The installation of the owner that is known instead: an organization, or else a user."""
        owner = quote(self._app.installation_owner, safe="")
        task = self._task("GET", without)
        answer = self._asker.once(task, f"/orgs/{owner}/installation")
        if not isinstance(answer, Answer) or answer.status != 200:
            kind = "users" if isinstance(answer, Answer) and answer.status == 404 else "orgs"
            answer = self._asker.ask(task, f"/{kind}/{owner}/installation")
        value = answer.value
        found = value.get("id") if isinstance(value, dict) else None
        if not isinstance(found, int):
            raise self._asker.nonsense(task, answer)
        return str(found)

    def _task(self, verb: str, without: str) -> Task:
        return Task(verb, without, None, self._who, (self._app.private_key,))


def _token(value: Any) -> tuple[str, float]:
    """A token and when it ends, in epoch seconds; empty if ``value`` is none."""
    token, expires = (value.get("token"), value.get("expires_at")) if isinstance(value, dict) else (None, None)
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token.strip()):
        return "", 0.0
    try:
        until = datetime.fromisoformat(str(expires))
    except ValueError:
        return "", 0.0
    return (token, until.timestamp()) if until.tzinfo else ("", 0.0)


def _explain(task: Task, answer: Answer) -> Meaning:
    words = said(answer).lower()
    if "integration not found" in words:
        hint = "Check --github-app-id, and which server the App is on."
        return Meaning("it knows no App of that id", hint, closes="host")
    if answer.status == 401 and ("'exp'" in words or "'iat'" in words):
        hint = "Set this machine's clock: GitHub takes a difference of a minute at most."
        return Meaning("it finds the App's signature too old or too new", hint, closes="host")
    if answer.status == 401:
        hint = "Check that --github-app-id and --github-app-private-key are of one App, which still has that key."
        return Meaning("it does not accept the App's key", hint, closes="host")
    if answer.status == 403 and "suspended" in words:
        return Meaning("the App's installation is suspended", "Its owner can unsuspend it on GitHub.", closes="host")
    if answer.status == 404 and words:
        hint = "Install it, or check --github-app-installation-id or --github-app-installation-owner."
        return Meaning("the App is not installed there", hint, closes="host")
    return structs.replace(dialect().explain(task, answer), read_only=False)
