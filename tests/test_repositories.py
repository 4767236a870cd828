"""Which repository a URL means on the Git hosts that are served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed import revision
from landed.model import GitHost, Repository
from landed.render import commit_url
from landed.repositories import Repositories, parts, suggest


def served(type_: str, host: str, api_url: str = "", web_url: str = "", aliases: tuple[str, ...] = ()) -> GitHost:
    return GitHost(type_, host, api_url or f"https://{host}/api", web_url=web_url, aliases=aliases)


#: One of each kind, below a relative root and without, with a port of its own and without.
HOSTS = (
    served("github", "github.com", "https://api.github.com"),
    served("github", "ghes.example.com", "https://ghes.example.com/api/v3", aliases=("ssh.ghes.example.com",)),
    served("github", "acme.ghe.com", "https://api.acme.ghe.com"),
    served("gitlab", "gitlab.com", "https://gitlab.com/api/v4"),
    served("gitlab", "example.com", "https://example.com/gitlab/api/v4", "https://example.com/gitlab"),
    served("gitlab", "git.example.com", "https://git.example.com:8443/api/v4", "https://git.example.com:8443"),
    served("gitlab", "code.example.com:8443", "https://code.example.com:8443/api/v4"),
    served("gitea", "codeberg.org", "https://codeberg.org/api/v1"),
    served("gitea", "tea.example.com", "https://tea.example.com/a/git/api/v1", "https://tea.example.com/a/git/"),
    served("gitea", "127.0.0.1:3000", "http://127.0.0.1:3000/api/v1", "http://127.0.0.1:3000"),
    served("bitbucket", "bitbucket.org", "https://api.bitbucket.org/2.0"),
    served("bitbucketserver", "stash.example.com", "https://stash.example.com/rest"),
    served("bitbucketserver", "bb.example.com", "https://bb.example.com/ctx/rest", "https://bb.example.com/ctx"),
    served("azuredevops", "dev.azure.com", "https://dev.azure.com"),
    served("azuredevops", "tfs.example.com", "https://tfs.example.com/tfs", "https://tfs.example.com/tfs"),
    served("azuredevops", "azure.example.com", "https://azure.example.com"),
)
BY_HOST = {host.host: host for host in HOSTS}
FOO_BAR = ("foo", "bar")
NONE: tuple[str, ...] = ()
AZURE = ("dev.azure.com", "org/proj/_git/repo", ("org", "proj", "repo"))
SPACED = ("dev.azure.com", "org/My Project/_git/My Repo", ("org", "My Project", "My Repo"))
ALONE = ("dev.azure.com", "org/repo/_git/repo", ("org", "repo", "repo"))
TFS = ("tfs.example.com", "tfs/Coll/proj/_git/repo", ("Coll", "proj", "repo"))
TFS_ALONE = ("tfs.example.com", "tfs/Coll/repo/_git/repo", ("Coll", "repo", "repo"))
SERVER = ("azure.example.com", "Coll/proj/_git/repo", ("Coll", "proj", "repo"))
STASH = ("stash.example.com", "projects/KEY/repos/slug", ("KEY", "slug"))
STASH_USER = ("stash.example.com", "users/jane/repos/slug", ("~jane", "slug"))
BB = ("bb.example.com", "ctx/projects/KEY/repos/slug", ("KEY", "slug"))
BB_USER = ("bb.example.com", "ctx/users/jane/repos/slug", ("~jane", "slug"))
ROOTED = ("example.com", "gitlab/group/project", ("group", "project"))
ROOTED_SUB = ("example.com", "gitlab/group/sub/project", ("group", "sub", "project"))
TEA = ("tea.example.com", "a/git/foo/bar", FOO_BAR)

# The URL; what it becomes: host, path, and what the host's API calls it.
GITHUB = [
    ("https://github.com/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar/", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar.git/", "github.com", "foo/bar", FOO_BAR),
    ("https://www.github.com/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("http://github.com/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("HTTPS://GITHUB.COM/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("https://user:p%40ss@github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com:443/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com//foo//bar", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar?tab=readme#top", "github.com", "foo/bar", FOO_BAR),
    ("git@github.com:foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git@github.com:/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("github.com:foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("org-1234@github.com:foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("ssh://git@github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("ssh://git@github.com:22/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("ssh://git@ssh.github.com:443/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("ssh://git@ssh.github.com:443/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git@ssh.github.com:foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git+ssh://git@github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("ssh+git://git@github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git+https://github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git://github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/.github", "github.com", "foo/.github", ("foo", ".github")),
    ("https://github.com/foo/bar/tree/main", "github.com", "foo/bar/tree/main", NONE),
    ("https://github.com/foo/bar/commit/6dcd4ce2", "github.com", "foo/bar/commit/6dcd4ce2", NONE),
    ("https://github.com/foo", "github.com", "foo", NONE),
    ("https://github.com/foo/b%2Far", "github.com", "foo/b%2Far", NONE),
    ("https://github.com/foo/b%FFar", "github.com", "foo/b%FFar", NONE),
    ("https://ghes.example.com/foo/bar", "ghes.example.com", "foo/bar", FOO_BAR),
    ("https://ghes.example.com:8443/foo/bar", "ghes.example.com", "foo/bar", FOO_BAR),
    ("git@ghes.example.com:foo/bar.git", "ghes.example.com", "foo/bar", FOO_BAR),
    ("ssh://git@ghes.example.com:122/foo/bar.git", "ghes.example.com", "foo/bar", FOO_BAR),
    ("ssh://git@ssh.ghes.example.com:122/foo/bar.git", "ghes.example.com", "foo/bar", FOO_BAR),
    ("git@ssh.ghes.example.com:foo/bar.git", "ghes.example.com", "foo/bar", FOO_BAR),
    ("https://acme.ghe.com/foo/bar.git", "acme.ghe.com", "foo/bar", FOO_BAR),
    ("acme@acme.ghe.com:foo/bar.git", "acme.ghe.com", "foo/bar", FOO_BAR),
    ("ssh://acme@acme.ghe.com/foo/bar.git", "acme.ghe.com", "foo/bar", FOO_BAR),
]
GITLAB = [
    ("https://gitlab.com/foo/bar.git", "gitlab.com", "foo/bar", FOO_BAR),
    ("git@gitlab.com:foo/bar.git", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/foo/bar/baz.git", "gitlab.com", "foo/bar/baz", ("foo", "bar", "baz")),
    ("git@gitlab.com:foo/bar/baz.git", "gitlab.com", "foo/bar/baz", ("foo", "bar", "baz")),
    ("https://gitlab.com/a/b/c/d/e", "gitlab.com", "a/b/c/d/e", ("a", "b", "c", "d", "e")),
    ("ssh://git@altssh.gitlab.com:443/foo/bar/baz.git", "gitlab.com", "foo/bar/baz", ("foo", "bar", "baz")),
    ("https://oauth2:t0ken@gitlab.com/foo/bar.git", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/1234", "gitlab.com", "1234", ("1234",)),
    ("https://gitlab.com/1234.git", "gitlab.com", "1234", ("1234",)),
    ("https://gitlab.com/group", "gitlab.com", "group", NONE),
    ("https://gitlab.com/foo/bar/-/tree/main", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/foo/bar/-/commit/6dcd4ce2", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/foo/bar/-/", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/foo/bar.git/-/tree/main", "gitlab.com", "foo/bar", FOO_BAR),
    ("https://gitlab.com/-/profile", "gitlab.com", "-/profile", ("-", "profile")),
    ("https://gitlab.com/foo%2Fbar", "gitlab.com", "foo%2Fbar", NONE),
    ("https://example.com/gitlab/group/project", *ROOTED),
    ("https://example.com/gitlab/group/project.git", *ROOTED),
    ("https://example.com/GitLab/group/project", *ROOTED),
    ("https://example.com/gitlab/group/project/-/tree/main", *ROOTED),
    ("git@example.com:group/project.git", *ROOTED),
    ("ssh://git@example.com/group/project.git", *ROOTED),
    ("ssh://git@example.com:2222/group/project.git", *ROOTED),
    ("ssh://git@example.com:2222/gitlab/group/project.git", *ROOTED),
    ("https://example.com:8443/gitlab/group/project", *ROOTED),
    ("https://example.com:8443/group/project", *ROOTED),
    ("https://example.com/gitlab/group/sub/project", *ROOTED_SUB),
    ("git@example.com:group/sub/project.git", *ROOTED_SUB),
    ("https://example.com/gitlab/1234", "example.com", "gitlab/1234", ("1234",)),
    ("https://example.com/group/project", "example.com", "group/project", NONE),
    ("https://example.com/gitlab/gitlab/project", "example.com", "gitlab/gitlab/project", ("gitlab", "project")),
    ("git@example.com:gitlab/project.git", "example.com", "gitlab/gitlab/project", ("gitlab", "project")),
    ("git@example.com:gitlab/gitlab/project.git", "example.com", "gitlab/gitlab/project", ("gitlab", "project")),
    ("https://git.example.com:8443/foo/bar", "git.example.com", "foo/bar", FOO_BAR),
    ("https://git.example.com/foo/bar", "git.example.com", "foo/bar", FOO_BAR),
    ("ssh://git@git.example.com:2222/foo/bar.git", "git.example.com", "foo/bar", FOO_BAR),
    ("git@git.example.com:foo/bar.git", "git.example.com", "foo/bar", FOO_BAR),
    ("git://git.example.com:9418/foo/bar.git", "git.example.com", "foo/bar", FOO_BAR),
    ("https://code.example.com:8443/foo/bar", "code.example.com:8443", "foo/bar", FOO_BAR),
    ("https://code.example.com:08443/foo/bar", "code.example.com:8443", "foo/bar", FOO_BAR),
    ("https://code.example.com/foo/bar", "code.example.com:8443", "foo/bar", FOO_BAR),
    ("ssh://git@code.example.com:2222/foo/bar.git", "code.example.com:8443", "foo/bar", FOO_BAR),
    ("git@code.example.com:foo/bar.git", "code.example.com:8443", "foo/bar", FOO_BAR),
]
GITEA = [
    ("https://codeberg.org/foo/bar", "codeberg.org", "foo/bar", FOO_BAR),
    ("git@codeberg.org:foo/bar.git", "codeberg.org", "foo/bar", FOO_BAR),
    ("ssh://git@codeberg.org/foo/bar.git", "codeberg.org", "foo/bar", FOO_BAR),
    ("https://codeberg.org/foo/bar/src/branch/main", "codeberg.org", "foo/bar/src/branch/main", NONE),
    ("https://tea.example.com/a/git/foo/bar", *TEA),
    ("https://tea.example.com/a/git/foo/bar.git/", *TEA),
    ("git@tea.example.com:foo/bar.git", *TEA),
    ("ssh://git@tea.example.com:2222/foo/bar.git", *TEA),
    ("https://tea.example.com/foo/bar", "tea.example.com", "foo/bar", NONE),
    ("http://127.0.0.1:3000/foo/bar.git", "127.0.0.1:3000", "foo/bar", FOO_BAR),
    ("ssh://git@127.0.0.1:2222/foo/bar.git", "127.0.0.1:3000", "foo/bar", FOO_BAR),
    ("http://127.0.0.1:3001/foo/bar.git", "127.0.0.1:3001", "foo/bar", None),
]
BITBUCKET = [
    ("https://bitbucket.org/foo/bar.git", "bitbucket.org", "foo/bar", FOO_BAR),
    ("https://jane@bitbucket.org/foo/bar.git", "bitbucket.org", "foo/bar", FOO_BAR),
    ("git@bitbucket.org:foo/bar.git", "bitbucket.org", "foo/bar", FOO_BAR),
    ("ssh://git@altssh.bitbucket.org:443/foo/bar.git", "bitbucket.org", "foo/bar", FOO_BAR),
    ("https://bitbucket.org/foo/bar/src/main", "bitbucket.org", "foo/bar/src/main", NONE),
    ("https://stash.example.com/scm/KEY/slug.git", *STASH),
    ("https://stash.example.com/scm/key/slug.git", *STASH),
    ("https://jane:s3cret@stash.example.com/scm/key/slug.git", *STASH),
    ("ssh://git@stash.example.com:7999/KEY/slug.git", *STASH),
    ("ssh://git@stash.example.com:7999/key/slug.git", *STASH),
    ("ssh://git@stash.example.com:7999/scm/key/slug.git", *STASH),
    ("ssh://git@stash.example.com/KEY/slug", *STASH),
    ("git@stash.example.com:KEY/slug", *STASH),
    ("git@stash.example.com:key/slug.git", *STASH),
    ("https://stash.example.com/projects/KEY/repos/slug", *STASH),
    ("https://stash.example.com/projects/KEY/repos/slug/browse", *STASH),
    ("https://stash.example.com/projects/KEY/repos/slug/browse/a/b?at=main", *STASH),
    ("https://stash.example.com/projects/key/repos/slug/commits/6dcd4ce2", *STASH),
    ("https://stash.example.com/scm/~jane/slug.git", *STASH_USER),
    ("ssh://git@stash.example.com:7999/~jane/slug.git", *STASH_USER),
    ("git@stash.example.com:~jane/slug", *STASH_USER),
    ("https://stash.example.com/users/jane/repos/slug", *STASH_USER),
    ("https://stash.example.com/users/jane/repos/slug/browse", *STASH_USER),
    ("https://stash.example.com/projects/~jane/repos/slug", *STASH_USER),
    ("https://stash.example.com/KEY/slug", "stash.example.com", "KEY/slug", NONE),
    ("https://stash.example.com/projects/KEY", "stash.example.com", "projects/KEY", NONE),
    ("https://stash.example.com/ctx/scm/KEY/slug", "stash.example.com", "ctx/projects/KEY/repos/slug", ("KEY", "slug")),
    ("https://stash.example.com/scm/scm/slug", "stash.example.com", "projects/SCM/repos/slug", ("SCM", "slug")),
    (
        "https://stash.example.com/scm/users/repos",
        "stash.example.com",
        "projects/USERS/repos/repos",
        ("USERS", "repos"),
    ),
    ("https://stash.example.com/users/scm/repos/slug", "stash.example.com", "users/scm/repos/slug", ("~scm", "slug")),
    ("https://bb.example.com/ctx/scm/KEY/slug.git", *BB),
    ("https://bb.example.com/ctx/scm/key/slug.git", *BB),
    ("ssh://git@bb.example.com:7999/KEY/slug.git", *BB),
    ("ssh://git@bb.example.com/KEY/slug", *BB),
    ("git@bb.example.com:KEY/slug", *BB),
    ("https://bb.example.com/ctx/projects/KEY/repos/slug/browse", *BB),
    ("https://bb.example.com/ctx/scm/~jane/slug.git", *BB_USER),
    ("ssh://git@bb.example.com:7999/~jane/slug.git", *BB_USER),
    ("https://bb.example.com/ctx/users/jane/repos/slug/browse", *BB_USER),
    ("ssh://git@bb.example.com:7999/ctx/slug.git", "bb.example.com", "ctx/projects/CTX/repos/slug", ("CTX", "slug")),
    ("https://bb.example.com/scm/KEY/slug.git", "bb.example.com", "scm/KEY/slug", NONE),
]
AZURES = [
    ("https://dev.azure.com/org/proj/_git/repo", *AZURE),
    ("https://org@dev.azure.com/org/proj/_git/repo", *AZURE),
    ("https://org:t0ken@dev.azure.com/org/proj/_git/repo", *AZURE),
    ("https://dev.azure.com/org/proj/_git/repo?version=GBmain", *AZURE),
    ("https://dev.azure.com/org/proj/_git/repo/commit/6dcd4ce2", *AZURE),
    ("https://dev.azure.com/org/proj/_git/_optimized/repo", *AZURE),
    ("https://dev.azure.com/org/proj/_git/_full/repo", *AZURE),
    ("https://org.visualstudio.com/proj/_git/repo", *AZURE),
    ("https://org.visualstudio.com/DefaultCollection/proj/_git/repo", *AZURE),
    ("https://org.visualstudio.com/DefaultCollection/proj/_git/_optimized/repo", *AZURE),
    ("ssh://org@org.visualstudio.com:22/DefaultCollection/proj/_git/repo", *AZURE),
    ("ssh://org@org.visualstudio.com:22/proj/_ssh/repo", *AZURE),
    ("git@ssh.dev.azure.com:v3/org/proj/repo", *AZURE),
    ("git@ssh.dev.azure.com:v3/org/proj/_full/repo", *AZURE),
    ("ssh://git@ssh.dev.azure.com/v3/org/proj/repo", *AZURE),
    ("ssh://git@ssh.dev.azure.com:22/v3/org/proj/repo", *AZURE),
    ("org@vs-ssh.visualstudio.com:v3/org/proj/repo", *AZURE),
    ("ssh://org@vs-ssh.visualstudio.com:22/v3/org/proj/repo", *AZURE),
    ("https://dev.azure.com/org/_git/repo", *ALONE),
    ("https://dev.azure.com/org/_git/_full/repo", *ALONE),
    ("https://org.visualstudio.com/_git/repo", *ALONE),
    ("https://org.visualstudio.com/DefaultCollection/_git/repo", *ALONE),
    ("git@ssh.dev.azure.com:v3/org/repo/repo", *ALONE),
    ("https://dev.azure.com/org/My%20Project/_git/My%20Repo", *SPACED),
    ("git@ssh.dev.azure.com:v3/org/My%20Project/My%20Repo", *SPACED),
    ("https://org.visualstudio.com/My%20Project/_git/My%20Repo", *SPACED),
    ("https://dev.azure.com/v3/proj/_git/repo", "dev.azure.com", "v3/proj/_git/repo", ("v3", "proj", "repo")),
    ("https://dev.azure.com/org/proj/_git/C%23", "dev.azure.com", "org/proj/_git/C%23", ("org", "proj", "C#")),
    ("https://dev.azure.com/org/proj", "dev.azure.com", "org/proj", NONE),
    ("https://tfs.example.com/tfs/Coll/proj/_git/repo", *TFS),
    ("https://tfs.example.com/tfs/Coll/proj/_git/_optimized/repo", *TFS),
    ("https://tfs.example.com/TFS/Coll/proj/_git/repo", *TFS),
    ("http://tfs.example.com:8080/tfs/Coll/proj/_git/repo", *TFS),
    ("ssh://tfs.example.com:22/tfs/Coll/proj/_git/repo", *TFS),
    ("ssh://tfs.example.com:22/Coll/proj/_git/repo", *TFS),
    ("ssh://tfs.example.com:22/Coll/proj/_ssh/repo", *TFS),
    ("https://tfs.example.com/tfs/Coll/_git/repo", *TFS_ALONE),
    ("ssh://tfs.example.com:22/Coll/_git/repo", *TFS_ALONE),
    (
        "https://tfs.example.com/tfs/DefaultCollection/My%20Project/_git/repo",
        "tfs.example.com",
        "tfs/DefaultCollection/My Project/_git/repo",
        ("DefaultCollection", "My Project", "repo"),
    ),
    ("https://tfs.example.com/Coll/proj/_git/repo", "tfs.example.com", "Coll/proj/_git/repo", NONE),
    ("https://azure.example.com/Coll/proj/_git/repo", *SERVER),
    ("ssh://azure.example.com:22/Coll/proj/_git/repo", *SERVER),
]
ELSEWHERE = [
    ("https://git.other.com/foo/bar.git", "git.other.com", "foo/bar", None),
    ("https://git.other.com:8443/foo/bar", "git.other.com:8443", "foo/bar", None),
    ("ssh://git@git.other.com:2222/foo/bar.git", "git.other.com", "foo/bar", None),
    ("ssh://git@git.other.com:7999/key/slug.git", "git.other.com", "scm/key/slug", None),
    ("https://git.other.com/scm/key/slug.git", "git.other.com", "scm/key/slug", None),
    ("https://git.other.com/foo/bar/-/tree/main", "git.other.com", "foo/bar/-/tree/main", None),
]
FORMS = [*GITHUB, *GITLAB, *GITEA, *BITBUCKET, *AZURES, *ELSEWHERE]

# What notification-controller makes an address of that nobody answers to.
HARD = [
    ("ssh://git@git.example.com:2222/foo/bar.git", "git.example.com", "foo/bar", FOO_BAR),
    ("ssh://git@ssh.github.com:443/foo/bar", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar/", "github.com", "foo/bar", FOO_BAR),
    ("https://github.com/foo/bar.git/", "github.com", "foo/bar", FOO_BAR),
    ("https://example.com/gitlab/group/project", *ROOTED),
    ("git@ssh.dev.azure.com:v3/org/proj/repo", *AZURE),
    ("https://org.visualstudio.com/proj/_git/repo", *AZURE),
    ("https://tfs.example.com/tfs/Coll/proj/_git/repo", *TFS),
    ("git+ssh://git@github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
    ("git://github.com/foo/bar.git", "github.com", "foo/bar", FOO_BAR),
]


def canonical(found: Repository) -> str:
    """The repository's web address, as a browser shows it."""
    return f"https://{found.host}/{quote(found.path, safe='/%~')}"


