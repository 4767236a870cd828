"""Fifty things a kubeconfig can hold, each one seen in the wild, and what is to come of it.

Every case makes its files in the test's folder and says how the request must arrive, or what it must fail with.
The same cases are put to kubectl and to the official Python client, as judges of the cases and of us.
"""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kube.server import FLUX, PREFIX, Server
from kube.world import Config, World, b64

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"

#: Cases that kubectl cannot be asked about: it makes one request per process.
NEVER_TWICE = "kubectl makes one request per process"


@dataclass
class Setup:
    """How to make the request, and what is expected."""

    environ: dict[str, str]
    user: str = "alice"
    """Whom the server must see; empty: the request must fail."""
    says: tuple[str, ...] = ()
    """What our error must say."""
    server: Server | None = None
    """Where the request must arrive, if not at ``world.api``."""
    then: Callable[[], None] | None = None
    """What happens before a second request by the same client."""
    then_user: str = ""
    service_account: str = ""
    check: Callable[[], bool] = field(default=lambda: True)
    """What else must hold afterwards."""
    kubectl: str = ""
    """Why kubectl is not asked; empty: it is."""


Case = Callable[[World], Setup]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[name] = function
        return function

    return add


def of(world: World, config: Config, **more: Any) -> Setup:
    environ = more.pop("environ", {})
    path = world.write("config", config.text())
    return Setup(world.environ(path, **environ), **more)


def execution(world: World, body: str, *, version: str = V1, name: str = "plugin", **fields: Any) -> dict[str, Any]:
    """A user with a plugin, which is a shell script with this body."""
    path = world.script(f"bin/{name}", body)
    listed = {"apiVersion": version, "command": str(path), "interactiveMode": "IfAvailable", **fields}
    return {"exec": {key: value for key, value in listed.items() if value is not ...}}


def prints(version: str = V1, **status: str) -> str:
    """A script that gives a credential."""
    made = {"kind": "ExecCredential", "apiVersion": version, "status": status}
    return f"cat <<'END'\n{json.dumps(made)}\nEND"


