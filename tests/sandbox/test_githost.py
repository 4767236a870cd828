"""The Git host takes what GitHub takes and refuses what it refuses. https://docs.github.com/en/rest/commits/statuses"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sandbox.client import Answer, ask

from landed.sandbox.githost import Commit
from landed.sandbox.world import GIT_TOKEN, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

SHA = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
STATUSES = f"/repos/acme/fleet/statuses/{SHA}"
LIST = f"/repos/acme/fleet/commits/{SHA}/statuses"


@pytest.fixture
def git(sandbox: Sandbox) -> Callable[..., Answer]:
    sandbox.git.push("acme/fleet", Commit(SHA, "Add search", "Ada", "2026-08-20T09:00:00Z"))

    def request(method: str, path: str, body: object = None, token: str = GIT_TOKEN) -> Answer:
        return ask(sandbox.git_api_url, method, "/api/v3" + path, body, Authorization=f"token {token}")

    return request


def test_a_status_is_kept_and_shown(sandbox: Sandbox, git: Callable[..., Answer]) -> None:
    sent = {
        "state": "success",
        "context": "flux/prod",
        "description": "3 live",
        "target_url": "https://ci.example.com/1",
    }
    answer = git("POST", STATUSES, sent)
    assert answer.status == 201
    assert answer.json.items() >= sent.items()
    assert git("GET", LIST).json == [answer.json]
    assert [status.description for status in sandbox.git.statuses("acme/fleet", SHA)] == ["3 live"]


def test_the_newest_status_of_a_context_counts(sandbox: Sandbox, git: Callable[..., Answer]) -> None:
    for state in ("pending", "failure", "success"):
        git("POST", STATUSES, {"state": state, "context": "flux/prod"})
    git("POST", STATUSES, {"state": "pending"})
    assert [entry["state"] for entry in git("GET", LIST).json] == ["pending", "success", "failure", "pending"]
    combined = git("GET", f"/repos/acme/fleet/commits/{SHA}/status").json
    assert (combined["state"], combined["total_count"]) == ("pending", 2)
    assert [(s.context, s.state) for s in sandbox.git.statuses("acme/fleet", SHA)] == [
        ("default", "pending"),
        ("flux/prod", "success"),
    ]


GOOD = {"state": "success", "context": "c"}


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (STATUSES, {**GOOD, "state": "live"}, 422, "state is not included in the list"),
        (STATUSES, {"context": "c"}, 422, "state is not included in the list"),
        (STATUSES, {**GOOD, "description": "x" * 141}, 422, "description is too long (maximum is 140 characters)"),
        (STATUSES, {**GOOD, "context": "x" * 256}, 422, "context is too long"),
        (STATUSES, {**GOOD, "description": 5}, 422, "not a string"),
        (STATUSES, {**GOOD, "target_url": "javascript:alert(1)"}, 422, "target_url must use http(s) scheme"),
        (STATUSES, b"{", 400, "Problems parsing JSON"),
        (STATUSES, [], 400, "Body should be a JSON object"),
        (STATUSES.replace(SHA, "f" * 40), GOOD, 422, "No commit found for SHA: ffff"),
        (STATUSES.replace("fleet", "other"), GOOD, 404, "Not Found"),
        ("/repos/acme/fleet/statuses", GOOD, 404, "Not Found"),
    ],
)
def test_what_github_refuses_is_refused(
    sandbox: Sandbox, git: Callable[..., Answer], path: str, body: object, status: int, said: str
) -> None:
    answer = git("POST", path, body)
    assert answer.status == status
    assert said in answer.body.decode()
    assert sandbox.git.written == 0


def test_a_description_of_140_characters_is_taken(git: Callable[..., Answer]) -> None:
    assert git("POST", STATUSES, {**GOOD, "description": "x" * 140}).status == 201


def test_a_context_takes_a_thousand_statuses(sandbox: Sandbox, git: Callable[..., Answer]) -> None:
    from landed.sandbox.web import Request

    body = b'{"state": "success"}'
    headers = {"authorization": f"Bearer {GIT_TOKEN}"}
    for _ in range(1000):
        assert sandbox.git.answer(Request("POST", "/api/v3" + STATUSES, {}, headers, body)).status == 201
    assert git("POST", STATUSES, {"state": "success"}).status == 422
    assert git("POST", STATUSES, {"state": "success", "context": "other"}).status == 201


def test_a_long_list_comes_in_pages(git: Callable[..., Answer]) -> None:
    for number in range(5):
        git("POST", STATUSES, {**GOOD, "description": str(number)})
    seen: list[Any] = []
    path = f"{LIST}?per_page=2"
    while path:
        answer = git("GET", path)
        seen += [entry["description"] for entry in answer.json]
        found = re.search(r'<[^>]*/api/v3(/[^>]+)>; rel="next"', answer.headers.get("link", ""))
        path = found[1] if found else ""
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(("token", "said"), [("", "Requires authentication"), ("wrong", "Bad credentials")])
def test_nobody_comes_in_without_the_token(git: Callable[..., Answer], token: str, said: str) -> None:
    answer = git("POST", STATUSES, GOOD, token=token)
    assert (answer.status, answer.json["message"]) == (401, said)


def test_repositories_and_commits_are_shown(git: Callable[..., Answer]) -> None:
    assert git("GET", "/repos/acme/fleet").json["permissions"]["push"] is True
    assert git("GET", f"/repos/acme/fleet/commits/{SHA}").json["commit"]["message"] == "Add search"
    commit = git("GET", f"/repos/acme/fleet/git/commits/{SHA}").json
    assert (commit["sha"], commit["message"], commit["author"]["name"]) == (SHA, "Add search", "Ada")
    assert git("GET", f"/repos/acme/fleet/git/commits/{SHA[::-1]}").status == 422
    assert git("GET", "/repos/acme/nope").status == 404
    assert git("GET", "/rate_limit").status == 404