@pytest.mark.parametrize(("url", "host", "path", "called"), FORMS, ids=[form[0] for form in FORMS])
def test_every_spelling(url: str, host: str, path: str, called: tuple[str, ...] | None) -> None:
    find = Repositories(HOSTS)
    found = find(url)
    assert found == Repository(host, path)
    assert find(url) is found
    assert Repositories(HOSTS)(canonical(found)) == found, "its web address is the same repository"
    if called is None:
        assert host not in BY_HOST
        assert found == revision.repository(url)
    else:
        assert parts(BY_HOST[host], found) == called


@pytest.mark.parametrize(("url", "host", "path", "called"), HARD, ids=[form[0] for form in HARD])
def test_what_is_hard_for_others(url: str, host: str, path: str, called: tuple[str, ...]) -> None:
    found = Repositories(HOSTS)(url)
    assert found == Repository(host, path)
    assert parts(BY_HOST[host], found) == called


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/git/fleet.git",
        "file:///srv/git/fleet.git",
        "oci://registry.example.com/example/fleet",
        "https://github.com",
        "https://github.com/.git",
        "https://github.com/foo/../bar",
        "https://github.com/foo/%2e%2e/bar",
        "https://gitlab.com/.git/-/tree/main",
        "ssh://org@vs-ssh.visualstudio.com:22/proj/_ssh/repo",
        "https://github.com/foo/bar\nhttps://example.com",
    ],
)
def test_what_is_no_repository(url: str) -> None:
    assert Repositories(HOSTS)(url) is None


