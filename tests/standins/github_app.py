"""The side of GitHub where Apps get their tokens. Signatures are judged by PyJWT, with the App's public key only."""

from __future__ import annotations

import copy
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from standins.github import Token, json_answer, vendor

if TYPE_CHECKING:
    import re

    from standins.github import GitHub
    from standins.server import Answer, Asked

APP_ID = "314159"
INSTALLATION = 271828
_SIGNED = Token(writes=False)


@cache
def key() -> str:
    """A private key, in PEM format."""
    return pem(rsa.generate_private_key(65537, 2048))


def pem(made: Any) -> str:
    """A private key as GitHub gives it."""
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    return str(made.private_bytes(serialization.Encoding.PEM, traditional, serialization.NoEncryption()).decode())


class Apps:
    """Adds an App to ``github``: the key of ``key()``, installed once, on the organization ``owner``."""

    def __init__(self, github: GitHub, owner: str = "acme", *, person: bool = False) -> None:
        self.github = github
        self.owner = owner
        self.kind = "users" if person else "orgs"
        self.permissions = {"metadata": "read", "statuses": "write"}
        self.lifetime = 3600.0
        self.suspended = False
        self.made: list[str] = []
        """The tokens that were given out."""
        private = serialization.load_pem_private_key(key().encode(), None)
        self._public: Any = private.public_key()
        self._others = github.admit
        github.admit = self._admit
        github.routes += [
            ("GET", "/(orgs|users)/([^/]+)/installation", self._find),
            ("POST", "/app/installations/([0-9]+)/access_tokens", self._give),
        ]

    def _admit(self, given: str) -> Token | Answer | None:
        if not given.startswith("eyJ"):
            return self._others(given)
        try:
            claims = jwt.decode(given, self._public, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]})
        except jwt.ImmatureSignatureError:
            text = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
            return json_answer(401, {"message": text})
        except jwt.ExpiredSignatureError:
            text = "'Expiration time' claim ('exp') must be a numeric value representing the future time"
            return json_answer(401, {"message": text})
        except jwt.PyJWTError:
            return json_answer(401, {"message": "A JSON web token could not be decoded"})
        if claims["exp"] > time.time() + 600:
            return json_answer(401, {"message": "'Expiration time' claim ('exp') is too far in the future"})
        if claims["iss"] != APP_ID:
            return json_answer(404, {"message": "Integration not found"})
        return _SIGNED

    def _find(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        if token is not _SIGNED or (path[1], path[2]) != (self.kind, self.owner):
            return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        found = copy.deepcopy(vendor()["components"]["examples"]["installation"]["value"])
        return json_answer(200, found | {"id": INSTALLATION})

    def _give(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        if token is not _SIGNED or int(path[1]) != INSTALLATION:
            return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        if self.suspended:
            return json_answer(403, {"message": "This installation has been suspended"})
        # As long as they are since 2026: https://github.blog/changelog/2026-05-15-github-app-installation-tokens-per-request-override-header
        self.made.append(f"ghs_{APP_ID}_{jwt.encode({'n': len(self.made)}, 'x' * 64)}")
        self.github.tokens[self.made[-1]] = Token(writes=self.permissions.get("statuses") == "write")
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lifetime))
        return json_answer(201, {"token": self.made[-1], "expires_at": expires, "permissions": dict(self.permissions)})