def jwt(ends: datetime.datetime, name: str = "alice") -> str:
    """An ID token, signed by nobody."""
    parts = ({"alg": "none"}, {"sub": name, "exp": int(ends.timestamp())})
    encoded = [b64(json.dumps(part).encode()).rstrip("=").replace("+", "-").replace("/", "_") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def soon(**delta: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**delta)


@case("a token")
def _(world: World) -> Setup:
    return of(world, world.config())


@case("a client certificate as data")
def _(world: World) -> Setup:
    certificate, key = world.pair()
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
    return of(world, world.config(user), user="carol")


@case("a client certificate in files")
def _(world: World) -> Setup:
    certificate, key = world.pair()
    user = {
        "client-certificate": str(world.write("pki/c.crt", certificate)),
        "client-key": str(world.write("pki/c.key", key)),
    }
    return of(world, world.config(user), user="carol")


@case("insecure-skip-tls-verify")
def _(world: World) -> Setup:
    config = world.config(server=world.elsewhere.url, certificate_authority_data=None, insecure_skip_tls_verify=True)
    return of(world, config, server=world.elsewhere)


@case("insecure-skip-tls-verify with a client certificate")
def _(world: World) -> Setup:
    certificate, key = world.pair()
    config = world.config(
        {"client-certificate-data": b64(certificate), "client-key-data": b64(key)},
        server=world.elsewhere.url,
        certificate_authority_data=None,
        insecure_skip_tls_verify=True,
    )
    return of(world, config, user="carol", server=world.elsewhere)


@case("paths relative to the kubeconfig")
def _(world: World) -> Setup:
    certificate, key = world.pair()
    world.write("pki/c.crt", certificate)
    world.write("pki/c.key", key)
    world.write("pki/ca.crt", world.authority)
    config = world.config(
        {"client-certificate": "pki/c.crt", "client-key": "pki/c.key"},
        certificate_authority_data=None,
        certificate_authority="pki/ca.crt",
    )
    return of(world, config, user="carol")


@case("a tokenFile with a final newline")
def _(world: World) -> Setup:
    return of(world, world.config({"tokenFile": str(world.write("token", "g00d\n"))}))


@case("a tokenFile without a final newline")
def _(world: World) -> Setup:
    return of(world, world.config({"tokenFile": str(world.write("token", "g00d"))}))


@case("a tokenFile with a relative path")
def _(world: World) -> Setup:
    world.write("secrets/token", "g00d\n")
    return of(world, world.config({"tokenFile": "secrets/token"}))


@case("a tokenFile wins over a token")
def _(world: World) -> Setup:
    return of(world, world.config({"token": "stale", "tokenFile": str(world.write("token", "g00d\n"))}))


@case("a tokenFile is read again after a 401")
def _(world: World) -> Setup:
    path = world.write("token", "g00d\n")

    def rotate() -> None:
        path.write_text("fresh\n")
        world.api.tokens = {"fresh": "alice again"}

    return of(world, world.config({"tokenFile": str(path)}), then=rotate, then_user="alice again", kubectl=NEVER_TWICE)


@case("tls-server-name")
def _(world: World) -> Setup:
    config = world.config(server=world.elsewhere.url, tls_server_name="elsewhere.test")
    return of(world, config, server=world.elsewhere)


@case("a tls-server-name that the certificate does not bear")
def _(world: World) -> Setup:
    return of(world, world.config(tls_server_name="nowhere.test"), user="", says=("not for nowhere.test",))


@case("a certificate of another CA")
def _(world: World) -> Setup:
    config = world.config(certificate_authority_data=b64(world.other_ca.cert_pem.bytes()))
    return of(world, config, user="", says=("certificate-authority of the kubeconfig did not sign",))


@case("no CA, and a certificate that the system does not trust")
def _(world: World) -> Setup:
    config = world.config(certificate_authority_data=None)
    return of(world, config, user="", says=("this system's authorities did not sign", "certificate-authority-data"))


@case("a certificate for another host")
def _(world: World) -> Setup:
    config = world.config(server=world.elsewhere.url)
    return of(world, config, user="", server=world.elsewhere, says=("not for 127.0.0.1", "tls-server-name"))


@case("a server URL with a path")
def _(world: World) -> Setup:
    config = world.config(server=f"{world.api.url}{PREFIX}/")
    return of(world, config, check=lambda: {seen.prefix for seen in world.api.seen} == {PREFIX})


@case("a user name and a password")
def _(world: World) -> Setup:
    return of(world, world.config({"username": "bob", "password": "pass:word"}), user="bob")


@case("exec: v1beta1")
def _(world: World) -> Setup:
    return of(world, world.config(execution(world, prints(V1BETA1, token="g00d"), version=V1BETA1)))


@case("exec: arguments and environment")
def _(world: World) -> Setup:
    body = f'[ "$1 $2 $WHICH" = "get-token --now green" ] || exit 9\n{prints(token="g00d")}'
    user = execution(world, body, args=["get-token", "--now"], env=[{"name": "WHICH", "value": "green"}])
    return of(world, world.config(user))


@case("exec: a command in PATH")
def _(world: World) -> Setup:
    user = execution(world, prints(token="g00d"))
    path = Path(user["exec"]["command"])
    user["exec"]["command"] = path.name
    environ = {"PATH": f"{path.parent}:{world.environ()['PATH']}"}
    return of(world, world.config(user), environ=environ)


@case("exec: a plugin that writes to stderr and succeeds")
def _(world: World) -> Setup:
    return of(world, world.config(execution(world, f"echo warning: old >&2\n{prints(token='g00d')}")))


@case("exec: v1")
def _(world: World) -> Setup:
    return of(world, world.config(execution(world, prints(token="g00d"))))


@case("exec: args and env are null")
def _(world: World) -> Setup:
    return of(world, world.config(execution(world, prints(token="g00d"), args=None, env=None)))


@case("exec: a plugin that needs KUBERNETES_EXEC_INFO")
def _(world: World) -> Setup:
    body = f"""case "$KUBERNETES_EXEC_INFO" in
*'{V1}"'*) ;;
*) exit 7 ;;
esac
{prints(token="g00d")}"""
    return of(world, world.config(execution(world, body)))


@case("exec: provideClusterInfo")
def _(world: World) -> Setup:
    kept = world.folder / "info"
    user = execution(
        world,
        f'printf %s "$KUBERNETES_EXEC_INFO" > {shlex.quote(str(kept))}\n{prints(token="g00d")}',
        provideClusterInfo=True,
    )
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}
    config = world.config(user, tls_server_name="127.0.0.1", extensions=[extension])

    def told() -> bool:
        cluster: Mapping[str, Any] = json.loads(kept.read_text())["spec"]["cluster"]
        return bool(
            cluster["server"] == world.api.url
            and cluster["certificate-authority-data"] == b64(world.authority)
            and cluster["tls-server-name"] == "127.0.0.1"
            and cluster["config"]["audience"] == "me"
        )

    return of(world, config, check=told)