def test_without_hosts_it_is_what_the_url_says() -> None:
    find = Repositories()
    for url, *_ in FORMS:
        assert find(url) == revision.repository(url)


SHARED = (
    served("gitlab", "git.example.com"),
    served("gitea", "git.example.com:3000", "http://git.example.com:3000/api"),
)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://git.example.com/foo/bar", "git.example.com"),
        ("https://git.example.com:443/foo/bar", "git.example.com"),
        ("http://git.example.com:3000/foo/bar", "git.example.com:3000"),
        ("https://git.example.com:8443/foo/bar", "git.example.com:8443"),
        ("ssh://git@git.example.com:3000/foo/bar", "git.example.com:3000"),
        ("ssh://git@git.example.com:2222/foo/bar", "git.example.com"),
        ("git@git.example.com:foo/bar", "git.example.com"),
    ],
)
def test_hosts_that_share_a_name_are_told_by_their_ports(url: str, host: str) -> None:
    found = Repositories(SHARED)(url)
    assert found is not None
    assert found.host == host


def test_by_ssh_a_name_that_nobody_has_alone_is_nobodys_unless_the_port_is_declared() -> None:
    hosts = (
        served("bitbucketserver", "git.example.com:8443"),
        served(
            "gitea", "git.example.com:9443", web_url="https://git.example.com:9443/git", aliases=("git.example.com:22",)
        ),
    )
    find = Repositories(hosts)
    assert find("ssh://git@git.example.com:2222/foo/bar") == Repository("git.example.com", "foo/bar")
    assert find("ssh://git@git.example.com:22/foo/bar") == Repository("git.example.com:9443", "git/foo/bar")


