"""The way out: proxies, private authorities and client certificates, through every client that we use.

Judges: the standard library's TLS server asks for the certificate; ``trustme`` makes authorities; PySocks and urllib3
speak to the proxies.
"""

from __future__ import annotations

import base64
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from kube.proxies import Proxy
from standins.server import Answer, Asked, StandIn, answer, hang

from landed import providers
from landed.errors import ConfigurationError, DeliveryError, LandedError
from landed.http import Http, Request, Response, Trouble, diagnose
from landed.model import CommitStatus, GitHost, Network, Repository, Secret, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "pa55 w/rd@x"
LOGIN = "jo:pa55%20w%2Frd%40x"
COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ours() -> trustme.CA:
    """Who signs client certificates."""
    return trustme.CA()


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def server_side(authority: trustme.CA, clients: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "hooks.example.com", "git.example.com").configure_cert(context)
    if clients:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def plain() -> Iterator[StandIn]:
    with StandIn(lambda asked: Answer(200, b"ok")) as standin:
        yield standin


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[StandIn]:
    with StandIn(lambda asked: Answer(200, b"ok"), context=server_side(authority)) as standin:
        yield standin


@pytest.fixture
def guarded(authority: trustme.CA, ours: trustme.CA) -> Iterator[StandIn]:
    """It asks for a certificate."""
    with StandIn(lambda asked: Answer(200, b"ok"), context=server_side(authority, ours)) as standin:
        yield standin


@pytest.fixture
def shown(authority: trustme.CA, ours: trustme.CA) -> Network:
    leaf = ours.issue_cert("landed@example.com")
    certificate = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
    return Network(ca=pem(authority), certificate=certificate, key=Secret(leaf.private_key_pem.bytes().decode()))


def with_proxy(url: str, network: Network) -> Network:
    return Network(Secret(url), network.ca, network.certificate, network.key, network.timeout)


def with_login(url: str) -> str:
    return url.replace("://", f"://{LOGIN}@")


def send(network: Network, url: str, **settings: Any) -> Response:
    with Http(network=network, sleep=lambda seconds: None, **{"timeout": (1.0, 1.0)} | settings) as http:
        return http.send(Request("POST", Secret(url), body=b"{}", service="Slack"))