@case("exec: a command relative to the kubeconfig")
def _(world: World) -> Setup:
    user = execution(world, prints(token="g00d"))
    user["exec"]["command"] = "./bin/plugin"
    return of(world, world.config(user))


@case("exec: a client certificate")
def _(world: World) -> Setup:
    certificate, key = world.pair()
    body = prints(clientCertificateData=certificate.decode(), clientKeyData=key.decode())
    return of(world, world.config(execution(world, body)), user="carol")


@case("exec: an expiry with nanoseconds")
def _(world: World) -> Setup:
    ends = f"{soon(hours=1):%Y-%m-%dT%H:%M:%S}.123456789Z"
    return of(world, world.config(execution(world, prints(token="g00d", expirationTimestamp=ends))))


@case("exec: run again after a 401")
def _(world: World) -> Setup:
    token = world.write("current", "g00d")
    made = json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": {"token": "TOKEN"}})
    body = f"sed \"s/TOKEN/$(cat {shlex.quote(str(token))})/\" <<'END'\n{made}\nEND"

    def rotate() -> None:
        token.write_text("fresh")
        world.api.tokens = {"fresh": "alice again"}

    config = world.config(execution(world, body))
    return of(world, config, then=rotate, then_user="alice again", kubectl=NEVER_TWICE)


@case("exec: run again after its expiry")
def _(world: World) -> Setup:
    runs = world.folder / "runs"
    status = {"token": "g00d", "expirationTimestamp": f"{soon(seconds=-5):%Y-%m-%dT%H:%M:%SZ}"}
    user = execution(world, f"echo run >> {shlex.quote(str(runs))}\n{prints(**status)}")
    return of(
        world,
        world.config(user),
        then=lambda: None,
        then_user="alice",
        check=lambda: runs.read_text().count("run") > 1,
        kubectl=NEVER_TWICE,
    )


@case("exec: a plugin that fails is heard")
def _(world: World) -> Setup:
    world.api.anonymous = True
    user = execution(world, "echo 'Token has expired: run aws sso login' >&2\nexit 255")
    return of(world, world.config(user), user="", says=("plugin", "exit code 255", "run aws sso login"))


@case("exec: a plugin that is missing is named with its installHint")
def _(world: World) -> Setup:
    world.api.anonymous = True
    fields = {"apiVersion": V1, "command": "no-such-plugin", "installHint": "Install it with: brew install it"}
    user = {"exec": {**fields, "interactiveMode": "Never"}}
    return of(world, world.config(user), user="", says=("no-such-plugin", "brew install it"))


@case("oidc: an ID token that is good")
def _(world: World) -> Setup:
    token = jwt(soon(hours=1))
    world.api.tokens = {token: "alice"}
    config = {"id-token": token, "idp-issuer-url": world.api.url, "client-id": "kubernetes"}
    return of(world, world.config({"auth-provider": {"name": "oidc", "config": config}}))


@case("oidc: an ID token that has expired is renewed")
def _(world: World) -> Setup:
    fresh = jwt(soon(hours=1), "renewed")
    world.api.tokens = {fresh: "alice"}
    issuer = world.api.url
    world.api.documents["/.well-known/openid-configuration"] = {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "authorization_endpoint": f"{issuer}/auth",
        "jwks_uri": f"{issuer}/keys",
    }
    answer = {"id_token": fresh, "access_token": "a", "token_type": "Bearer", "refresh_token": "again"}
    open_to_all(world, "/.well-known/openid-configuration", "/token", answer)
    config = {
        "id-token": jwt(soon(hours=-1)),
        "refresh-token": "again",
        "client-id": "kubernetes",
        "client-secret": "s3cret",
        "idp-issuer-url": issuer,
        "idp-certificate-authority-data": b64(world.authority),
    }
    return of(world, world.config({"auth-provider": {"name": "oidc", "config": config}}))


def open_to_all(world: World, document: str, endpoint: str, answer: Mapping[str, Any]) -> None:
    """Let the API server play an identity provider, which asks for no Kubernetes login."""
    from kube.server import Reply

    def reply(body: Any) -> Reply:
        return Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    world.api.faults[document] = [reply(world.api.documents[document])] * 9
    world.api.faults[endpoint] = [reply(answer)] * 9


@case("proxy-url")
def _(world: World) -> Setup:
    config = world.config(server=f"https://api.cluster.test:{world.api.port}", proxy_url=world.http_proxy.url)
    asked = [f"api.cluster.test:{world.api.port}"]
    return of(world, config, check=lambda: world.http_proxy.asked[:1] == asked)