def test_a_host_is_found_by_all_its_names() -> None:
    host = served(
        "github",
        "git.example.com",
        "https://api.example.net:8443/v3",
        "https://www.example.org",
        ("ssh.example.com:2222",),
    )
    find = Repositories([host])
    for authority in (
        "git.example.com",
        "www.example.org",
        "ssh.example.com",
        "ssh.example.com:2222",
        "api.example.net:8443",
        "api.example.net",
    ):
        assert find(f"https://{authority}/foo/bar") == Repository("git.example.com", "foo/bar")
    assert find("https://api.example.net:9443/foo/bar") == Repository("api.example.net:9443", "foo/bar")


def test_a_gateway_to_several_hosts_is_none_of_them() -> None:
    hosts = [
        served("github", name, f"https://gateway.example.com/{name}") for name in ("a.example.com", "b.example.com")
    ]
    assert Repositories(hosts)("https://gateway.example.com/foo/bar") == Repository("gateway.example.com", "foo/bar")


def test_the_first_of_two_hosts_of_one_name_counts() -> None:
    find = Repositories([served("gitlab", "git.example.com"), served("gitea", "git.example.com")])
    assert find("https://git.example.com/foo/bar/-/tree/main") == Repository("git.example.com", "foo/bar")


def test_settings_that_make_no_sense_find_nothing() -> None:
    host = GitHost("gitlab", "git example com", "nonsense", web_url="://", aliases=("", "a b"))
    assert Repositories([host])("https://git.example.com/foo/bar") == Repository("git.example.com", "foo/bar")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://github.com/Foo/Bar", "git@github.com:foo/bar.git"),
        ("https://gitlab.com/Foo/Sub/Bar", "https://gitlab.com/foo/sub/bar"),
        ("https://codeberg.org/foo/bar", "https://codeberg.org/FOO/bar"),
        ("https://bitbucket.org/foo/bar", "https://bitbucket.org/Foo/bar"),
        ("https://stash.example.com/scm/key/Slug", "ssh://git@stash.example.com:7999/KEY/slug"),
        ("https://dev.azure.com/Org/Proj/_git/Repo", "git@ssh.dev.azure.com:v3/org/proj/repo"),
        ("https://tfs.example.com/tfs/coll/proj/_git/repo", "https://tfs.example.com/tfs/Coll/Proj/_GIT/Repo"),
    ],
)
def test_of_two_spellings_that_differ_by_case_the_first_is_kept(first: str, second: str) -> None:
    find = Repositories(HOSTS)
    found = find(first)
    assert find(second) == found == Repositories(HOSTS)(first)
    assert find("https://git.other.com/A/b") != find("https://git.other.com/a/b"), "elsewhere it may matter"


