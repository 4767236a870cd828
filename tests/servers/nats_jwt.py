"""Keys, JWTs and credentials of NATS' decentralised authorisation, as ``nsc`` would make them.

https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time

import msgspec
import nkeys

_UNLIMITED = -1


class Key(msgspec.Struct, frozen=True):
    """A pair of keys: the seed is secret, the public one is a name."""

    seed: str
    public: str

    def sign(self, data: bytes) -> bytes:
        signature: bytes = nkeys.from_seed(bytearray(self.seed, "ascii")).sign(data)
        return signature


class Operator(msgspec.Struct, frozen=True):
    """What a server needs to know of who vouches for users, and what is needed to make more users."""

    jwt: str
    system: str
    """The public key of the account that the server keeps for itself."""
    accounts: dict[str, str]
    """Their JWTs by public key."""
    account: Key


def user_key() -> Key:
    """A new key of a user."""
    return _key(nkeys.PREFIX_BYTE_USER)


def operator() -> Operator:
    """An operator with a system account, and an account that may use JetStream."""
    operator_key, system, account = (
        _key(prefix) for prefix in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_ACCOUNT)
    )
    accounts = {
        system.public: _jwt(operator_key, system, "SYS", {"type": "account", "limits": _limits(jetstream=False)}),
        account.public: _jwt(operator_key, account, "landed", {"type": "account", "limits": _limits(jetstream=True)}),
    }
    described = _jwt(operator_key, operator_key, "tests", {"type": "operator", "system_account": system.public})
    return Operator(jwt=described, system=system.public, accounts=accounts, account=account)


def credentials(vouching: Operator, name: str, allowed: list[str] | None = None) -> str:
    """The text of a ``.creds`` file: a user of the account, who may publish to ``allowed`` alone, or anywhere."""
    key = user_key()
    may = {"pub": {"allow": allowed} if allowed else {}, "sub": {}}
    limits = {"subs": _UNLIMITED, "data": _UNLIMITED, "payload": _UNLIMITED}
    jwt = _jwt(vouching.account, key, name, {"type": "user", **may, **limits})
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"{'*' * 61}\nKeep this to yourself, and hand it to nobody.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{key.seed}\n------END USER NKEY SEED------\n"
    )


def _limits(*, jetstream: bool) -> dict[str, object]:
    names = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
    if jetstream:
        names += ["mem_storage", "disk_storage", "streams", "consumer"]
    return {**dict.fromkeys(names, _UNLIMITED), "wildcards": True}


def _key(prefix: int) -> Key:
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), prefix)
    public: bytes = nkeys.from_seed(bytearray(seed)).public_key
    return Key(seed=seed.decode(), public=public.decode())


def _jwt(issuer: Key, subject: Key, name: str, nats: dict[str, object]) -> str:
    claims = {
        "iat": int(time.time()),
        "iss": issuer.public,
        "name": name,
        "sub": subject.public,
        "nats": {**nats, "version": 2},
    }
    identity = hashlib.new("sha512_256", json.dumps(claims).encode()).digest()
    claims["jti"] = base64.b32encode(identity).decode().rstrip("=")
    signed = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(claims)}"
    return f"{signed}.{_base64(issuer.sign(signed.encode()))}"


def _part(value: dict[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
