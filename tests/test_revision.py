"""Revision strings, progress messages and repository URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.model import Repository
from landed.revision import ORIGIN, Address, address, attempt, commit, dependency, loopback, pointer, repository, short

SHA = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
DIGEST = "7e887edb52b723997076a9f5a72bef4473227a303cbc2cf5118e7be261f41c13"

# revision, pointer, short form; all of them name SHA
COMMITS = [
    pytest.param(f"main@sha1:{SHA}", "main", "main@6dcd4ce2", id="branch"),
    pytest.param(f"feature/x@sha1:{SHA}", "feature/x", "feature/x@6dcd4ce2", id="branch-with-slash"),
    pytest.param(f"user@home@sha1:{SHA}", "user@home", "user@home@6dcd4ce2", id="branch-with-at"),
    pytest.param(f"v1.2.3@sha1:{SHA}", "v1.2.3", "v1.2.3@6dcd4ce2", id="tag"),
    pytest.param(f"refs/heads/main@sha1:{SHA}", "refs/heads/main", "refs/heads/main@6dcd4ce2", id="full-ref"),
    pytest.param(
        f"refs/pull/420/head@sha1:{SHA}", "refs/pull/420/head", "refs/pull/420/head@6dcd4ce2", id="pull-request"
    ),
    pytest.param(f"sha1:{SHA}", "", "6dcd4ce2", id="commit"),
    pytest.param(f"main/{SHA}", "main", "main@6dcd4ce2", id="legacy-branch"),
    pytest.param(f"feature/x/{SHA}", "feature/x", "feature/x@6dcd4ce2", id="legacy-branch-with-slash"),
    pytest.param(f"HEAD/{SHA}", "", "6dcd4ce2", id="legacy-head"),
    pytest.param(SHA, "", "6dcd4ce2", id="bare"),
    pytest.param(SHA.upper(), "", "6dcd4ce2", id="upper-case"),
    pytest.param(f"main@sha1:{SHA}\n", "main", "main@6dcd4ce2", id="trailing-newline"),
    pytest.param(f"main@{SHA}", "main", "main@6dcd4ce2", id="without-algorithm"),
    pytest.param(f"main:{SHA}", "main", "main@6dcd4ce2", id="after-a-colon"),
    pytest.param(f"{SHA[::-1]}@sha1:{SHA}", SHA[::-1], f"{SHA[::-1]}@6dcd4ce2", id="tag-like-a-commit"),
]

# revision, pointer, short form; none of them names a commit, whatever the kind
NO_COMMITS = [
    pytest.param("", "", "", id="empty"),
    pytest.param("master", "", "master", id="branch-only"),
    pytest.param("6.5.0+7e887edb52b7", "", "6.5.0+7e887edb52b7", id="chart-version"),
    pytest.param(f"main@sha1:{SHA[:-1]}", "main", "main@6dcd4ce2", id="39-digits"),
    pytest.param(f"main@sha1:{SHA}0", "main", "main@6dcd4ce2", id="41-digits"),
    pytest.param(f"main@sha1:{SHA[:-1]}g", "", f"main@sha1:{SHA[:-1]}g", id="not-hexadecimal"),
    pytest.param(f"main{SHA}x", "", f"main{SHA}x", id="no-separator"),
    pytest.param(f"latest@sha256:{SHA}", "latest", "latest@sha256:6dcd4ce2", id="sha256-of-40-digits"),
    pytest.param(f"{SHA}@sha256:{DIGEST[:-1]}", SHA, f"{SHA}@sha256:7e887edb", id="tag-is-a-commit"),
    pytest.param(f"sha512:{DIGEST}{DIGEST}", "", "sha512:7e887edb", id="sha512"),
    pytest.param(DIGEST, "", "7e887edb", id="bare-64-digits"),
]


@pytest.mark.parametrize(("revision", "at", "brief"), COMMITS)
@pytest.mark.parametrize("kind", ["GitRepository", ORIGIN])
def test_a_git_revision_names_its_commit(revision: str, at: str, brief: str, kind: str) -> None:
    assert (commit(revision, kind), pointer(revision), short(revision)) == (SHA, at, brief)


@pytest.mark.parametrize(("revision", "at", "brief"), COMMITS)
@pytest.mark.parametrize("kind", ["OCIRepository", "Bucket", "ExternalArtifact", "HelmRelease", ""])
def test_no_other_kind_has_commits(revision: str, at: str, brief: str, kind: str) -> None:
    assert commit(revision, kind) == ""


@pytest.mark.parametrize(("revision", "at", "brief"), NO_COMMITS)
@pytest.mark.parametrize("kind", ["GitRepository", ORIGIN, "OCIRepository"])
def test_what_is_not_a_commit(revision: str, at: str, brief: str, kind: str) -> None:
    assert (commit(revision, kind), pointer(revision), short(revision)) == ("", at, brief)


@pytest.mark.parametrize(
    ("revision", "at", "brief"),
    [
        pytest.param(f"main@sha256:{DIGEST}", "main", "main@sha256:7e887edb", id="branch"),
        pytest.param(f"sha256:{DIGEST}", "", "sha256:7e887edb", id="bare"),
    ],
)
def test_a_sha256_is_a_commit_of_a_git_repository_only(revision: str, at: str, brief: str) -> None:
    assert (pointer(revision), short(revision)) == (at, brief)
    assert commit(revision, "GitRepository") == DIGEST
    assert commit(revision.replace("7e88", "7E88"), "GitRepository") == DIGEST
    assert {commit(revision, kind) for kind in (ORIGIN, "OCIRepository", "Bucket", "ExternalArtifact")} == {""}


def test_a_commit_is_shortened_like_a_revision() -> None:
    assert short(SHA) == SHA[:8]


@pytest.mark.parametrize(
    ("message", "phase"),
    [
        (f"Fetching manifests for revision main@sha1:{SHA} with a timeout of 2m0s", "fetching"),
        (f"Building manifests for revision main@sha1:{SHA} with a timeout of 30s", "building"),
        (f"Detecting drift for revision main@sha1:{SHA} with a timeout of 9m30s", "applying"),
        (f"Running health checks for revision main@sha1:{SHA} with a timeout of 2m0s", "health checks"),
    ],
    ids=lambda value: value.partition(" ")[0],
)
def test_a_progress_message_names_phase_and_revision(message: str, phase: str) -> None:
    assert attempt(message) == (phase, f"main@sha1:{SHA}")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Reconciliation in progress",
        "Fetching manifests for revision",
        "Fetching manifests for revision  with a timeout of 2m0s",
        f"Fetching manifests for revision two words@sha1:{SHA} with a timeout of 2m0s",
        f"Still: Fetching manifests for revision main@sha1:{SHA} with a timeout of 2m0s",
    ],
)
def test_other_messages_name_no_attempt(message: str) -> None:
    assert attempt(message) == ("", "")


@pytest.mark.parametrize(
    "revision",
    [f"with@a@sha1:{SHA}", f"a'b\"c;&|$(x)`{{}}@sha1:{SHA}", f"日本/語@sha1:{SHA}", f"sha256:{DIGEST}", f"main/{SHA}"],
)
def test_a_branch_may_be_called_almost_anything(revision: str) -> None:
    message = f"Detecting drift for revision {revision} with a timeout of 2m0s"
    assert attempt(message) == ("applying", revision)


@pytest.mark.parametrize(
    "message",
    [
        "dependency 'flux-system/infra' not found: kustomizations \"infra\" not found",
        "dependency 'flux-system/infra' is not ready",
        "dependency 'flux-system/infra' is not ready according to readyExpr eval",
        "dependency 'flux-system/infra' revision is not up to date",
        "unable to get 'flux-system/infra' dependency: kustomizations \"infra\" not found",
    ],
)
def test_a_message_names_the_dependency_it_waits_for(message: str) -> None:
    assert dependency(message) == ("flux-system", "infra")


@pytest.mark.parametrize(
    "message",
    ["", "dependency", "dependency 'infra' is not ready", "dependency 'a/b/c' is not ready", "no dependency 'a/b'"],
)
def test_other_messages_name_no_dependency(message: str) -> None:
    assert dependency(message) is None


AZURE = ("dev.azure.com", "org/proj/_git/repo")
FORMS = [
    ("https://github.com/foo/bar", "github.com", "foo/bar"),
    ("https://github.com/foo/bar.git", "github.com", "foo/bar"),
    ("http://github.com/foo/bar", "github.com", "foo/bar"),
    ("HTTPS://GitHub.COM/Foo/Bar", "github.com", "Foo/Bar"),
    ("https://www.github.com/foo/bar", "github.com", "foo/bar"),
    ("https://github.com./foo/bar", "github.com", "foo/bar"),
    ("  https://github.com/foo/bar\n", "github.com", "foo/bar"),
    ("https://github.com/foo/bar/", "github.com", "foo/bar"),
    ("https://github.com/foo/bar.git/", "github.com", "foo/bar"),
    ("https://github.com/foo/bar.git//", "github.com", "foo/bar"),
    ("https://github.com//foo//bar", "github.com", "foo/bar"),
    ("https://github.com/foo/bar?x=1#readme", "github.com", "foo/bar"),
    ("https://user:p%40ss@github.com/foo/bar", "github.com", "foo/bar"),
    ("https://user:p@ss@github.com/foo/bar", "github.com", "foo/bar"),
    ("git@gitlab.com:foo/bar.git", "gitlab.com", "foo/bar"),
    ("gitlab.com:foo/bar.git", "gitlab.com", "foo/bar"),
    ("git@gitlab.com:/foo/bar.git", "gitlab.com", "foo/bar"),
    ("git@gitolite:infra.git", "gitolite", "infra"),
    ("ssh://git@github.com/foo/bar.git", "github.com", "foo/bar"),
    ("ssh://github.com/foo/bar", "github.com", "foo/bar"),
    ("git+ssh://git@github.com/foo/bar.git", "github.com", "foo/bar"),
    ("ssh+git://git@github.com/foo/bar.git", "github.com", "foo/bar"),
    ("git+https://github.com/foo/bar.git", "github.com", "foo/bar"),
    ("git://github.com/foo/bar.git", "github.com", "foo/bar"),
    ("git://git.example.com:9418/foo/bar.git", "git.example.com", "foo/bar"),
    ("ssh://git@git.example.com:2222/foo/bar.git", "git.example.com", "foo/bar"),
    ("ssh://git@ssh.github.com:443/foo/bar.git", "github.com", "foo/bar"),
    ("ssh://git@altssh.gitlab.com:443/foo/bar.git", "gitlab.com", "foo/bar"),
    ("ssh://git@altssh.bitbucket.org:443/foo/bar.git", "bitbucket.org", "foo/bar"),
    ("git@ssh.github.com:foo/bar.git", "github.com", "foo/bar"),
    ("https://gitlab.com/foo/bar/baz.git", "gitlab.com", "foo/bar/baz"),
    ("https://gitlab.com/1234", "gitlab.com", "1234"),
    ("https://git.example.com:8443/foo/bar", "git.example.com:8443", "foo/bar"),
    ("https://git.example.com:443/foo/bar", "git.example.com", "foo/bar"),
    ("https://git.example.com:/foo/bar", "git.example.com", "foo/bar"),
    ("http://git.example.com:80/foo/bar", "git.example.com", "foo/bar"),
    ("http://git.example.com:3000/foo/bar", "git.example.com:3000", "foo/bar"),
    ("https://git.example.com:80/foo/bar", "git.example.com:80", "foo/bar"),
    ("https://git.example.com/gitlab/group/proj", "git.example.com", "gitlab/group/proj"),
    ("http://localhost:3000/foo/bar", "localhost:3000", "foo/bar"),
    ("https://[2001:DB8::1]/foo/bar", "[2001:db8::1]", "foo/bar"),
    ("https://[2001:db8::1]:8443/foo/bar", "[2001:db8::1]:8443", "foo/bar"),
    ("ssh://git@[2001:db8::1]:2222/foo/bar", "[2001:db8::1]", "foo/bar"),
    ("git@[2001:db8::1]:foo/bar.git", "[2001:db8::1]", "foo/bar"),
    ("git@ssh.dev.azure.com:v3/org/proj/repo", *AZURE),
    ("ssh://git@ssh.dev.azure.com/v3/org/proj/repo", *AZURE),
    ("ssh://git@ssh.dev.azure.com:22/v3/org/proj/repo", *AZURE),
    ("https://dev.azure.com/org/proj/_git/repo", *AZURE),
    ("https://user@dev.azure.com/org/proj/_git/repo", *AZURE),
    ("https://org.visualstudio.com/proj/_git/repo", *AZURE),
    ("https://org.visualstudio.com/DefaultCollection/proj/_git/repo", *AZURE),
    ("org@vs-ssh.visualstudio.com:v3/org/proj/repo", *AZURE),
    ("ssh://org@vs-ssh.visualstudio.com/v3/org/proj/repo", *AZURE),
    ("https://dev.azure.com/org/_git/repo", "dev.azure.com", "org/repo/_git/repo"),
    ("https://org.visualstudio.com/_git/repo", "dev.azure.com", "org/repo/_git/repo"),
    ("https://dev.azure.com/org/My%20Project/_git/repo", "dev.azure.com", "org/My Project/_git/repo"),
    ("git@ssh.dev.azure.com:v3/org/My%20Project/repo", "dev.azure.com", "org/My Project/_git/repo"),
    ("https://dev.azure.com/org/proj/_git/_full/repo", *AZURE),
    ("https://dev.azure.com/org/proj/_git/_optimized/repo", *AZURE),
    ("https://dev.azure.com/org/proj/_git/repo/commit/6dcd4ce2", *AZURE),
    ("https://dev.azure.com:8443/org/proj/_git/repo", *AZURE),
    ("git@ssh.dev.azure.com:v3/org/proj/_full/repo", *AZURE),
    ("ssh://org@org.visualstudio.com:22/DefaultCollection/proj/_ssh/repo", *AZURE),
    ("https://dev.azure.com/v3/proj/_git/repo", "dev.azure.com", "v3/proj/_git/repo"),
    ("https://dev.azure.com/org/proj/_git", "dev.azure.com", "org/proj/_git"),
    ("https://dev.azure.com/org/_git/_git", "dev.azure.com", "org/_git/_git"),
    ("https://server/tfs/Coll/proj/_git/repo", "server", "tfs/Coll/proj/_git/repo"),
    ("ssh://server:22/tfs/Coll/proj/_git/repo", "server", "tfs/Coll/proj/_git/repo"),
    ("https://git.example.com/scm/KEY/repo.git", "git.example.com", "scm/KEY/repo"),
    ("ssh://git@git.example.com:7999/KEY/repo.git", "git.example.com", "scm/KEY/repo"),
    ("https://git.example.com/scm/~user/repo.git", "git.example.com", "scm/~user/repo"),
    ("ssh://git@git.example.com:7999/~user/repo.git", "git.example.com", "scm/~user/repo"),
    ("https://git.example.com/context/scm/~user/repo.git", "git.example.com", "context/scm/~user/repo"),
    ("https://git.example.com/f%C3%B6o/b%61r", "git.example.com", "föo/bar"),
    ("https://git.example.com/a%2fb/c%25d%3Fe%23", "git.example.com", "a%2Fb/c%25d%3Fe%23"),
    ("https://git.example.com/%ff%0a/bar", "git.example.com", "%FF%0A/bar"),
    ("https://git.example.com/100%/bar", "git.example.com", "100%25/bar"),
    ("https://git.example.com/%%32%35/bar", "git.example.com", "%2525/bar"),
    ("https://git.example.com/%ff%41/bar", "git.example.com", "%FFA/bar"),
    ("https://git.example.com:08443/foo/bar", "git.example.com:8443", "foo/bar"),
]


@pytest.mark.parametrize(("url", "host", "path"), FORMS, ids=[form[0].strip() for form in FORMS])
def test_a_repository_is_known_by_every_spelling_of_its_url(url: str, host: str, path: str) -> None:
    assert repository(url) == Repository(host, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "/",
        "/srv/git/fleet.git",
        "./fleet",
        "../fleet.git",
        "~/fleet",
        "C:/fleet",
        "C:\\fleet",
        "file:///srv/git/fleet.git",
        "oci://registry.example.com/example/fleet",
        "s3://bucket/fleet",
        "oci:fleet",
        "ftp://example.com/foo/bar",
        "minio.example.com",
        "github.com/foo/bar",
        "git@github.com/foo/bar.git",
        "https://",
        "https:///foo/bar",
        "https://github.com",
        "https://github.com/",
        "https://github.com/.git",
        "https://github.com/../../etc/passwd",
        "https://github.com/foo/%2e%2E/bar",
        "https://github.com:port/foo/bar",
        "ssh://git@github.com:foo/bar.git",
        "https://git hub.com/foo/bar",
        "https://github.com\\@example.com/foo/bar",
        "https://[::1/foo/bar",
        "https://[rubbish]/foo/bar",
        "git@https://github.com/foo/bar",
        "https://github.com/foo/bar\nhttps://example.com",
        "https://github.com/foo/\x00bar",
        "https://github.com/foo/\udcffbar",
        "://github.com/foo/bar",
        "git@:foo/bar",
        "git@github.com:",
        "ssh://org@vs-ssh.visualstudio.com:22/proj/_ssh/repo",
        "https://org.visualstudio.com/",
    ],
)
def test_what_is_not_a_repository(url: str) -> None:
    assert repository(url) is None


@pytest.mark.parametrize(
    ("url", "host", "port", "web", "path"),
    [
        ("https://git.example.com:8443/a/b.git", "git.example.com", "8443", True, ("a", "b")),
        ("http://git.example.com:80", "git.example.com", "", True, ()),
        ("ssh://git@git.example.com:22/a", "git.example.com", "22", False, ("a",)),
        ("git@git.example.com:a", "git.example.com", "", False, ("a",)),
        ("ssh://git@ssh.github.com:443/a/b", "github.com", "443", False, ("a", "b")),
    ],
)
def test_an_address_says_how_it_is_spelt(url: str, host: str, port: str, web: bool, path: tuple[str, ...]) -> None:
    found = address(url)
    assert found == Address(host, port, web, path)
    assert found.authority == (f"{host}:{port}" if port else host)


@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:3000"])
def test_this_machine(host: str) -> None:
    assert loopback(host)


@pytest.mark.parametrize("host", ["", "::1", "127.0.0.1.example.com", "localhost.example.com", "127.0.0", "10.0.0.1"])
def test_not_this_machine(host: str) -> None:
    assert not loopback(host)


TRICKY = st.text(st.one_of(st.sampled_from("@:/.%[]~?#gitv3_ \\-2fF0"), st.characters()), max_size=60)
URLS = st.one_of(
    TRICKY,
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["https://", "http://", "ssh://", "git+ssh://", "git://", "", "oci://"]),
        st.sampled_from(["", "git@", "user:p@ss@"]),
        st.sampled_from(
            ["github.com", "h:8443", "dev.azure.com", "ssh.dev.azure.com:22", "o.visualstudio.com", "h:7999", "[::1]"]
        ),
        st.builds("{}{}".format, st.sampled_from("/:"), TRICKY),
    ),
)


@given(URLS)
def test_any_text_is_a_repository_or_none_and_its_web_address_is_the_same_one(url: str) -> None:
    found = repository(url)
    if found is not None:
        assert found.host == found.host.lower()
        assert found.path
        assert not found.path.startswith("/")
        assert not found.path.endswith(("/", ".git"))
        assert not {"", ".", ".."} & set(found.path.split("/"))
        assert str(found).isprintable()
        assert repository(f"https://{found}") == found


@given(st.one_of(TRICKY, st.from_regex(r"\A.*[@/:]?(sha1:|sha256:)?[0-9a-fA-F]{38,66}\Z")), st.text())
def test_any_text_is_a_revision_with_or_without_a_commit(revision: str, kind: str) -> None:
    assert isinstance(pointer(revision), str)
    assert isinstance(short(revision), str)
    assert isinstance(commit(revision, kind), str)
    found = commit(revision, "GitRepository")
    assert len(found) in {0, 40, 64}
    assert set(found) <= set("0123456789abcdef")
    assert found in revision.lower()
    assert commit(revision, ORIGIN) in {"", found}


@given(st.one_of(st.text(), st.from_regex(r"(Fetching manifests|Detecting drift) for revision .* with a timeout of")))
def test_any_text_is_a_message_with_or_without_an_attempt(message: str) -> None:
    phase, revision = attempt(message)
    assert bool(phase) == bool(revision)
    assert revision in message


@given(st.one_of(st.text(), st.from_regex(r"dependency '.*/.*'")))
def test_any_text_is_a_message_with_or_without_a_dependency(message: str) -> None:
    found = dependency(message)
    assert found is None or "/".join(found) in message