def test_threads_that_ask_at_once_get_one_answer() -> None:
    find = Repositories(HOSTS)
    urls = ["https://github.com/Foo/Bar", "git@github.com:foo/bar", "https://github.com/foo/BAR"] * 50
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(find, urls))) == 1


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("github.com", "foo"),
        ("github.com", "foo/bar/baz"),
        ("github.com", ""),
        ("github.com", "foo/ "),
        ("github.com", "../bar"),
        ("github.com", "foo/%2E%2E"),
        ("gitlab.com", "%2E/bar"),
        ("gitlab.com", "foo%2Fbar/baz"),
        ("gitlab.com", "\u0661\u0662"),
        ("example.com", "gitlab"),
        ("example.com", "other/group/project"),
        ("stash.example.com", "a/b/projects/KEY/repos/slug"),
        ("dev.azure.com", "org/proj/repo"),
        ("dev.azure.com", "org/proj/_git/re%00po"),
    ],
)
def test_what_the_api_has_no_name_for(host: str, path: str) -> None:
    assert parts(BY_HOST[host], Repository(host, path)) == ()


def test_a_kind_that_is_not_known_has_no_parts() -> None:
    assert parts(served("svn", "svn.example.com"), Repository("svn.example.com", "foo/bar")) == ()


@pytest.mark.parametrize(
    ("host", "type_"),
    [
        ("github.com", "github"),
        ("www.github.com", "github"),
        ("github.example.com", "github"),
        ("acme.ghe.com", "github"),
        ("gitlab.com", "gitlab"),
        ("GitLab.example.com:8443", "gitlab"),
        ("my-gitlab.example.com", "gitlab"),
        ("gitea.example.com", "gitea"),
        ("forgejo.example.com", "gitea"),
        ("codeberg.org", "gitea"),
        ("bitbucket.org", "bitbucket"),
        ("bitbucket.example.com", "bitbucketserver"),
        ("stash.example.com", "bitbucketserver"),
        ("dev.azure.com", "azuredevops"),
        ("acme.visualstudio.com", "azuredevops"),
        ("azuredevops.example.com", "azuredevops"),
        ("azure.example.com", "azuredevops"),
        ("tfs.example.com", "azuredevops"),
        ("git.example.com", ""),
        ("notgithub.com", ""),
        ("notcodeberg.org", ""),
        ("foo.azurewebsites.net", ""),
        ("[::1]:3000", ""),
        ("", ""),
    ],
)
def test_what_a_name_gives_away(host: str, type_: str) -> None:
    assert suggest(host) == type_


