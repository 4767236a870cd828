"""Which commit contains which: what every host must answer, and what is a host's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gitlab as python_gitlab
import pytest
from contract.hosts import HOSTS, STATUS_TYPES
from github import Auth, Github
from standins.ancestry import HISTORY, Ancestors, sha
from standins.server import answer, lost, reset, rubbish

from landed import providers
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Channel, GitHost, Relation, Repository, Secret
from landed.providers import ancestry
from landed.providers.outlet import ChannelOutlet, GitOutlet, Turns

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "git.example.com"
ODD = "refs/heads/feature/#1&ü,x+y%2F"
SAME, AFTER, BEFORE, APART = Relation.SAME, Relation.AFTER, Relation.BEFORE, Relation.APART
TYPES = sorted(set(STATUS_TYPES) - {"github-check-run"})


def connect(type_: str, host: Ancestors, sleeps: list[float] | None = None, turns: TokenBucket | None = None) -> Any:
    given = GitHost(providers.GIT[type_].host, PLACE, host.url, Secret(HOSTS[type_].writer), web_url=host.web_url)
    waits: list[float] = sleeps if sleeps is not None else []
    return providers.git_module(type_).connect(given, turns=turns, sleep=waits.append)


def relation(type_: str, host: Ancestors, commit: str, other: str) -> Relation:
    told = connect(type_, host).relation(Repository(PLACE, HOSTS[type_].path), commit, other)
    assert isinstance(told, Relation)
    return told


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize(
    ("commit", "other", "expected"),
    [
        (2, 2, SAME),
        (2, 3, AFTER),
        (1, 6, AFTER),
        (4, 6, AFTER),
        (3, 2, BEFORE),
        (6, 4, BEFORE),
        (3, 4, APART),
        (3, 7, APART),
        (6, 21, APART),
        (20, 1, APART),
    ],
)
def test_hashes(type_: str, commit: int, other: int, expected: Relation) -> None:
    with Ancestors(type_) as host:
        assert relation(type_, host, sha(commit), sha(other)) is expected
        assert relation(type_, host, sha(commit).upper(), sha(other).upper()) is expected
        assert host.violations == []


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize(
    ("commit", "ref", "expected"),
    [
        (6, "refs/heads/main", SAME),
        (2, "refs/heads/main", AFTER),
        (2, ODD, AFTER),
        (3, ODD, APART),
        (7, ODD, SAME),
        (6, "refs/tags/v1/a", BEFORE),
        (2, "refs/tags/v1/a", AFTER),
        (2, "refs/heads/v1/a", APART),
        (6, "refs/heads/alone", APART),
    ],
)
def test_refs(type_: str, commit: int, ref: str, expected: Relation) -> None:
    with Ancestors(type_) as host:
        assert relation(type_, host, sha(commit), ref) is expected
        assert host.violations == []


def test_every_pair_as_the_history_has_it() -> None:
    for type_ in TYPES:
        with Ancestors(type_) as host:
            provider = connect(type_, host)
            for one in HISTORY.parents:
                for other in HISTORY.parents:
                    expected = (
                        SAME
                        if one == other
                        else AFTER
                        if one in HISTORY.of(other)
                        else BEFORE
                        if other in HISTORY.of(one)
                        else APART
                    )
                    assert provider.relation(Repository(PLACE, HOSTS[type_].path), one, other) is expected
            assert host.violations == []


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize(
    ("commit", "other", "named"),
    [
        (sha(99), sha(2), sha(99)[:12]),
        (sha(2), sha(99), sha(99)[:12]),
        (sha(2), "refs/heads/gone", "gone"),
        (sha(2), "refs/tags/gone/x", "gone/x"),
    ],
)
def test_what_the_host_does_not_know_is_no_answer(type_: str, commit: str, other: str, named: str) -> None:
    with Ancestors(type_) as host, pytest.raises(DeliveryError, match="does not know") as caught:
        relation(type_, host, commit, other)

    assert named in caught.value.message
    assert "pushed" in caught.value.hint
    assert not caught.value.passing


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize("other", [sha(3), "refs/heads/main"])
def test_a_repository_that_is_not_there_is_named(type_: str, other: str) -> None:
    with Ancestors(type_) as host:
        host.missing = True

        with pytest.raises(
            DeliveryError, match=r"the repository .*(fleet|FLEET).* does not exist, or the token"
        ) as caught:
            relation(type_, host, sha(2), other)
        assert "write" not in caught.value.hint.lower()


@pytest.mark.parametrize("type_", STATUS_TYPES)
def test_a_token_that_may_not_read_is_told_what_it_takes(type_: str) -> None:
    with Ancestors(type_) as host:
        host.blind = True

        with pytest.raises(DeliveryError, match="may not do that") as caught:
            relation(type_, host, sha(2), sha(3))
        assert "read" in caught.value.hint.lower()
        assert "write" not in caught.value.hint.lower()
        assert len(host.asked) == 1


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize("fault", [answer(500), answer(502), answer(503), reset(), lost(), rubbish(), answer(429)])
def test_what_passes_is_tried_again(type_: str, fault: Any) -> None:
    sleeps: list[float] = []
    if fault.answer.status == 429:
        fault = answer(429, {"Retry-After": "2"})
    with Ancestors(type_) as host:
        host.faults += [fault]

        told = connect(type_, host, sleeps).relation(Repository(PLACE, HOSTS[type_].path), sha(2), sha(3))

    assert told is AFTER
    assert 1 <= sum(sleeps) <= 10


@pytest.mark.parametrize("type_", STATUS_TYPES)
def test_after_three_tries_it_is_given_up_and_may_pass(type_: str) -> None:
    sleeps: list[float] = []
    with Ancestors(type_) as host:
        host.faults += [answer(500)] * 9

        with pytest.raises(DeliveryError) as caught:
            connect(type_, host, sleeps).relation(Repository(PLACE, HOSTS[type_].path), sha(2), sha(3))

        assert caught.value.passing
        assert len(host.asked) == 3
        assert sleeps == [1.0, 3.0]


@pytest.mark.parametrize("type_", STATUS_TYPES)
def test_a_long_rate_limit_is_not_waited_for(type_: str) -> None:
    sleeps: list[float] = []
    with Ancestors(type_) as host:
        host.faults += [answer(429, {"Retry-After": "60"})]
        provider = connect(type_, host, sleeps)

        for _ in range(2):
            with pytest.raises(DeliveryError, match="rate limit") as caught:
                provider.relation(Repository(PLACE, HOSTS[type_].path), sha(2), sha(3))

        assert caught.value.passing
        assert "--repository-path" in caught.value.hint
        assert sum(sleeps) == 0
        assert len(host.asked) == 1


@pytest.mark.parametrize("type_", STATUS_TYPES)
def test_a_wrong_token_is_not_tried_again(type_: str) -> None:
    with Ancestors(type_) as host:
        host.faults += [answer(401, body='{"message": "no"}')]

        with pytest.raises(DeliveryError, match="does not accept the token") as caught:
            relation(type_, host, sha(2), sha(3))
        assert not caught.value.passing
        assert len(host.asked) == 1


NONSENSE = ["", "{}", "[]", "null", "[[[[", '{"status": "AHEAD"}', '{"status": "ahead", "ahead_by": 0}', "<html>", "1"]
NONSENSE += ['{"id": "main"}', '{"hash": ""}', '{"values": []}', '{"values": [], "isLastPage": false}', "[" * 100_000]
NONSENSE += ['{"total_commits": 0}x', '{"commonCommit": "x"}', '{"values": [{}], "isLastPage": true}']


@pytest.mark.parametrize("type_", STATUS_TYPES)
@pytest.mark.parametrize("text", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("status", [200, 201, 204, 206])
def test_nonsense_is_no_answer(type_: str, text: str, status: int) -> None:
    if status == 204 and text:
        return
    for other in (sha(3), "refs/heads/main"):
        with Ancestors(type_) as host:
            host.faults += [answer(status, {"Content-Type": "application/json"}, text)] * 9

            with pytest.raises(DeliveryError):
                relation(type_, host, sha(2), other)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("commit", [sha(2), sha(7), sha(6)])
def test_an_answer_that_is_cut_off_is_no_answer(type_: str, commit: str) -> None:
    with Ancestors(type_) as host:
        full = json.dumps(_first_answer(type_, commit))
    for end in range(0, len(full) - 1, max(1, len(full) // 25)):
        with Ancestors(type_) as host:
            host.faults += [answer(200, {"Content-Type": "application/json"}, full[:end])] * 9
            with pytest.raises(DeliveryError):
                relation(type_, host, commit, sha(3))


def _first_answer(type_: str, commit: str) -> Any:
    kept: list[Any] = []
    with Ancestors(type_) as host:
        host.spoil = lambda value: kept.append(value) or value  # type: ignore[func-returns-value]
        relation(type_, host, commit, sha(3))
    return kept[0]


def _deep(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {name: _deep(inner, change) for name, inner in value.items()}
    return [_deep(inner, change) for inner in value] if isinstance(value, list) else change(value)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(("commit", "other"), [(3, 2), (3, 7), (6, 21), (21, 20)])
@pytest.mark.parametrize(
    "change",
    [
        lambda value: 0 if isinstance(value, int) and not isinstance(value, bool) else value,
        lambda value: not value if isinstance(value, bool) else value,
        lambda value: sha(1) if isinstance(value, str) and len(value) == 40 else value,
        lambda value: sha(99) if isinstance(value, str) and len(value) == 40 else value,
        lambda value: "" if isinstance(value, str) else value,
        lambda value: None,
        lambda value: (
            value.upper()
            if isinstance(value, str) and value in ("behind", "diverged")
            else "ahead"
            if value in ("behind", "diverged")
            else value
        ),
    ],
)
def test_what_is_not_after_is_never_made_so_by_a_spoilt_answer(
    type_: str, commit: int, other: int, change: Any
) -> None:
    with Ancestors(type_) as host:
        host.spoil = lambda value: _deep(value, change)
        try:
            told = relation(type_, host, sha(commit), sha(other))
        except DeliveryError:
            return
        assert told not in (AFTER, SAME)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("member", ["values", "commits", None])
def test_empty_lists_prove_nothing(type_: str, member: str | None) -> None:
    """Where each has what the other has not."""

    def empty(value: Any) -> Any:
        if isinstance(value, list) and member is None:
            return []
        if not isinstance(value, dict) or member not in value:
            return value
        return value | {str(member): [], "total_commits": 0, "size": 0, "isLastPage": True}

    with Ancestors(type_) as host:
        host.compares = member is not None
        host.spoil = empty
        try:
            assert relation(type_, host, sha(3), sha(7)) is APART
        except DeliveryError:
            return


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    "other",
    [
        "",
        "main",
        "abc",
        "HEAD",
        "refs/heads/",
        "refs/heads/../../../user",
        "refs/heads/a..b",
        "refs/heads/a b",
        sha(1)[1:],
        "refs/pull/1/head",
        "refs/heads/x\n",
        "refs/heads/a//b",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/@{1}",
    ],
)
def test_what_is_neither_hash_nor_ref_is_not_asked(type_: str, other: str) -> None:
    with Ancestors(type_) as host:
        with pytest.raises(DeliveryError, match="neither a full hash nor a ref"):
            relation(type_, host, sha(1), other)
        with pytest.raises(DeliveryError, match="not a full hash"):
            relation(type_, host, other, sha(1))
        assert host.asked == []


def test_the_requests_are_few_and_the_ones_that_are_documented() -> None:
    asked = {}
    for type_ in TYPES:
        with Ancestors(type_) as host:
            relation(type_, host, sha(2), sha(3))
            of_a_hash = [one.target.replace(sha(2), "A").replace(sha(3), "B") for one in host.asked]
            host.asked.clear()
            relation(type_, host, sha(2), ODD)
            asked[type_] = of_a_hash, len(host.asked)

    odd = "baseVersionType=commit&baseVersion=A&targetVersionType=commit&targetVersion=B&diffCommonCommit=true&%24top=1"
    assert asked == {
        "azuredevops": ([f"/acme/platform/_apis/git/repositories/fleet/diffs/commits?{odd}&api-version=5.0"], 1),
        "bitbucket": (["/2.0/repositories/acme/fleet/merge-base/A..B?fields=hash"], 2),
        "bitbucketserver": (
            [
                "/rest/api/latest/projects/ACME/repos/fleet/commits?until=B&since=A&limit=1",
                "/rest/api/latest/projects/ACME/repos/fleet/commits?until=A&since=B&limit=1",
            ],
            2,
        ),
        "gitea": (["/api/v1/repos/acme/fleet/compare/A...B?stat=false&verification=false&files=false"], 2),
        "github": (["/repos/acme/fleet/compare/A...B?per_page=1"], 1),
        "gitlab": (
            ["/gitlab/api/v4/projects/acme%2Fplatform%2Ffleet/repository/merge_base?refs%5B%5D=A&refs%5B%5D=B"],
            2,
        ),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"merge_base_commit": {"sha": sha(1)}},
        {"base_commit": {"sha": sha(1)}},
        {"behind_by": 1},
        {"ahead_by": 0},
        {"ahead_by": "1"},
        {"status": "identical", "ahead_by": 0},
        {"status": "behind"},
        {"status": "unknown"},
        {"status": None},
    ],
)
def test_a_github_that_contradicts_itself_is_not_believed(change: dict[str, Any]) -> None:
    with Ancestors("github") as host:
        host.spoil = lambda value: value | change

        with pytest.raises(DeliveryError, match="not one of GitHub's API"):
            relation("github", host, sha(2), sha(3))


def test_a_gitea_that_does_not_compare_lists_what_one_has_and_the_other_has_not() -> None:
    with Ancestors("gitea") as host:
        host.compares = False
        for commit, other, expected in ((2, 3, AFTER), (3, 2, BEFORE), (3, 4, APART), (6, 21, APART)):
            assert relation("gitea", host, sha(commit), sha(other)) is expected


@pytest.mark.parametrize(("commit", "other"), [(2, 3), (3, 2), (3, 4), (6, 21)])
def test_a_gitea_that_cannot_leave_out_is_not_believed(commit: int, other: int) -> None:
    with Ancestors("gitea") as host:
        host.compares = host.leaves_out = False

        with pytest.raises(DeliveryError, match="too old"):
            relation("gitea", host, sha(commit), sha(other))


def test_an_azure_devops_that_compares_the_default_branch_instead_is_not_believed() -> None:
    with Ancestors("azuredevops") as host:
        host.spoil = lambda value: (
            value | {"targetCommit": sha(6), "commonCommit": sha(3), "behindCount": 0, "aheadCount": 2}
        )

        with pytest.raises(DeliveryError, match="not one of"):
            relation("azuredevops", host, sha(3), sha(2))


@pytest.mark.parametrize(
    ("type_", "path", "redirects"),
    [
        ("github", "/repos/acme/clusters/compare/{}...{}?per_page=1", 1),
        ("gitea", "/repos/acme/clusters/compare/{}...{}", 2),
    ],
)
def test_a_renamed_repository_is_followed(type_: str, path: str, redirects: int) -> None:
    with Ancestors(type_) as host:
        host.faults += [answer(301, {"Location": host.url + path.format(sha(2), sha(3))})] * redirects

        assert relation(type_, host, sha(2), sha(3)) is AFTER
        assert "/clusters/" in host.asked[-1].path


def test_nobody_is_followed_to_another_host() -> None:
    with Ancestors("gitea") as elsewhere, Ancestors("gitea") as host:
        host.faults += [answer(301, {"Location": f"{elsewhere.url}/repos/acme/fleet/compare/{sha(2)}...{sha(3)}"})] * 2

        with pytest.raises(DeliveryError, match="not followed"):
            relation("gitea", host, sha(2), sha(3))
        assert elsewhere.asked == []


def test_who_writes_waits_when_the_host_wants_quiet() -> None:
    turns = TokenBucket.without_limit()
    with Ancestors("gitea") as host:
        host.faults += [answer(429, {"Retry-After": "60"})]
        with pytest.raises(DeliveryError):
            connect("gitea", host, turns=turns).relation(Repository(PLACE, "acme/fleet"), sha(1), sha(2))

    assert turns.held() > 50


def test_the_token_is_in_no_error() -> None:
    for type_ in TYPES:
        with Ancestors(type_) as host:
            token = HOSTS[type_].writer
            host.faults += [answer(403, body=json.dumps({"message": f"no {token}", "error": {"message": token}}))]
            with pytest.raises(DeliveryError) as caught:
                relation(type_, host, sha(1), sha(2))
            assert token not in caught.value.message + caught.value.hint


def test_pygithub_reads_the_same() -> None:
    with Ancestors("github") as host:
        theirs = Github(auth=Auth.Token("x"), base_url=host.url, lazy=True, retry=None, per_page=1)

        read = theirs.get_repo("acme/fleet").compare(sha(3), sha(7))

        assert (read.status, read.merge_base_commit.sha) == ("diverged", sha(2))


def test_python_gitlab_reads_the_same() -> None:
    with Ancestors("gitlab") as host:
        theirs = python_gitlab.Gitlab(host.url.removesuffix("/api/v4"), private_token="x")
        project = theirs.projects.get("acme/platform/fleet", lazy=True)

        read = project.repository_merge_base([sha(3), sha(7)])
        assert isinstance(read, dict)
        assert read["id"] == sha(2)
        assert project.branches.get(ODD.removeprefix("refs/heads/")).commit["id"] == sha(7)
        relation("gitlab", host, sha(3), ODD)

    ours = [one.target for one in host.asked[2:]]
    assert ours == [one.target for one in (host.asked[1], host.asked[0])]


def test_microsofts_own_client_asks_and_reads_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))  # else it makes a folder in the home directory

    from azure.devops._models import ApiResourceLocation
    from azure.devops.client import Client
    from azure.devops.v7_1.git.git_client import GitClient
    from azure.devops.v7_1.git.models import GitBaseVersionDescriptor, GitTargetVersionDescriptor
    from msrest.authentication import BasicAuthentication

    with Ancestors("azuredevops") as host:
        url = f"{host.url}/acme"
        place = ApiResourceLocation(
            id="615588d5-c0c7-4b88-88f8-e625306446e8",
            area="git",
            resource_name="commitDiffs",
            route_template="{project}/_apis/{area}/repositories/{repositoryId}/diffs/commits",
            resource_version=1,
            min_version=1.0,
            max_version=7.1,
            released_version="7.1",
        )
        monkeypatch.setitem(Client._locations_cache, url, [place])
        base = GitBaseVersionDescriptor(base_version=sha(3), base_version_type="commit")
        target = GitTargetVersionDescriptor(target_version="v1/a", target_version_type="branch")

        read = GitClient(url, BasicAuthentication("", "x")).get_commit_diffs(
            "fleet", "platform", True, 1, base_version_descriptor=base, target_version_descriptor=target
        )
        relation("azuredevops", host, sha(3), "refs/heads/v1/a")

    assert (read.common_commit, read.ahead_count, read.behind_count) == ("", 2, 3)
    theirs, ours = host.asked[0].query, host.asked[1].query
    assert ours.pop("api-version") == "5.0"
    assert theirs.pop("diffCommonCommit").lower() == ours.pop("diffCommonCommit")
    assert ours == theirs


@pytest.mark.parametrize("type_", sorted(providers.GIT))
def test_an_outlet_passes_it_on_if_it_is_for_statuses(type_: str) -> None:
    statuses = providers.GIT[type_].takes == "statuses"
    with Ancestors(type_ if statuses else "github") as host:
        token = HOSTS[type_].writer if statuses else "x"
        outlet = GitOutlet(GitHost(providers.GIT[type_].host, PLACE, host.url, Secret(token)), type_, Turns())
        repository = Repository(PLACE, HOSTS[type_].path if statuses else "acme/fleet")

        if statuses:
            assert outlet.relation(repository, sha(1), sha(2)) is AFTER
        else:
            with pytest.raises(DeliveryError, match="not asked which commit contains which"):
                outlet.relation(repository, sha(1), sha(2))
            assert host.asked == []


def test_a_channel_knows_no_commits() -> None:
    outlet = ChannelOutlet(
        Channel("slack", "slack", Secret("https://hooks.example.com/x")), lambda: pytest.fail("asked")
    )

    with pytest.raises(DeliveryError, match="knows no commits"):
        outlet.relation(Repository(PLACE, "acme/fleet"), sha(1), sha(2))


def test_the_patience_is_short() -> None:
    assert ancestry.PATIENCE == 10
    assert sum(ancestry.PAUSES) < ancestry.PATIENCE
    assert ancestry.patient(GitHost("gitea", PLACE, "https://x", max_wait=60)).max_wait == 10
    assert ancestry.patient(GitHost("gitea", PLACE, "https://x", max_wait=2)).max_wait == 2
