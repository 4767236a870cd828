"""Who we are: plugins, identity providers, token files and keys, when they fail and when they end."""

from __future__ import annotations

import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from kube.cases import V1, execution, jwt, prints, soon
from kube.server import FLUX, Reply
from kube.world import b64

from landed import kube
from landed.errors import ClusterError, ConfigurationError, LandedError
from landed.kube import execplugin, tls
from landed.kube.credentials import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.world import World


def ask(world: World, user: Mapping[str, Any], **environ: str) -> None:
    """One request, with ``api`` open to nobody in particular: going on without credentials would be seen."""
    world.api.anonymous = True
    with kube.connect(str(world.write("config", world.config(user).text())), "", world.environ(**environ)) as client:
        client.get(FLUX)


def told(world: World, user: Mapping[str, Any], kind: type[LandedError] = ClusterError) -> str:
    """What a user reads. Nobody was asked anything."""
    with pytest.raises(kind) as caught:
        ask(world, user)
    assert world.api.users == []
    return f"{caught.value.message} {caught.value.hint}".strip()


class TestPlugins:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            pytest.param("exit 3", "failed with exit code 3: it printed no reason", id="fails silently"),
            pytest.param("kill -9 $$", "failed with exit code -9", id="is killed"),
            pytest.param("echo hello", "printed something that is not an ExecCredential", id="prints a word"),
            pytest.param(":", "printed something that is not an ExecCredential", id="prints nothing"),
            pytest.param("echo '[1]'", "printed something that is not an ExecCredential", id="prints a list"),
            pytest.param(
                "head -c 500 /dev/urandom", "printed something that is not an ExecCredential", id="prints noise"
            ),
            pytest.param(
                """echo '{"kind": "Token", "status": {"token": "g00d"}}'""", "not an ExecCredential", id="another kind"
            ),
            pytest.param('echo \'{"kind": "ExecCredential"}\'', "answered in None, not in", id="no version"),
            pytest.param(
                prints("client.authentication.k8s.io/v1beta1", token="g00d"), "answered in", id="another version"
            ),
            pytest.param(prints(), "gave neither a token nor a client certificate", id="no credential"),
            pytest.param(
                f'echo \'{{"kind": "ExecCredential", "apiVersion": "{V1}", "status": {{"token": 7}}}}\'',
                "gave neither a token nor",
                id="a number",
            ),
            pytest.param(
                f'echo \'{{"kind": "ExecCredential", "apiVersion": "{V1}", "status": "g00d"}}\'',
                "gave neither a token nor",
                id="no status",
            ),
            pytest.param(prints(clientCertificateData="pem"), "gave only one half", id="half a pair"),
            pytest.param(prints(token="g00d", expirationTimestamp="soon"), "that is no time", id="no time"),
            pytest.param("yes g00d", "printed more than 1 MiB", id="prints for ever"),
        ],
    )
    def test_a_plugin_that_gives_no_credential(self, body: str, says: str, world: World) -> None:
        message = told(world, execution(world, body))
        assert message.startswith('plugin, the credential plugin of user "u", ')
        assert says in message
        assert "g00d" not in message

    def test_a_plugin_that_hangs_is_ended_with_its_children(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(execplugin, "TIMEOUT", 0.3)
        pids = world.folder / "pids"
        message = told(world, execution(world, f"sleep 60 & echo $$ $! > {shlex.quote(str(pids))}\nwait"))
        assert "did not end within 0.3 s" in message
        assert "--kube-via kubectl" in message
        deadline = time.monotonic() + 5
        while any(_runs(pid) for pid in pids.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.01)  # a killed process is gone a moment later
        assert [pid for pid in pids.read_text().split() if _runs(pid)] == []

    def test_a_child_that_stays_is_not_waited_for(self, world: World) -> None:
        begin = time.monotonic()
        ask(world, execution(world, f"sleep 20 &\n{prints(token='g00d')}"))
        assert time.monotonic() - begin < 15

    def test_its_words_are_cleaned_and_cut(self, world: World) -> None:
        token = jwt(soon(hours=1))
        body = (
            f"printf '%s\\n' 'token: abcdef123' 'got {token}' \"$API_TOKEN\" >&2; printf '\\033[31mred\\n' >&2; exit 1"
        )
        user = execution(world, body, env=[{"name": "API_TOKEN", "value": "very-secret"}])
        message = told(world, user)
        assert "exit code 1: token: *** got *** *** [31mred" in message
        long = told(world, execution(world, "yes word | head -c 9000 >&2; exit 1"))
        assert len(long) < 1200

    def test_it_is_told_what_to_do_instead(self, world: World) -> None:
        user = {"exec": {"apiVersion": V1, "command": "aws", "args": ["eks", "get-token"]}}
        empty = world.folder / "empty"
        empty.mkdir()
        with pytest.raises(ClusterError) as caught:
            ask(world, user, PATH=str(empty))
        assert caught.value.message == 'aws, the credential plugin of user "u", is not installed: there is no aws.'
        assert "service account's token" in caught.value.hint
        assert "--from-file" in caught.value.hint

    def test_a_file_that_cannot_be_run(self, world: World) -> None:
        path = world.write("bin/plugin", "#!/no/such/interpreter\n", 0o700)
        assert "cannot be started: No such file" in told(world, {"exec": {"apiVersion": V1, "command": str(path)}})

    @pytest.mark.parametrize(
        ("fields", "says", "kind"),
        [
            ({"interactiveMode": "Always"}, "wants to ask questions (interactiveMode: Always)", ClusterError),
            (
                {"apiVersion": "client.authentication.k8s.io/v1alpha1"},
                "v1alpha1, which is not supported",
                ConfigurationError,
            ),
            ({"apiVersion": ...}, "has the apiVersion (none)", ConfigurationError),
            ({"command": ...}, 'The exec of user "u" has no command', ConfigurationError),
        ],
    )
    def test_a_plugin_that_cannot_be_used(
        self, fields: dict[str, Any], says: str, kind: type[LandedError], world: World
    ) -> None:
        assert says in told(world, execution(world, prints(token="g00d"), **fields), kind)

    def test_it_has_no_terminal_and_is_told_so(self, world: World) -> None:
        kept = world.folder / "info"
        ask(world, execution(world, f'cat; printf %s "$KUBERNETES_EXEC_INFO" > {kept}\n{prints(token="g00d")}'))
        info = json.loads(kept.read_text())
        assert info == {"kind": "ExecCredential", "apiVersion": V1, "spec": {"interactive": False}}

    def test_it_runs_once_for_many_requests_until_it_ends(self, world: World) -> None:
        runs = world.folder / "runs"
        count = f"echo run >> {shlex.quote(str(runs))}\n"
        for ends, expected in ((soon(hours=1), 1), (soon(seconds=5), 3)):
            runs.unlink(missing_ok=True)
            status = {"token": "g00d", "expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
            user = execution(world, count + prints(**status))
            with kube.connect(world.config(user).text(), "", world.environ()) as client:
                for _ in range(3):
                    client.get(FLUX)
            assert runs.read_text().count("run") == expected

    def test_it_runs_twice_at_most_when_the_server_refuses(self, world: World) -> None:
        runs = world.folder / "runs"
        user = execution(world, f"echo run >> {shlex.quote(str(runs))}\n{prints(token='stale')}")
        with pytest.raises(ClusterError, match=re.escape("(401)")):
            ask(world, user)
        assert runs.read_text().count("run") == 2

    def test_a_token_in_the_kubeconfig_goes_before_it(self, world: World) -> None:
        ask(world, {"token": "g00d", **execution(world, "exit 1")})
        assert world.api.users == ["alice"]

    def test_a_client_certificate_beside_it_is_shown_too(self, world: World) -> None:
        certificate, key = world.pair()
        pair = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        ask(world, {**pair, **execution(world, prints(token="g00d"))})
        assert world.api.users == ["alice"]

    def test_a_token_that_no_header_can_hold(self, world: World) -> None:
        message = told(world, execution(world, prints(token="g00d\nX-Forged: 1")), ConfigurationError)
        assert "characters that a token cannot have" in message
        assert "Forged" not in message


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class TestUsers:
    @pytest.mark.parametrize(
        ("user", "says"),
        [
            ({"token": "t", "username": "u"}, "has both a token and a password"),
            ({"exec": {"command": "c"}, "auth-provider": {"name": "oidc"}}, "has both exec and auth-provider"),
            ({"client-certificate-data": "AAAA"}, "has a client-certificate but no client-key"),
            ({"token": "t", "as-groups": ["a"]}, "has as-uid, as-groups or as-user-extra, but no as"),
            ({"tokenFile": "none"}, "tokenFile none cannot be read: No such file"),
            ({"tokenFile": "empty"}, "tokenFile empty is empty"),
            ({"tokenFile": "binary"}, "tokenFile binary cannot be read: it is not a token"),
            ({"client-certificate": "none", "client-key": "none"}, "client-certificate of user"),
            ({"client-certificate-data": "!", "client-key-data": "!"}, "is not valid base64"),
            ({"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "are not a usable pair in PEM"),
            ({"auth-provider": {"name": "gcp", "config": {}}}, 'auth-provider "gcp" of user "u"'),
        ],
    )
    def test_what_is_no_good(self, user: dict[str, Any], says: str, world: World) -> None:
        world.write("empty", " \n")
        world.write("binary", b"\xff\x00")
        assert says in told(world, user, ConfigurationError)

    def test_a_token_where_the_token_file_is_missing(self, world: World) -> None:
        ask(world, {"token": "g00d", "tokenFile": "missing"})
        assert world.api.users == ["alice"]

    def test_a_token_file_is_read_again_after_a_minute(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        path = world.write("token", "g00d")
        with kube.connect(world.config({"tokenFile": str(path)}).text(), "", world.environ()) as client:
            client.get(FLUX)
            path.write_text("fresh")
            world.api.tokens["fresh"] = "alice later"
            client.get(FLUX)
            later = time.time() + 61
            monkeypatch.setattr(time, "time", lambda: later)
            client.get(FLUX)
        assert world.api.users == ["alice", "alice", "alice later"]

    def test_a_pair_that_does_not_belong_together(self, world: World) -> None:
        certificate, _ = world.pair()
        _, key = world.pair(world.next_certificate)
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        assert "do not belong together" in told(world, user, ConfigurationError)

    def test_a_key_with_a_passphrase_asks_nobody(self, world: World) -> None:
        certificate, key = world.pair()
        loaded = serialization.load_pem_private_key(key, None)
        secret = loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(secret)}
        assert "is encrypted" in told(world, user, ConfigurationError)

    def test_an_identity_does_not_print_itself(self) -> None:
        assert repr(Identity("Bearer g00d", b"certificate", b"key")) == "Identity(***)"


class TestKeysAndDisks:
    def test_no_key_reaches_a_disk(self, world: World, tmp_path: Path) -> None:
        """Every file that the process opens for writing is looked at, and everything it has open while connected."""
        certificate, key = world.pair()
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        config = world.write("config", world.config(user).text())
        script = f"""
import os, sys, tempfile
opened = []
sys.addaudithook(lambda name, args: opened.append(args) if name == "open" else None)
from landed import kube
with kube.connect({str(config)!r}, "", dict(os.environ)) as client:
    client.get({FLUX!r})
    links = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd") if fd.isdigit() and int(fd) > 2
             and os.path.exists(f"/proc/self/fd/{{fd}}")]
written = [a[0] for a in opened if isinstance(a[2], int) and a[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)]
print([path for path in written if not str(path).endswith(".pyc") and "__pycache__" not in str(path)])
print([link for link in links if not link.startswith(("socket:", "/proc", "pipe:"))])
"""
        folder = tmp_path / "tmp"
        folder.mkdir()
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert run.stdout.splitlines() == ["[]", "[]"]
        assert list(folder.iterdir()) == []
        assert world.api.users == ["carol"]

    def test_without_proc_a_private_file_that_is_gone_at_once(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        load = ssl.SSLContext.load_cert_chain

        def spy(self: ssl.SSLContext, path: str, **more: Any) -> None:
            seen.append(Path(path).stat().st_mode & 0o777)
            load(self, path, **more)

        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls._load(made, b"\n".join(world.pair()))
        with pytest.raises(ssl.SSLError):
            tls._load(made, b"nonsense")
        assert seen == [0o600, 0o600]
        assert list(tmp_path.iterdir()) == []


class TestOidc:
    @pytest.fixture
    def config(self, world: World) -> dict[str, str]:
        """An ID token that has expired, and an identity provider that gives another."""
        fresh = jwt(soon(hours=1), "fresh")
        world.api.tokens = {fresh: "alice"}
        issuer = world.plain.url
        world.plain.faults["/.well-known/openid-configuration"] = [_json({"token_endpoint": f"{issuer}/token?x=1"})]
        world.plain.faults["/token"] = [_json({"id_token": fresh})]
        return {
            "id-token": jwt(soon(hours=-1)),
            "refresh-token": "s3cret-refresh",
            "client-id": "kubernetes",
            "client-secret": "s3cret-client",
            "idp-issuer-url": issuer + "/",
        }

    @staticmethod
    def user(config: Mapping[str, str]) -> dict[str, Any]:
        return {"auth-provider": {"name": "oidc", "config": dict(config)}}

    def test_it_is_renewed_by_basic_login(self, world: World, config: dict[str, str]) -> None:
        ask(world, self.user(config))
        assert world.api.users == ["alice"]
        request = world.plain.seen[-1]
        assert (request.method, request.query) == ("POST", {"x": "1"})
        assert request.headers["authorization"] == f"Basic {b64(b'kubernetes:s3cret-client')}"
        assert b"grant_type=refresh_token&refresh_token=s3cret-refresh" in request.body

    def test_a_provider_that_wants_the_secret_in_the_body(self, world: World, config: dict[str, str]) -> None:
        world.plain.faults["/token"].insert(0, Reply(401, b'{"error": "invalid_client"}'))
        ask(world, self.user(config))
        assert b"client_secret=s3cret-client" in world.plain.seen[-1].body
        assert "authorization" not in world.plain.seen[-1].headers

    def test_a_client_without_a_secret(self, world: World, config: dict[str, str]) -> None:
        del config["client-secret"]
        ask(world, self.user(config))
        assert "authorization" not in world.plain.seen[-1].headers

    def test_a_token_that_is_refused_is_renewed(self, world: World, config: dict[str, str]) -> None:
        config["id-token"] = jwt(soon(hours=2), "stale")
        with kube.connect(world.config(self.user(config)).text(), "", world.environ()) as client:
            client.get(FLUX)
        assert world.api.users == ["", "alice"]

    def test_a_new_refresh_token_is_kept_and_warned_of(self, world: World, config: dict[str, str]) -> None:
        fresh = next(iter(world.api.tokens))
        world.plain.faults["/token"] = [_json({"id_token": fresh, "refresh_token": "s3cret-next"})]
        warned: list[str] = []
        text = world.config(self.user(config)).text()
        with kube.connect(text, "", world.environ(), warn=warned.append) as client:
            client.get(FLUX)
        assert len(warned) == 1
        assert "a new refresh token, which is not written back" in warned[0]
        assert "s3cret" not in warned[0]

    @pytest.mark.parametrize(
        ("change", "answers", "says"),
        [
            pytest.param(
                {"refresh-token": ""}, {}, "has expired, and there is no refresh-token", id="no refresh token"
            ),
            pytest.param({"id-token": "", "refresh-token": ""}, {}, "there is no refresh-token", id="nothing at all"),
            pytest.param({}, {"/.well-known/openid-configuration": Reply(404)}, "does not say where", id="no document"),
            pytest.param(
                {}, {"/.well-known/openid-configuration": Reply(200, b"<html>")}, "does not say where", id="a page"
            ),
            pytest.param(
                {},
                {"/token": Reply(400, b'{"error_description": "session s3cret-refresh not active"}')},
                "does not renew the token (HTTP 400: session *** not active)",
                id="session over",
            ),
            pytest.param({}, {"/token": Reply(503, b"busy")}, "does not renew the token (HTTP 503)", id="busy"),
            pytest.param({}, {"/token": Reply(200, b"{}")}, "gave no ID token", id="no token in it"),
            pytest.param({}, {"/token": Reply(drop=True)}, "cannot be asked: ", id="no answer"),
            pytest.param(
                {"idp-issuer-url": "http://127.0.0.1:1"}, {}, "at 127.0.0.1:1 cannot be asked", id="nobody there"
            ),
        ],
    )
    def test_what_can_go_wrong(
        self, change: dict[str, str], answers: dict[str, Reply], says: str, world: World, config: dict[str, str]
    ) -> None:
        for path, reply in answers.items():
            world.plain.faults[path] = [reply] * 2
        message = told(world, self.user({**config, **change}))
        assert 'user "u" (context "x")' in message
        assert says in message
        assert "Log in again" in message
        assert "s3cret" not in message

    @pytest.mark.parametrize("issuer", ["nonsense", "ftp://x", "https://[", "https://x:y"])
    def test_an_issuer_that_is_no_url(self, issuer: str, world: World, config: dict[str, str]) -> None:
        user = self.user({**config, "idp-issuer-url": issuer})
        assert "is not a usable URL" in told(world, user, ConfigurationError)


def _json(document: Any) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def test_the_kubeconfig_is_never_written(world: World) -> None:
    text = yaml.safe_dump(world.config(execution(world, prints(token="g00d"))).document())
    path = world.write("config", text, 0o400)
    with kube.connect(str(path), "", world.environ()) as client:
        client.get(FLUX)
    assert path.read_text() == text