def failure(network: Network, url: str, **settings: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(network, url, **settings)
    hides(caught.value)
    return caught.value


def hides(error: LandedError) -> None:
    """No part of the proxy's login is in anything that could be shown."""
    shown, cause = "", error  # type: str, BaseException | None
    while cause is not None:
        shown += f"{cause!r} {cause} {getattr(cause, 'hint', '')}"
        cause = cause.__cause__ or cause.__context__
    secrets = (PASSWORD, "pa55", LOGIN, base64.b64encode(f"jo:{PASSWORD}".encode()).decode()[:12])
    assert not [secret for secret in secrets if secret in shown]


class TestProxies:
    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    @pytest.mark.parametrize("kind", ["plain", "secure"])
    def test_the_given_proxy_is_used(
        self, scheme: str, kind: str, authority: trustme.CA, request: pytest.FixtureRequest
    ) -> None:
        server: StandIn = request.getfixturevalue(kind)
        with Proxy(scheme) as proxy:
            answered = send(
                Network(Secret(proxy.url), pem(authority)), f"{server.scheme}://hooks.example.com:{server.port}/x?y=1"
            )

        assert answered.status == 200
        # The proxy resolves the name: nobody here knows hooks.example.com.
        assert proxy.asked == [f"hooks.example.com:{server.port}"]
        assert server.asked[0].target == "/x?y=1"

    def test_a_user_and_password_are_shown_to_the_proxy_alone(self, secure: StandIn, authority: trustme.CA) -> None:
        with Proxy() as proxy:
            send(Network(Secret(with_login(proxy.url)), pem(authority)), secure.url)

        (head,) = proxy.heads
        assert b"Proxy-Authorization: Basic " + base64.b64encode(f"jo:{PASSWORD}".encode()) in head
        assert "proxy-authorization" not in secure.asked[0].headers

    def test_a_user_needs_no_password(self, secure: StandIn, authority: trustme.CA) -> None:
        with Proxy() as proxy:
            send(Network(Secret(proxy.url.replace("://", "://jo@")), pem(authority)), secure.url)

        assert b"Proxy-Authorization: Basic " + base64.b64encode(b"jo:") in proxy.heads[0]

    def test_a_socks_proxy_gets_user_and_password(self, secure: StandIn, authority: trustme.CA) -> None:
        with SocksWithLogin("jo", PASSWORD) as proxy:
            assert send(Network(Secret(with_login(proxy.url)), pem(authority)), secure.url).status == 200

        assert proxy.asked == [("jo", PASSWORD)]

    def test_a_proxy_over_tls_is_trusted_by_the_same_authorities(self, secure: StandIn, authority: trustme.CA) -> None:
        with Proxy("http", server_side(authority)) as proxy:
            assert send(Network(Secret(proxy.url), pem(authority)), secure.url).status == 200

        assert proxy.asked == [f"127.0.0.1:{secure.port}"]

    def test_a_given_proxy_goes_before_the_environment(self, plain: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        with Proxy() as given, Proxy() as other:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, other.url)
            send(Network(Secret(given.url)), plain.url)

        assert (len(given.asked), other.asked) == (1, [])

    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    @pytest.mark.parametrize("value", ["*", "127.0.0.1"])
    def test_no_proxy_does_not_switch_a_given_one_off(
        self, plain: StandIn, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with Proxy() as proxy:
            send(Network(Secret(proxy.url)), plain.url)

        assert len(proxy.asked) == 1

    def test_no_proxy_is_heard_where_none_is_given(self, plain: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        with Proxy() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            send(Network(), plain.url)

        assert proxy.asked == []

    @pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
    @pytest.mark.parametrize("target", ["http://hooks.example.com/x", "https://hooks.example.com/x"])
    def test_a_proxy_that_is_down_is_named(self, scheme: str, target: str) -> None:
        with Proxy() as gone:
            host = gone.host

        error = failure(Network(Secret(f"{scheme}://{LOGIN}@{host}")), target)

        assert f"the proxy {host} cannot be used: the connection was refused" in error.message
        assert "Slack (hooks.example.com)" in error.message
        assert error.passing
        assert not error.uncertain

    def test_a_proxy_whose_name_is_unknown_is_named(self) -> None:
        error = failure(Network(Secret(f"http://{LOGIN}@no-such-host.invalid:3128")), "https://hooks.example.com/x")

        assert "the proxy no-such-host.invalid:3128 cannot be used: the host's name cannot be resolved" in error.message

    @pytest.mark.parametrize(
        ("says", "words", "passing"),
        [
            ("407 Proxy Authentication Required", "wants a user and password", False),
            ("403 Forbidden", "refused to connect there: 403 Forbidden", False),
            ("405 Method Not Allowed", "refused to connect there: 405", False),
            ("502 Bad Gateway", "refused to connect there: 502", True),
            ("503 jo:pa55", "refused to connect there: 503 Service Unavailable", True),
        ],
    )
    def test_a_proxy_that_refuses_is_named(self, says: str, words: str, passing: bool) -> None:
        with Proxy(answer=says) as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} {words}" in error.message
        assert error.passing is passing
        assert not error.uncertain

    def test_a_proxy_that_wants_a_password_for_plain_http_is_named(self) -> None:
        with Proxy(answer="407 Proxy Authentication Required") as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), "http://hooks.example.com/x")

        assert f"the proxy {proxy.host} wants a user and password" in error.message
        assert not error.passing

    def test_a_407_without_a_proxy_is_an_answer_like_others(self, plain: StandIn) -> None:
        plain.faults.append(answer(407))

        assert "answered 407" in failure(Network(), plain.url).message

    def test_a_socks_proxy_that_refuses_the_password_is_named(self) -> None:
        with SocksWithLogin("jo", "another") as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} wants a user and password" in error.message
        assert not error.passing

    def test_a_socks_proxy_that_wants_a_password_and_gets_none_is_named(self) -> None:
        with SocksWithLogin("jo", PASSWORD) as proxy:
            error = failure(Network(Secret(proxy.url)), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} wants a user and password" in error.message

    def test_a_socks_proxy_that_cannot_connect_is_named(self) -> None:
        with SocksWithLogin("jo", PASSWORD, refuses=True) as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} could not connect there" in error.message
        assert error.passing
        assert not error.uncertain

    @pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
    def test_what_is_no_proxy_is_said_so(self, scheme: str) -> None:
        with Chatter(b"SSH-2.0-OpenSSH_9.6\r\n") as other:
            error = failure(Network(Secret(f"{scheme}://{LOGIN}@{other.host}")), "https://hooks.example.com/x")

        assert f"the proxy {other.host} does not answer as a proxy of its kind does" in error.message
        assert not error.passing
        assert not error.uncertain

    def test_a_proxy_over_tls_that_speaks_plain_http_is_said_so(self) -> None:
        with Chatter(b"HTTP/1.1 400 Bad Request\r\n\r\n") as proxy:
            error = failure(Network(Secret(f"https://{LOGIN}@{proxy.host}")), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} does not answer as a proxy of its kind does" in error.message

    def test_a_proxy_whose_certificate_is_not_trusted_is_named(self, secure: StandIn) -> None:
        with Proxy("http", server_side(trustme.CA())) as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), secure.url)

        assert f"the proxy {proxy.host} cannot be used: its certificate is not trusted" in error.message
        assert not error.passing

    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    def test_a_proxy_that_says_nothing_is_named(self, scheme: str) -> None:
        with Chatter(b"") as silent:
            network = Network(Secret(f"{scheme}://{LOGIN}@{silent.host}"))
            error = failure(network, "https://hooks.example.com/x", timeout=(0.2, 0.2), max_wait=0)

        assert f"the proxy {silent.host}" in error.message
        assert "in time" in error.message
        assert not error.uncertain

    def test_what_is_wrong_beyond_the_proxy_is_not_blamed_on_it(self, secure: StandIn) -> None:
        with Proxy() as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), secure.url)

        assert "its certificate is not trusted" in error.message
        assert "proxy" not in error.message

    def test_an_answer_that_is_lost_beyond_the_proxy_is_uncertain(self, secure: StandIn, authority: trustme.CA) -> None:
        secure.faults.append(hang())
        with Proxy() as proxy:
            error = failure(Network(Secret(proxy.url), pem(authority)), secure.url, timeout=(1, 0.2))

        assert error.uncertain
        assert "proxy" not in error.message

    def test_a_proxy_of_the_environment_is_named_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Proxy(answer="403 Forbidden") as proxy:
            monkeypatch.setenv("https_proxy", with_login(proxy.url))
            error = failure(Network(), "https://hooks.example.com/x")

        assert f"the proxy {proxy.host} refused to connect there" in error.message

    def test_what_a_proxy_echoes_is_not_quoted(self) -> None:
        def echo(asked: Asked) -> Answer:
            login = base64.b64decode(asked.headers["proxy-authorization"].split()[1]).decode()
            return Answer(403, f"no entry for {login}, {LOGIN}, {asked.headers['proxy-authorization']}".encode())

        with StandIn(echo) as proxy:
            error = failure(Network(Secret(with_login(proxy.url))), "http://hooks.example.com/x")

        assert "no entry for ***" in error.message

    @pytest.mark.parametrize(
        "url",
        ["proxy.example.com:3128", "ftp://h:1", "http://", "http://[::1", "http://h:99999", "http://a b:1",
         "http://h:1\n", "socks4://h:1", f"http://jo:{PASSWORD}@h:1", "http://jo:12/pa55@h:1"],
    )  # fmt: skip
    def test_an_address_that_is_none_is_said_so(self, url: str) -> None:
        if url.endswith("\n"):
            url = f"{url}x"
        with pytest.raises(ConfigurationError, match="The address of the proxy for Slack") as caught:
            send(Network(Secret(url)), "https://hooks.example.com/x")

        hides(caught.value)

    def test_socks_without_its_package_is_said_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

        with pytest.raises(ConfigurationError, match=r"proxy h:1 for Slack .* PySocks") as caught:
            send(Network(Secret(f"socks5://{LOGIN}@h:1")), "https://hooks.example.com/x")

        assert "landed[socks]" in caught.value.hint
        hides(caught.value)