# Properties. The words are those that mean something to some host.
TELLING = (
    "_git _ssh _full _optimized v3 DefaultCollection scm projects users repos - gitlab a git ctx tfs ~jane ~ KEY key"
    " bar.git .git 1234 My%20Repo x /"
)
WORDS = st.one_of(
    st.sampled_from(TELLING.split()),
    st.text(st.one_of(st.sampled_from("%2F5~@:. -_"), st.characters()), max_size=8),
)
ODD = (
    "git.example.com:8443 ssh.dev.azure.com vs-ssh.visualstudio.com o.visualstudio.com ssh.github.com:443"
    " stash.example.com:7999 bb.example.com:7999 example.com:2222 example.com:8443 git.other.com git.other.com:7999"
    " api.github.com 127.0.0.1:3001"
)
PLACES = st.sampled_from([*BY_HOST, *ODD.split()])
LINKS = st.builds(
    lambda scheme, user, place, words: f"{scheme}{user}{place}/{'/'.join(words)}",
    st.sampled_from(["https://", "http://", "ssh://", "git://", "git+https://", "git+ssh://"]),
    st.sampled_from(["", "git@", "user:p@ss@"]),
    PLACES,
    st.lists(WORDS, max_size=8),
)
SHORT = st.builds(
    lambda place, words: f"git@{place}:{'/'.join(words)}",
    PLACES.filter(lambda place: ":" not in place),
    st.lists(WORDS, max_size=7),
)