@case("proxy-url wins over HTTPS_PROXY")
def _(world: World) -> Setup:
    config = world.config(server=f"https://api.cluster.test:{world.api.port}", proxy_url=world.http_proxy.url)
    environ = {"HTTPS_PROXY": world.other_proxy.url, "NO_PROXY": "cluster.test"}
    return of(
        world, config, environ=environ, check=lambda: bool(world.http_proxy.asked) and not world.other_proxy.asked
    )


@case("proxy-url: socks5")
def _(world: World) -> Setup:
    config = world.config(server=f"https://api.cluster.test:{world.api.port}", proxy_url=world.socks_proxy.url)
    asked = f"api.cluster.test:{world.api.port}"
    return of(world, config, check=lambda: asked in world.socks_proxy.asked)


@case("HTTPS_PROXY")
def _(world: World) -> Setup:
    config = world.config(server=f"https://api.cluster.test:{world.api.port}")
    environ = {"HTTPS_PROXY": world.http_proxy.url}
    return of(world, config, environ=environ, check=lambda: bool(world.http_proxy.asked))


@case("NO_PROXY")
def _(world: World) -> Setup:
    environ = {"HTTPS_PROXY": world.http_proxy.url, "NO_PROXY": "example.com,127.0.0.0/8"}
    return of(world, world.config(), environ=environ, check=lambda: not world.http_proxy.asked)


@case("impersonation of a user and groups")
def _(world: World) -> Setup:
    user = {"token": "g00d", "as": "deploy-bot", "as-groups": ["ci", "readers"]}
    return of(world, world.config(user), user="deploy-bot(ci,readers) by alice")


def split(world: World, first: Mapping[str, Any], second: Mapping[str, Any], between: str = ":") -> dict[str, str]:
    """Two files, in two folders."""
    paths = [world.write(f"{name}/config", yaml.safe_dump(dict(d))) for name, d in (("a", first), ("b", second))]
    return world.environ(between.join(str(path) for path in paths))


@case("KUBECONFIG: two files, the first one wins where a name is in both")
def _(world: World) -> Setup:
    whole = world.config().document()
    first = {"kind": "Config", "apiVersion": "v1", "contexts": whole["contexts"], "users": whole["users"]}
    second = {
        "kind": "Config",
        "apiVersion": "v1",
        "clusters": whole["clusters"],
        "users": [{"name": "u", "user": {"token": "bad"}}],
        "current-context": "x",
    }
    return Setup(split(world, first, second))


@case("KUBECONFIG: two current-contexts, the first one wins")
def _(world: World) -> Setup:
    other = world.config({"token": "bad"})
    other.names, other.current = ("c2", "u2", "x2"), "x2"
    return Setup(split(world, world.config().document(), other.document()))


@case("KUBECONFIG: users is null in the first file, and its CA is relative")
def _(world: World) -> Setup:
    world.write("a/ca.crt", world.authority)
    whole = world.config(certificate_authority_data=None, certificate_authority="ca.crt").document()
    second = {"kind": "Config", "apiVersion": "v1", "users": whole["users"]}
    return Setup(split(world, {**whole, "users": None}, second))


@case("KUBECONFIG: a file that does not exist")
def _(world: World) -> Setup:
    path = world.write("config", world.config().text())
    return Setup(world.environ(f"{world.folder}/missing:{path}"))


@case("KUBECONFIG: empty entries")
def _(world: World) -> Setup:
    path = world.write("config", world.config().text())
    return Setup(world.environ(f"::{path}:"))


@case("the service account of a pod")
def _(world: World) -> Setup:
    world.write("account/token", "g00d")
    world.write("account/ca.crt", world.authority)
    environ = world.environ(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(world.api.port))
    return Setup(
        environ,
        service_account=str(world.folder / "account"),
        kubectl="it looks in a fixed place that belongs to the machine",
    )


@case("SSL_CERT_FILE and REQUESTS_CA_BUNDLE of another CA")
def _(world: World) -> Setup:
    path = str(world.write("other.pem", world.other_ca.cert_pem.bytes()))
    environ = {"SSL_CERT_FILE": path, "REQUESTS_CA_BUNDLE": path, "CURL_CA_BUNDLE": path}
    return of(world, world.config(), environ=environ)


@case("a .netrc entry for the host")
def _(world: World) -> Setup:
    world.write("home/.netrc", "machine 127.0.0.1 login mallory password wrong\n")
    return of(world, world.config())


@case("an old CA: no key usage, no authority key identifier")
def _(world: World) -> Setup:
    config = world.config(server=world.old.url, certificate_authority_data=b64(world.old_certificates.authority))
    return of(world, config, server=world.old)


__all__ = ["CASES", "FLUX", "Setup"]