class TestAuthorities:
    def test_a_given_authority_is_trusted(self, secure: StandIn, authority: trustme.CA) -> None:
        assert send(Network(ca=pem(authority)), secure.url).status == 200

    def test_another_one_is_not(self, secure: StandIn) -> None:
        error = failure(Network(ca=pem(trustme.CA())), secure.url)

        assert "its certificate is not trusted" in error.message
        assert secure.asked == []

    @pytest.mark.parametrize("how", ["ca", "certificate"])
    def test_that_of_the_environment_is_trusted_still(
        self,
        secure: StandIn,
        authority: trustme.CA,
        shown: Network,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        how: str,
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(pem(authority))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        other = Network(ca=pem(trustme.CA()), certificate=shown.certificate, key=shown.key)

        assert send(other if how == "certificate" else Network(ca=other.ca), secure.url).status == 200

    def test_that_of_the_environment_does_not_replace_it(
        self, secure: StandIn, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(pem(trustme.CA()))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

        assert send(Network(ca=pem(authority)), secure.url).status == 200

    def test_the_usual_ones_are_trusted_still(self, authority: trustme.CA) -> None:
        import certifi

        from landed.http.trust import context

        usual = ssl.create_default_context(cafile=certifi.where())
        held = context(Network(ca=pem(authority)), "Slack").get_ca_certs(binary_form=True)

        assert set(usual.get_ca_certs(binary_form=True)) <= set(held)
        assert ssl.PEM_cert_to_DER_cert(pem(authority)) in held

    def test_a_name_that_is_not_the_certificates_is_refused(self, authority: trustme.CA) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.example.com").configure_cert(context)
        with StandIn(lambda asked: Answer(200), context=context) as server:
            error = failure(Network(ca=pem(authority)), server.url)

        assert "its certificate is not trusted" in error.message

    @pytest.mark.parametrize(
        "ca", ["hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é", "\x00"]
    )
    def test_one_that_is_none_is_said_so(self, ca: str) -> None:
        with pytest.raises(ConfigurationError, match="CA certificates for Slack"):
            send(Network(ca=ca), "https://hooks.example.com/x")


class TestClientCertificates:
    def test_it_is_shown(self, guarded: StandIn, shown: Network) -> None:
        assert send(shown, guarded.url).status == 200

    @pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
    def test_it_is_shown_through_a_proxy(
        self, guarded: StandIn, shown: Network, scheme: str, authority: trustme.CA
    ) -> None:
        with Proxy(
            "socks5" if scheme == "socks5" else "http", server_side(authority) if scheme == "https" else None
        ) as proxy:
            assert send(with_proxy(proxy.url, shown), guarded.url).status == 200

        assert len(proxy.asked) == 1

    def test_it_is_shown_through_a_proxy_of_the_environment(
        self, guarded: StandIn, shown: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Proxy() as proxy:
            monkeypatch.setenv("https_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "")
            assert send(shown, guarded.url).status == 200

        assert len(proxy.asked) == 1

    def test_it_is_not_shown_to_a_proxy(self, secure: StandIn, shown: Network, authority: trustme.CA) -> None:
        """The proxy would refuse it: it is signed by nobody whom that knows. It only asks for one."""
        context = server_side(authority, trustme.CA())
        context.verify_mode = ssl.CERT_OPTIONAL
        with Proxy("http", context) as proxy:
            assert send(with_proxy(proxy.url, shown), secure.url).status == 200

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_server_that_gets_none_refuses(
        self, authority: trustme.CA, ours: trustme.CA, version: ssl.TLSVersion
    ) -> None:
        context = server_side(authority, ours)
        context.minimum_version = context.maximum_version = version
        with StandIn(lambda asked: Answer(200), context=context) as server:
            error = failure(Network(ca=pem(authority)), server.url)

        assert server.asked == []
        if version is ssl.TLSVersion.TLSv1_2:
            assert "it refused the TLS handshake" in error.message
            assert "client certificate" in error.hint
            assert not error.passing

    def test_what_the_newest_tls_says_of_it_is_understood(self) -> None:
        error = ssl.SSLError(1, "tlsv13 alert certificate required")
        error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

        trouble = diagnose(error)

        assert trouble.what == "it does not accept our certificate, or wants one"
        assert not trouble.passing

    def test_nothing_of_it_is_left_in_files(
        self, guarded: StandIn, shown: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        seen: list[int] = []
        load = ssl.SSLContext.load_cert_chain

        def watched(self: ssl.SSLContext, certfile: str, *args: Any, **kwargs: Any) -> None:
            seen.append(Path(certfile).stat().st_mode & 0o777)
            load(self, certfile, *args, **kwargs)

        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
        with Http(network=shown) as http:
            http.send(Request("POST", Secret(guarded.url)))
            assert list(tmp_path.iterdir()) == []

        assert seen == [0o600]

    def test_nothing_of_it_is_left_in_files_when_it_is_of_no_use(
        self, tmp_path: Path, shown: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        broken = Network(certificate="hello", key=shown.key)

        with pytest.raises(ConfigurationError, match=r"client certificate for Slack .* cannot be used"):
            send(broken, "https://hooks.example.com/x")

        assert list(tmp_path.iterdir()) == []

    def test_half_of_it_is_said_so(self, shown: Network) -> None:
        for network, missing in (
            (Network(certificate=shown.certificate), "has no key"),
            (Network(key=shown.key), "has no certificate"),
        ):
            with pytest.raises(ConfigurationError, match=missing):
                send(network, "https://hooks.example.com/x")

    def test_a_key_of_another_certificate_is_said_so(self, shown: Network, ours: trustme.CA) -> None:
        other = Secret(ours.issue_cert("other@example.com").private_key_pem.bytes().decode())

        with pytest.raises(ConfigurationError, match="do not belong together") as caught:
            send(Network(certificate=shown.certificate, key=other), "https://hooks.example.com/x")

        assert "PRIVATE KEY" not in f"{caught.value!r}{caught.value.__context__!r}"

    def test_nobody_is_asked_for_the_password_of_a_key(self, shown: Network) -> None:
        key = load_pem_private_key(shown.key.reveal().encode(), None)
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
        code = (
            "from landed.http import Http, Request\nfrom landed.model import Network, Secret\nimport os, sys\n"
            "network = Network(certificate=os.environ['CRT'], key=Secret(os.environ['KEY']))\n"
            "try:\n    Http(network=network).send(Request('POST', Secret('https://h.invalid/')))\n"
            "except Exception as error:\n    print(type(error).__name__, error)\n"
        )
        env = {**os.environ, "CRT": shown.certificate, "KEY": locked}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=30, start_new_session=True
        )

        assert done.stdout.startswith("ConfigurationError")
        assert "the key is encrypted" in done.stdout


class TestTimeouts:
    def test_the_networks_own_goes_before(self, plain: StandIn) -> None:
        plain.faults.append(hang())

        assert "no answer in time" in failure(Network(timeout=0.2), plain.url, timeout=(30, 30)).message

    def test_none_leaves_the_usual_one(self, plain: StandIn) -> None:
        plain.faults.append(hang())

        assert "no answer in time" in failure(Network(), plain.url, timeout=(30, 0.2)).message


#: The Git hosts, and what each answers when it is asked for the statuses of a commit and there are none.
HOSTS = {
    "azuredevops": ("acme/platform/_git/fleet", b'{"count":0,"value":[]}'),
    "bitbucket": ("acme/fleet", b'{"values":[]}'),
    "bitbucketserver": ("projects/ACME/repos/fleet", b'{"values":[],"isLastPage":true}'),
    "gitea": ("acme/fleet", b"[]"),
    "github": ("acme/fleet", b"[]"),
    "gitlab": ("acme/fleet", b"[]"),
}


def look(type_: str, api_url: str, network: Network) -> None:
    """Read back what a host holds of a commit, with one request that may not wait."""
    path, _ = HOSTS[type_]
    host = GitHost(type_, "git.example.com", api_url, Secret("tok-5f3b9c2d7e1a4806"), max_wait=0.0, network=network)
    provider = providers.git_module(type_).connect(host, sleep=lambda seconds: None)
    provider.held(Repository("git.example.com", path), COMMIT)


@pytest.mark.parametrize("type_", sorted(HOSTS))
class TestGitHosts:
    """Every client that we have: the door, PyGithub's and python-gitlab's sessions."""

    def test_all_kinds_are_here(self, type_: str) -> None:
        assert set(HOSTS) == {kind.host for kind in providers.GIT.values()}

    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    def test_proxy_authority_and_certificate(
        self,
        type_: str,
        scheme: str,
        authority: trustme.CA,
        ours: trustme.CA,
        shown: Network,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("no_proxy", "*" if scheme == "http" else "")
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
        empty = Answer(200, HOSTS[type_][1], {"Content-Type": "application/json"})
        with ExitStack() as stack:
            server = stack.enter_context(StandIn(lambda asked: empty, context=server_side(authority, ours)))
            proxy = stack.enter_context(Proxy(scheme))
            look(type_, f"https://git.example.com:{server.port}/api", with_proxy(proxy.url, shown))

        assert proxy.asked == [f"git.example.com:{server.port}"]
        assert len(server.asked) == 1

    def test_a_proxy_of_the_environment(self, type_: str, monkeypatch: pytest.MonkeyPatch) -> None:
        empty = Answer(200, HOSTS[type_][1], {"Content-Type": "application/json"})
        with StandIn(lambda asked: empty) as server, Proxy() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "")
            look(type_, f"{server.url}/api", Network())

        assert len(proxy.asked) == len(server.asked) == 1

    @pytest.mark.parametrize("says", ["407 Proxy Authentication Required", "403 Forbidden", "down"])
    @pytest.mark.parametrize("scheme", ["https", "http"])
    def test_a_proxy_that_refuses_is_named(self, type_: str, says: str, scheme: str) -> None:
        with Proxy(answer=says) as proxy:
            if says == "down":
                proxy.close()
            if scheme == "http" and says == "403 Forbidden":
                return  # nobody can tell it from the host's own answer
            with pytest.raises(DeliveryError) as caught:
                look(type_, f"{scheme}://git.example.com/api", Network(Secret(with_login(proxy.url))))

        assert f"the proxy {proxy.host}" in caught.value.message
        hides(caught.value)

    def test_what_a_proxy_echoes_is_not_quoted(self, type_: str) -> None:
        def echo(asked: Asked) -> Answer:
            text = f'{{"message": "no entry for {PASSWORD} {asked.headers["proxy-authorization"]}"}}'
            return Answer(400, text.encode(), {"Content-Type": "application/json"})

        with StandIn(echo) as proxy, pytest.raises(DeliveryError) as caught:
            look(type_, "http://git.example.com/api", Network(Secret(with_login(proxy.url))))

        hides(caught.value)

    def test_a_timeout_of_its_own(self, type_: str) -> None:
        with StandIn(lambda asked: Answer(200)) as server:
            server.faults += [hang()] * 8
            with pytest.raises(DeliveryError) as caught:
                look(type_, f"{server.url}/api", Network(timeout=0.1))

        assert "in time" in caught.value.message

    def test_what_cannot_be_used_is_said_so(self, type_: str) -> None:
        with pytest.raises(ConfigurationError, match="proxy for"):
            look(type_, "https://git.example.com/api", Network(Secret("proxy:3128")))
        with pytest.raises(ConfigurationError, match="CA certificates for"):
            look(type_, "https://git.example.com/api", Network(ca="hello"))


def test_threads_get_their_own_answers_from_github() -> None:
    """One connection for all threads that holds what is to be sent would mix them up."""

    def back(asked: Asked) -> Answer:
        return Answer(201, b'{"id":1}', {"Content-Type": "application/json"})

    with StandIn(back) as server:
        host = GitHost("github", "git.example.com", f"{server.url}/api/v3", Secret("tok-5f3b9c2d7e1a4806"))
        provider = providers.git_module("github").connect(host, sleep=lambda seconds: None)
        wanted = [f"{number:040x}" for number in range(160)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            together([lambda at=at: _tell(provider, at) for at in wanted])  # type: ignore[misc]
        finally:
            sys.setswitchinterval(interval)

    assert sorted(asked.path.rpartition("/")[2] for asked in server.asked) == wanted


def _tell(provider: Any, commit: str) -> None:
    repository = Repository("git.example.com", "acme/fleet")
    provider.deliver(CommitStatus(repository, commit, f"flux/{commit}", State.SUCCESS, "Applied"))


def together(tasks: list[Callable[[], None]], workers: int = 8) -> None:
    left = list(tasks)

    def work() -> None:
        while left:
            try:
                task = left.pop()
            except IndexError:
                return
            task()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_proxys_words_stay_its_own() -> None:
    """Without a proxy on the way nothing is blamed on one."""
    assert diagnose(OSError("Tunnel connection failed: 403 Forbidden")) == Trouble(
        "the connection failed", perhaps_sent=True
    )


class Chatter:
    """Says the same to everybody, and then waits for its end."""

    def __init__(self, says: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._says = says
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Chatter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.sendall(self._says)


class SocksWithLogin:
    """A SOCKS 5 proxy that wants user and password: RFC 1928 and RFC 1929. It leads everywhere to 127.0.0.1."""

    def __init__(self, user: str, password: str, *, refuses: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                client: socket.socket = self.request
                count = client.recv(2)[1]
                if 2 not in client.recv(count):
                    client.sendall(b"\x05\xff")
                    return
                client.sendall(b"\x05\x02")
                client.recv(1)
                given = tuple(client.recv(client.recv(1)[0]).decode() for _ in range(2))
                outer.asked.append((given[0], given[1]))
                client.sendall(b"\x01\x00" if given == (user, password) else b"\x01\x01")
                kind = (client.recv(4) or b"\0\0\0\0")[3]
                if not kind:
                    return
                client.recv(4 if kind == 1 else client.recv(1)[0])
                port = int.from_bytes(client.recv(2), "big")
                client.sendall(b"\x05" + (b"\x05" if refuses else b"\x00") + b"\x00\x01\x7f\x00\x00\x01\x00\x00")
                if not refuses:
                    with socket.create_connection(("127.0.0.1", port), 5) as server:
                        both_ways(client, server)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"socks5://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> SocksWithLogin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def both_ways(one: socket.socket, other: socket.socket) -> None:
    def pass_on(here: socket.socket, there: socket.socket) -> None:
        try:
            while data := here.recv(1 << 16):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            return

    back = threading.Thread(target=pass_on, args=(other, one), daemon=True)
    back.start()
    pass_on(one, other)
    back.join(5)
