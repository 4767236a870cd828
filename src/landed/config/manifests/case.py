"""One Provider while it is worked out: what it and its Secrets say, what is wrong, and what is worth knowing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import structs

from landed.config.addresses import authority, web_address
from landed.config.manifests.secrets import Enough, SecretSource, places
from landed.config.manifests.types import TYPES
from landed.config.manifests.values import Problem, Provider
from landed.model import Secret
from landed.revision import loopback

NOTHING = Secret("")
#: Bytes of an address, as the field ``spec.address`` has it.
ADDRESS_LIMIT = 2048

TLS_KEYS = ("ca.crt", "tls.crt", "tls.key", "caFile", "certFile", "keyFile")
APP_KEYS = (
    "githubAppID",
    "githubAppPrivateKey",
    "githubAppInstallationID",
    "githubAppInstallationOwner",
    "githubAppBaseURL",
)
KEYS = ("address", "token", "creds", "nkey", "username", "password", "headers", "proxy", *APP_KEYS, *TLS_KEYS)


class Case:
    """Gathers problems and notes about one Provider. None of them holds a value of a Secret, or an address."""

    def __init__(self, provider: Provider, source: SecretSource) -> None:
        self.provider = provider
        self.about = f"Provider {provider.namespace}/{provider.name}"
        self.kind = TYPES[provider.type]
        self.environ = source.environ
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.keys: Mapping[str, Secret] = {}
        """Of ``secretRef``, each without blanks at its ends."""
        self.cut: frozenset[str] = frozenset()
        """The keys whose values had some."""
        self.unread = ""
        """Why the cluster's Secret of ``secretRef`` could not be read."""
        self._source = source

    def problem(self, field: str, what: str, instead: str = "") -> None:
        """Something is wrong: this Provider gives nothing."""
        place = self.provider.place
        line = self.provider.lines.get(field) or self.provider.lines.get(field.rpartition(".")[0]) or place.line
        self.problems.append(Problem(structs.replace(place, line=line), self.about, field, what, instead))

    def note(self, text: str) -> None:
        """Something is not as somebody may expect."""
        self.notes.append(f"{self.about}: {text}")

    def read(self, enough: Enough) -> None:
        """Read ``secretRef``, if there is one."""
        name = self.provider.secret
        if name:
            found = self._source.find(self.provider.namespace, name, KEYS, lambda values: enough(_trimmed(values)))
            self.keys, self.unread = _trimmed(found.values), found.unread
            self.cut = frozenset(key for key, value in found.values.items() if value != self.keys[key])
            for trouble in found.troubles:
                self.problem("spec.secretRef", trouble)

    def other(self, field: str, name: str, keys: tuple[str, ...], enough: Enough, wanted: str) -> Mapping[str, Secret]:
        """What another Secret of the Provider says. It is a problem where that is not ``enough``; ``wanted`` says what
        it takes.
        """
        found = self._source.find(self.provider.namespace, name, keys, enough)
        values = _trimmed(found.values)
        for trouble in found.troubles:
            self.problem(field, trouble)
        if not enough(values) and not found.troubles:
            reason = f" ({found.unread})" if found.unread else ""
            self.problem(field, f"its Secret does not hold {wanted}{reason}", self.where(keys[0], name))
        return values

    def key(self, name: str) -> Secret:
        """A value of ``secretRef``, empty where there is none."""
        return self.keys.get(name, NOTHING)

    def where(self, key: str, secret: str = "") -> str:
        """What to do where a key is missing."""
        name = secret or self.provider.secret
        if not name:
            return f"Name a Secret in spec.secretRef that holds `{key}`."
        return places(self.provider.namespace, name, key)

    def lack(self, key: str, what: str = "", otherwise: str = "") -> None:
        """A problem: a key of ``secretRef`` is missing. ``what`` says more than its name, ``otherwise`` another way."""
        reason = f" ({self.unread})" if self.unread else ""
        there = "its Secret does not hold" if self.provider.secret else "there is no Secret with"
        self.problem("spec.secretRef", f"{there} {what or f'`{key}`'}{reason}", f"{self.where(key)}{otherwise}")

    def address(self) -> Secret:
        """The address: that of the Secret, else ``spec.address``."""
        return self.key("address") or Secret(self.provider.address.reveal().strip())

    @property
    def addressed(self) -> str:
        """The field that the address comes from."""
        return "spec.secretRef" if self.key("address") else "spec.address"

    def username(self) -> str:
        """The Secret's, else ``spec.username``."""
        return self.key("username").reveal() or self.provider.username.strip()

    def check_address(self, address: Secret) -> bool:
        """Whether this can be an address at all; a problem if not."""
        text = address.reveal()
        if len(text.encode()) > ADDRESS_LIMIT:
            self.problem(self.addressed, f"the address is longer than {ADDRESS_LIMIT} bytes", "Give a shorter one.")
        elif not text.isprintable() or any(c.isspace() for c in text):
            self.problem(self.addressed, "the address holds blanks or control characters", "Take them out.")
        else:
            return True
        return False

    def check_web(self, address: Secret) -> bool:
        """Whether it is an http or https address; a problem if not, and a note if all of it can be overheard."""
        if not self.check_address(address):
            return False
        parts = web_address(address.reveal())
        if parts is None:
            self.problem(
                self.addressed, "the address is not a web address", "Begin it with https:// and the host's name."
            )
            return False
        self.remark(parts.scheme, authority(parts))
        return True

    def check_scheme(self, address: Secret, schemes: Sequence[str]) -> bool:
        """Whether it begins with one of ``schemes`` and names a host; a problem if not."""
        try:
            parts = urlsplit(address.reveal())
            good = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good:
            begin = " or ".join(f"{scheme}://" for scheme in schemes)
            self.problem(self.addressed, "the address is not one for this type", f"Begin it with {begin} and a host.")
        return good

    def remark(self, scheme: str, host: str) -> None:
        """A note where all that is sent can be overheard."""
        if scheme == "http" and not loopback(host):
            self.note("its address begins with http://, so tokens and all else that is sent there can be overheard.")

    def check_token(self, key: str, token: Secret) -> bool:
        """Whether a header can hold it; a problem if not."""
        text = token.reveal()
        blank = ":" not in text and any(c.isspace() for c in text)
        if text.isprintable() and not blank and (text.isascii() or ":" in text):
            return True
        self.problem("spec.secretRef", f"`{key}` holds blanks or characters that no token has", "Give the token alone.")
        return False


def _trimmed(values: Mapping[str, Secret]) -> dict[str, Secret]:
    """Without blanks at the ends, which files and ``echo`` leave; of a password only line breaks are taken."""
    return {
        key: Secret(value.reveal().strip("\r\n") if key == "password" else value.reveal().strip())
        for key, value in values.items()
    }
