"""Whose comments are ours: nobody may make us edit his, or pass his off as ours, by copying our text."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from landed.errors import DeliveryError
from landed.providers.asking import Answer

if TYPE_CHECKING:
    from landed.providers.git.github.api import Api

#: What GITHUB_TOKEN and other tokens of Apps begin with.
_APP_TOKEN = "ghs_"  # noqa: S105
_END = "[bot]"


class _Me(Struct, frozen=True):
    """Who the token stands for."""

    login: str
    """In small letters; empty where it is an App whose name is not known."""
    bot: bool


class Author:
    """Tells our comments from others'. Asks who we are when first needed; safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._me: _Me | None = None

    def wrote(self, entry: Mapping[str, Any]) -> bool:
        """Whether the comment is by who we are. Raises DeliveryError where that cannot be found out."""
        user = entry.get("user")
        if not isinstance(user, dict):
            return False
        with self._lock:
            if self._me is None:
                self._me = self._ask()
        login, bot = str(user.get("login", "")).casefold(), user.get("type") == "Bot"
        if self._me.login:
            return (login, bot) == (self._me.login, self._me.bot)
        return bot and login.endswith(_END) and login == _app_of(entry, login)

    def _ask(self) -> _Me:
        """Who we are (https://docs.github.com/en/rest/users/users#get-the-authenticated-user)."""
        host = self._api.host
        if host.app is not None or host.token.reveal().strip().startswith(_APP_TOKEN):
            return self._ask_as_app()
        task = self._api.task("GET", "whose token it is cannot be read")
        try:
            answer = self._api.asker.ask(task, "/user")
        except DeliveryError as error:
            if error.passing:
                raise
            return self._ask_as_app()  # old servers give Apps tokens that look like any other
        login = answer.value.get("login") if isinstance(answer.value, dict) else None
        if not isinstance(login, str) or not login:
            raise self._api.asker.nonsense(task, answer)
        return _Me(login.casefold(), bot=False)

    def _ask_as_app(self) -> _Me:
        """An App may ask for no user; GraphQL alone tells it its name, ``github-actions[bot]`` for GITHUB_TOKEN.

        Where GraphQL does not answer, any App's comment with our text counts as ours, and never a person's.
        https://docs.github.com/en/graphql/reference/queries#viewer
        """
        task = self._api.task("POST", "whose token it is cannot be read")
        answer = self._api.asker.once(task, _graphql(self._api.host.api_url), {"query": "query { viewer { login } }"})
        failure = answer if isinstance(answer, DeliveryError) else None
        if isinstance(answer, Answer) and answer.status != 200:
            failure = self._api.asker.refusal(task, answer)
        if failure is not None and failure.passing:
            failure.uncertain = False  # nothing was to be written
            raise failure
        return _Me(_viewer(answer) if isinstance(answer, Answer) else "", bot=True)


def _graphql(api_url: str) -> str:
    """Where GraphQL is: https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql ."""
    return f"{api_url.rstrip('/').removesuffix('/v3')}/graphql"


def _viewer(answer: Answer) -> str:
    try:
        login = answer.value["data"]["viewer"]["login"]
    except (KeyError, TypeError):
        return ""
    return f"{login.casefold().removesuffix(_END)}{_END}" if login and isinstance(login, str) else ""


def _app_of(entry: Mapping[str, Any], otherwise: str) -> str:
    """The login of the App that made a comment, where GitHub names the App."""
    app = entry.get("performed_via_github_app")
    return f"{app.get('slug')}{_END}".casefold() if isinstance(app, dict) else otherwise