@given(st.one_of(LINKS, SHORT, st.text(max_size=60)))
def test_any_text_is_a_repository_or_none_and_its_web_address_means_the_same_one(url: str) -> None:
    found = Repositories(HOSTS)(url)
    if found is None:
        return
    assert found.path
    assert not {"", ".", ".."} & set(found.path.split("/"))
    assert str(found).isprintable()
    assert Repositories(HOSTS)(f"https://{found}") == found
    assert Repositories(HOSTS)(canonical(found)) == found
    assert commit_url(found, "c0").isascii() or not found.host.isascii()
    for part in parts(BY_HOST.get(found.host, HOSTS[0]), found):
        assert part
        assert "/" not in part


SECRETS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789:@%.~-_", min_size=3, max_size=12).map(lambda text: f"Zq{text}qZ")


@given(st.sampled_from(["https", "http", "ssh", "git+ssh", "git"]), SECRETS, SECRETS, st.sampled_from(sorted(BY_HOST)))
def test_neither_user_nor_password_is_in_a_repository(scheme: str, user: str, password: str, host: str) -> None:
    for login in (user, f"{user}:{password}"):
        found = Repositories(HOSTS)(f"{scheme}://{login}@{host}/foo/bar")
        assert found is not None
        assert "Zq" not in str(found)
    short = Repositories(HOSTS)(f"{user.replace(':', '').replace('@', '')}@{host.partition(':')[0]}:foo/bar")
    assert short is not None
    assert "Zq" not in str(short)


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,9}([-_.][A-Za-z0-9]{1,5})?", fullmatch=True).filter(
    lambda name: (
        name.lower() not in {"gitlab", "a", "ctx", "tfs", "v3", "scm", "projects", "users", "defaultcollection"}
    )
)


