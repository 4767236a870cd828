"""Finding, reading and merging kubeconfigs, and what is said of the ones that are no good."""

from __future__ import annotations

import base64
import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from kube.server import FLUX
from kube.world import Config, b64

from landed import kube
from landed.errors import ConfigurationError
from landed.kube import kubeconfig
from landed.kube.context import choose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube.world import World

CA = "-----BEGIN CERTIFICATE-----"


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all examples."""
    return tmp_path_factory.mktemp("fuzzed")


def told(call: Callable[[], Any]) -> str:
    """What a user reads: the sentence and the hint."""
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert caught.value.exit_code == 2
    return f"{caught.value.message} {caught.value.hint}".strip()


def minimal(**parts: Any) -> dict[str, Any]:
    cluster = {"server": "https://api.example.com:6443"}
    return {**Config(cluster, {"token": "hidden-token"}).document(), **parts}


def contexts(option: str, environ: dict[str, str], **place: str) -> tuple[str, tuple[str, ...]]:
    """The current context, and the names of all."""
    found = kube.known(option, environ, **place)
    return found.current, found.contexts


def connect(document: Any, context: str = "", **environ: str) -> Any:
    """With the kubeconfig given as text."""
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    return kube.connect(text, context, {"HOME": "/nowhere", **environ})


class TestWhereItIsFound:
    @pytest.mark.parametrize("way", ["path", "text", "json", "json with tabs", "base64", "base64 with line breaks"])
    def test_the_option(self, way: str, world: World) -> None:
        text = world.config().text()
        document = json.dumps(world.config().document())
        given_as = {
            "path": str(world.write("config", text)),
            "text": text,
            "json": document,
            "json with tabs": json.dumps(world.config().document(), indent="\t"),
            "base64": b64(text.encode()),
            "base64 with line breaks": base64.encodebytes(text.encode()).decode(),
        }[way]
        with kube.connect(given_as, "", world.environ("/nowhere/config")) as client:
            client.get(FLUX)
        assert world.api.users == ["alice"]

    def test_the_option_may_list_several_files(self, world: World) -> None:
        whole = world.config().document()
        first = world.write("a", yaml.safe_dump({**whole, "users": []}))
        second = world.write("b", yaml.safe_dump({"users": whole["users"]}))
        with kube.connect(f"{first}:{world.folder}/missing:{second}", "", world.environ()) as client:
            client.get(FLUX)
        assert world.api.users == ["alice"]

    def test_paths_in_a_kubeconfig_without_a_file_are_relative_to_the_working_directory(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(world.folder)
        world.write("ca.crt", world.authority)
        config = world.config(certificate_authority_data=None, certificate_authority="ca.crt")
        with kube.connect(config.text(), "", {}) as client:
            client.get(FLUX)
        assert world.api.users == ["alice"]

    def test_the_usual_place(self, world: World) -> None:
        world.write("home/.kube/config", world.config().text())
        assert contexts("", world.environ()) == ("x", ("x",))

    def test_kubeconfig_before_the_usual_place(self, world: World) -> None:
        world.write("home/.kube/config", world.config().text())
        other = world.config()
        other.names, other.current = ("c2", "u2", "x2"), "x2"
        path = world.write("other", other.text())
        assert contexts("", world.environ(path)) == ("x2", ("x2",))

    def test_a_pod_s_service_account_only_where_there_is_no_kubeconfig(self, world: World) -> None:
        world.write("account/token", "g00d")
        world.write("account/ca.crt", world.authority)
        environ = world.environ(KUBERNETES_SERVICE_HOST="::1", KUBERNETES_SERVICE_PORT="443")
        account = str(world.folder / "account")
        assert contexts("", environ, service_account=account) == ("in-cluster", ("in-cluster",))
        with kube.connect("", "in-cluster", environ, service_account=account) as client:
            assert client.endpoint.netloc == "[::1]"
        world.write("home/.kube/config", world.config().text())
        assert contexts("", environ, service_account=account) == ("x", ("x",))

    def test_a_pod_without_a_ca(self, world: World) -> None:
        world.write("account/token", "g00d")
        environ = world.environ(KUBERNETES_SERVICE_HOST="10.0.0.1", KUBERNETES_SERVICE_PORT="443")
        account = str(world.folder / "account")
        assert "ca.crt cannot be read" in told(lambda: kube.connect("", "", environ, service_account=account))

    @pytest.mark.parametrize("port", ["no", "0", "65536", "-1", "٣"])
    def test_a_pod_with_a_port_that_is_none(self, port: str, world: World) -> None:
        world.write("account/token", "g00d")
        environ = world.environ(KUBERNETES_SERVICE_HOST="10.0.0.1", KUBERNETES_SERVICE_PORT=port)
        account = str(world.folder / "account")
        assert "not a port" in told(lambda: kube.connect("", "", environ, service_account=account))

    def test_nothing_anywhere(self, world: World) -> None:
        message = told(lambda: kube.connect("", "", world.environ()))
        assert message.startswith("There is no kubeconfig, and this is no pod")
        assert "LANDED_KUBECONFIG" in message
        assert "no kubeconfig" in told(lambda: contexts("", world.environ()))

    def test_nothing_where_kubeconfig_says(self, world: World) -> None:
        environ = world.environ("/nowhere/a:/nowhere/b")
        assert "KUBECONFIG exists: /nowhere/a:/nowhere/b" in told(lambda: kube.connect("", "", environ))


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            pytest.param("", "{file} is empty", id="empty"),
            pytest.param("# nothing\n", "{file} is empty", id="comments only"),
            pytest.param("---\n", "{file} is empty", id="a null document"),
            pytest.param("{}", "{file} is empty", id="an empty mapping"),
            pytest.param("a: [b\nc: hidden-token", "{file} is not valid YAML (line 2)", id="not YAML"),
            pytest.param("a: 1\n---\nb: 2\n", "{file} is not valid YAML", id="two documents"),
            pytest.param("a: !!python/object:os.system {}", "{file} is not valid YAML", id="a tag"),
            pytest.param("hidden-token", "{file} is not a kubeconfig: it holds no mapping", id="a word"),
            pytest.param("- a\n- b\n", "{file} is not a kubeconfig: it holds no mapping", id="a list"),
            pytest.param(b"\xff\xfe\x00hidden-token", "{file} is not a text file in UTF-8", id="binary"),
            pytest.param("[" * 5000, "{file} is n", id="nested deeply"),
            pytest.param('{"a":' * 2000 + "1" + "}" * 2000, "{file} is n", id="nested deeply in JSON"),
            pytest.param("clusters: {a: b}", "{file} is not a kubeconfig: clusters is not a list", id="no list"),
            pytest.param("users: [hidden-token]", "{file}: users[0] is not of the form", id="entry is a word"),
            pytest.param("users: [{user: {}}]", "{file}: users[0] is not of the form", id="entry has no name"),
            pytest.param("users: [{name: u, user: [1]}]", "{file}: users[0] is not of the form", id="no mapping"),
            pytest.param("users: [{name: 7, user: {}}]", "{file}: users[0].name must be text", id="name is a number"),
            pytest.param("current-context: [x]", "{file}: current-context must be text", id="current is a list"),
            pytest.param(
                "users: [{name: u, user: {}}, {name: u, user: {}}]", '{file}: users has "u" twice', id="twice"
            ),
            pytest.param("contexts: []\nkind: Config", "There is no current-context in {path}", id="no current"),
        ],
    )
    def test_a_file_that_is_no_good(self, content: str | bytes, says: str, world: World) -> None:
        path = world.write("config", content)
        message = told(lambda: kube.connect(str(path), "", {}))
        assert says.format(file=f"The kubeconfig {path}", path=path) in message
        assert "hidden-token" not in message
        assert "hidden-token" not in told(lambda: kube.connect("", "", world.environ(path)))

    def test_a_path_that_does_not_exist(self, tmp_path: Path) -> None:
        assert told(lambda: kube.connect(f"{tmp_path}/none", "", {})).startswith(
            f"There is no kubeconfig at {tmp_path}/none."
        )

    def test_a_directory(self, tmp_path: Path) -> None:
        assert f"The kubeconfig {tmp_path} is a directory" in told(lambda: kube.connect(str(tmp_path), "", {}))

    def test_a_file_that_may_not_be_read(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        path = world.write("config", world.config().text())

        def refuse(_: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(path), "read_bytes", refuse)
        assert f"The kubeconfig {path} cannot be read: Permission denied." in told(
            lambda: kube.connect(str(path), "", {})
        )

    def test_a_path_with_a_nul(self) -> None:
        assert "There is no kubeconfig at" in told(lambda: kube.connect("a\0b", "", {}))

    def test_text_that_is_damaged_is_not_printed(self) -> None:
        damaged = b64(yaml.safe_dump(minimal()).encode()).replace("=", "")[:-3] + "!" * 300
        message = told(lambda: kube.connect(damaged, "", {}))
        assert "is neither a path, nor YAML, nor the base64 of YAML" in message
        assert damaged[:20] not in message

    def test_a_text_is_named_as_such(self) -> None:
        assert told(lambda: connect("a: b\nc: [")).startswith("The given kubeconfig is not valid YAML (line ")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            pytest.param(
                {"current-context": ""},
                "no current-context in the given kubeconfig. Choose one with --context: x.",
                id="no current",
            ),
            pytest.param(
                {"current-context": "y"}, 'no context "y" in the given kubeconfig. There is: x.', id="unknown current"
            ),
            pytest.param({"contexts": None}, 'no context "x"', id="no contexts"),
            pytest.param(
                {"contexts": [{"name": "x", "context": {"user": "u"}}]},
                'Context "x" in the given kubeconfig names no cluster',
                id="no cluster",
            ),
            pytest.param(
                {"contexts": [{"name": "x", "context": {"cluster": "c"}}]},
                'Context "x" in the given kubeconfig names no user',
                id="no user",
            ),
            pytest.param(
                {"contexts": [{"name": "x", "context": {"cluster": "cc", "user": "u"}}]},
                'context "x" names cluster "cc", which is not in the given kubeconfig. Did you mean c?',
                id="unknown cluster",
            ),
            pytest.param({"users": []}, 'context "x" names user "u", which is not in', id="unknown user"),
            pytest.param(
                {"contexts": [{"name": "x", "context": {"cluster": 1, "user": "u"}}]},
                'context "x" in the given kubeconfig is not usable: Expected str, got int',
                id="a number",
            ),
        ],
    )
    def test_a_context_that_is_no_good(self, change: dict[str, Any], says: str) -> None:
        assert says in told(lambda: connect(minimal(**change)))

    def test_the_nearest_names_are_shown_and_no_more_than_five(self) -> None:
        names = [f"prod-eu-{number}" for number in range(9)] + ["staging"]
        many = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in names]
        message = told(lambda: connect(minimal(contexts=many), "prod-eu"))
        assert message.startswith('There is no context "prod-eu" in the given kubeconfig. Did you mean prod-eu-')
        assert message.count("prod-eu-") == 5
        assert "and 5 more" in told(lambda: connect(minimal(contexts=many), "zzz"))

    @pytest.mark.parametrize(
        ("cluster", "says"),
        [
            ({"server": ""}, 'Cluster "c" in the given kubeconfig has no server'),
            ({"server": "ftp://api.example.com"}, "is not a usable URL"),
            ({"server": "https://"}, "is not a usable URL"),
            ({"server": "https://api.example.com:70000"}, "is not a usable URL"),
            ({"server": "https://api.example.com:x"}, "is not a usable URL"),
            ({"server": "https://[::1"}, "is not a usable URL"),
            ({"server": "https://a b/"}, "is not a usable URL"),
            ({"server": 6443}, "Expected str, got int - at $.server"),
            ({"insecure-skip-tls-verify": "yes"}, "Expected bool, got str - at $.insecure-skip-tls-verify"),
            (
                {"certificate-authority-data": "%%%"},
                'certificate-authority of cluster "c" in the given kubeconfig is not valid base64',
            ),
            ({"certificate-authority": "/nowhere/ca.crt"}, "cannot be read from /nowhere/ca.crt: No such file"),
            ({"certificate-authority": "a\0b"}, "not a path"),
            (
                {"certificate-authority-data": b64(CA.encode()), "insecure-skip-tls-verify": True},
                "has both a certificate-authority and insecure-skip-tls-verify",
            ),
        ],
    )
    def test_a_cluster_that_is_no_good(self, cluster: dict[str, Any], says: str) -> None:
        document = minimal()
        document["clusters"][0]["cluster"] |= cluster
        assert says in told(lambda: connect(document))

    @pytest.mark.parametrize("user", [{"token": 12345}, {"exec": {"env": [{"value": "v"}]}}, {"as-groups": "one"}])
    def test_a_user_that_is_no_good(self, user: dict[str, Any]) -> None:
        message = told(lambda: connect(minimal(users=[{"name": "u", "user": user}])))
        assert 'user "u" in the given kubeconfig is not usable: ' in message
        assert "12345" not in message

    def test_what_is_wrong_elsewhere_does_not_matter(self) -> None:
        document = minimal()
        document["users"].append({"name": "other", "user": {"token": 7}})
        document["clusters"].append({"name": "other", "cluster": {"server": []}})
        connect(document)

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def test_no_content_makes_it_stumble(self, fuzzed: Path, content: bytes) -> None:
        (fuzzed / "config").write_bytes(content)
        with pytest.raises(ConfigurationError):
            kube.connect(str(fuzzed / "config"), "", {})

    @given(st.text(max_size=300))
    @example("~\x00")
    def test_no_option_makes_it_stumble(self, fuzzed: Path, option: str) -> None:
        if option.strip():
            with pytest.raises(ConfigurationError):
                kube.connect(option, "", {"HOME": str(fuzzed)})


class TestServers:
    @pytest.mark.parametrize(
        ("server", "scheme", "host", "port", "prefix", "netloc"),
        [
            ("https://api.example.com", "https", "api.example.com", 443, "", "api.example.com"),
            ("https://api.example.com:6443/", "https", "api.example.com", 6443, "", "api.example.com:6443"),
            (
                "https://r.example.com/k8s/clusters/c-1/",
                "https",
                "r.example.com",
                443,
                "/k8s/clusters/c-1",
                "r.example.com",
            ),
            ("https://[2001:db8::1]:6443", "https", "2001:db8::1", 6443, "", "[2001:db8::1]:6443"),
            ("http://127.0.0.1:8001", "http", "127.0.0.1", 8001, "", "127.0.0.1:8001"),
            ("127.0.0.1:8080", "http", "127.0.0.1", 8080, "", "127.0.0.1:8080"),
            ("HTTPS://API.example.com", "https", "api.example.com", 443, "", "api.example.com"),
            ("https://user:word@api.example.com", "https", "api.example.com", 443, "", "api.example.com"),
        ],
    )
    def test_urls(self, server: str, scheme: str, host: str, port: int, prefix: str, netloc: str) -> None:
        document = minimal()
        document["clusters"][0]["cluster"]["server"] = server
        endpoint = connect(document).endpoint
        assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.prefix) == (scheme, host, port, prefix)
        assert endpoint.netloc == netloc

    def test_without_a_scheme_it_is_https_where_there_is_a_ca(self) -> None:
        document = minimal()
        document["clusters"][0]["cluster"] = {"server": "10.0.0.1:6443", "certificate-authority-data": b64(CA.encode())}
        assert connect(document).endpoint.scheme == "https"

    def test_warnings(self) -> None:
        warned: list[str] = []
        document = minimal()
        document["clusters"][0]["cluster"] = {"server": "https://a.example.com", "insecure-skip-tls-verify": True}
        kube.connect(yaml.safe_dump(document), "", {}, warn=warned.append)
        document["clusters"][0]["cluster"] = {"server": "http://a.example.com"}
        kube.connect(yaml.safe_dump(document), "", {}, warn=warned.append)
        document["users"][0]["user"] = {}
        document["clusters"][0]["cluster"] = {"server": "https://a.example.com"}
        kube.connect(yaml.safe_dump(document), "", {}, warn=warned.append)
        assert warned == [
            (
                'The certificate of the cluster of context "x" (a.example.com) is not checked: '
                "insecure-skip-tls-verify is set."
            ),
            (
                'The credentials for the cluster of context "x" (a.example.com) travel unencrypted: '
                "its server is an http:// URL."
            ),
            'User "u" has no credentials: the cluster of context "x" (a.example.com) is asked anonymously.',
        ]

    def test_a_local_server_without_tls_needs_no_user(self, world: World) -> None:
        world.plain.anonymous = True
        document = minimal(contexts=[{"name": "x", "context": {"cluster": "c"}}])
        document["clusters"][0]["cluster"]["server"] = world.plain.url
        warned: list[str] = []
        with kube.connect(yaml.safe_dump(document), "", {}, warn=warned.append) as client:
            client.get("/version")
        assert warned == []


def test_a_kubeconfig_s_parts_do_not_print_their_secrets() -> None:
    config = kubeconfig.load(yaml.safe_dump(minimal()), {})
    assert config is not None
    chosen = choose(config, "", {}, lambda _: None)
    assert "hidden-token" not in repr(config)
    assert "hidden-token" not in repr(chosen)
    assert "hidden-token" not in repr(chosen.user)


def test_dates_and_nulls_are_read_as_by_go() -> None:
    text = textwrap.dedent("""
        apiVersion: v1
        current-context: 2026-11-20
        contexts: [{name: 2026-11-20, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: {server: "http://127.0.0.1", proxy-url: null, certificate-authority: }}]
        users: [{name: u, user: {token: t, exec: null, as-groups: null}}]
        preferences: null
        extensions: [null]
    """)
    assert contexts(text, {}) == ("2026-11-20", ("2026-11-20",))
    assert connect(text).context == "2026-11-20"


# One small alphabet, so that names collide.
names = st.sampled_from("abc")
entries = st.dictionaries(names, st.integers(0, 9), max_size=3)
documents = st.fixed_dictionaries(
    {}, optional={"contexts": entries | st.none(), "users": entries | st.none(), "current": names | st.just("")}
)


@given(st.lists(documents, min_size=1, max_size=4))
def test_of_every_name_the_first_occurrence_wins(fuzzed: Path, parts: list[dict[str, Any]]) -> None:
    paths = []
    for number, part in enumerate(parts):
        path = fuzzed / f"part-{number}"
        path.write_text(json.dumps({"kind": "Config", **_document(part)}))
        paths.append(str(path))
    merged = kubeconfig.load(":".join(paths), {})
    assert merged is not None
    for listed, found in (("contexts", merged.contexts), ("users", merged.users)):
        expected: dict[str, int] = {}
        for part in parts:
            expected = {**(part.get(listed) or {}), **expected}
        assert {name: entry.fields["n"] for name, entry in found.items()} == expected
    assert merged.current == next((p["current"] for p in parts if p.get("current")), "")


def _document(part: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for listed in ("contexts", "users"):
        if listed in part:
            entries = part[listed]
            made[listed] = (
                None if entries is None else [{"name": name, listed[:-1]: {"n": n}} for name, n in entries.items()]
            )
    return made | ({"current-context": part["current"]} if "current" in part else {})