def one(host: str, spellings: list[str]) -> Repository:
    """What all of them are on this host, whichever is seen first."""
    found = {Repositories([BY_HOST[host]])(spelling) for spelling in spellings}
    assert len(found) == 1
    (only,) = found
    assert only is not None
    return only


def alike(*bases: str, path: str) -> list[str]:
    return [f"{base}{path}{end}" for base in bases for end in ("", ".git", "/", ".git/")]


@given(NAMES, NAMES)
def test_all_spellings_of_a_repository_of_an_owner_agree(owner: str, name: str) -> None:
    path = f"{owner}/{name}"
    github = ("https://github.com/", "git@github.com:", "ssh://git@ssh.github.com:443/", "git://www.github.com//")
    assert one("github.com", alike(*github, path=path)) == Repository("github.com", path)
    tea = (
        "https://tea.example.com/a/git/",
        "git@tea.example.com:",
        "ssh://git@tea.example.com:2222/",
        "git+ssh://tea.example.com/",
    )
    assert one("tea.example.com", alike(*tea, path=path)) == Repository("tea.example.com", f"a/git/{path}")


@given(st.lists(NAMES, min_size=2, max_size=5))
def test_all_spellings_of_a_gitlab_project_agree(names: list[str]) -> None:
    path = "/".join(names)
    spellings = alike("https://example.com/gitlab/", "git@example.com:", "ssh://git@example.com:2222/", path=path)
    found = one("example.com", [*spellings, f"https://example.com/gitlab/{path}/-/tree/main"])
    assert parts(BY_HOST["example.com"], found) == tuple(names)


@given(NAMES, NAMES, st.booleans())
def test_all_spellings_of_a_bitbucket_server_repository_agree(key: str, slug: str, personal: bool) -> None:
    project = f"~{key}" if personal else key.upper()
    base = f"users/{key}/repos" if personal else f"projects/{key.upper()}/repos"
    git = alike(
        "https://bb.example.com/ctx/scm/",
        "ssh://git@bb.example.com:7999/",
        "git@bb.example.com:",
        path=f"{project}/{slug}",
    )
    found = one(
        "bb.example.com",
        [*git, f"https://bb.example.com/ctx/{base}/{slug}", f"https://bb.example.com/ctx/{base}/{slug}/browse"],
    )
    assert parts(BY_HOST["bb.example.com"], found) == (project, slug)


@given(NAMES, NAMES, NAMES)
def test_all_spellings_of_an_azure_repository_agree(organisation: str, project: str, name: str) -> None:
    organisation = organisation.replace("_", "-").lower()  # a host's name
    path = f"{organisation}/{project}"
    found = one(
        "dev.azure.com",
        [
            *(f"https://dev.azure.com/{path}/_git/{view}{name}" for view in ("", "_full/", "_optimized/")),
            f"git@ssh.dev.azure.com:v3/{path}/{name}",
            f"{organisation}@vs-ssh.visualstudio.com:v3/{path}/{name}",
            f"https://{organisation}.visualstudio.com/{project}/_git/{name}",
            f"https://{organisation}.visualstudio.com/DefaultCollection/{project}/_git/{name}",
        ],
    )
    assert parts(BY_HOST["dev.azure.com"], found) == (organisation, project, name)
    server = one(
        "tfs.example.com",
        [
            f"https://tfs.example.com/tfs/{path}/_git/{name}",
            f"ssh://tfs.example.com:22/tfs/{path}/_git/{name}",
            f"ssh://tfs.example.com:22/{path}/_git/{name}",
        ],
    )
    assert parts(BY_HOST["tfs.example.com"], server) == (organisation, project, name)
