"""A Secret object among the manifests, https://kubernetes.io/docs/concepts/configuration/secret/ ."""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping

from landed.config.manifests.nodes import Node, below
from landed.config.manifests.reading import VARIABLE, Reading
from landed.config.manifests.rules import ANY, BOOL, METADATA, TEXT, Rule
from landed.model import Secret

RULE = Rule(
    "object",
    fields={
        "apiVersion": TEXT,
        "kind": TEXT,
        "metadata": METADATA,
        "type": TEXT,
        "immutable": BOOL,
        "data": ANY,
        "stringData": ANY,
    },
)
#: All of a value: ``<token>``.
PLACEHOLDER = r"\s*<[^<>]*>\s*"


def secret(reading: Reading) -> Mapping[str, Secret] | None:
    """Its values by their keys; None where it is encrypted, or something is wrong with it."""
    if reading.node.entry("sops"):
        reading.note("it is encrypted with SOPS, and left out")
        return None
    reading.check(RULE)
    encoded, plain = _texts(reading, "data"), _texts(reading, "stringData")
    values = {key: _decoded(reading, below("data", key), text) for key, text in encoded.items()}
    for key, text in plain.items():
        _look_at(reading, below("stringData", key), text)
    if reading.problems:
        return None
    return {key: Secret(text) for key, text in (values | plain).items() if text is not None}


def _texts(reading: Reading, field: str) -> dict[str, str]:
    node = reading.node.entry(field)
    if node is None:
        return {}
    if node.type != "map":
        reading.problem(field, "it is not a mapping", "Write a mapping of keys to values.")
        return {}
    texts = {key: _text(reading, below(field, key), item) for key, item in node.value.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _text(reading: Reading, field: str, node: Node) -> str | None:
    """Null is the empty text."""
    if node.type in ("text", "null"):
        return node.value or ""
    if node.type != "tagged":  # which is a problem already
        reading.problem(field, "it is not text", "Write it in quotes.")
    return None


def _decoded(reading: Reading, field: str, text: str) -> str | None:
    """What ``text`` is the base64 of; None where it is not, or not of text. Line breaks do not matter, as in Go."""
    key = field.removeprefix("data.")
    if re.fullmatch(PLACEHOLDER, text):
        reading.problem(
            field,
            "it holds a placeholder in angle brackets, not a value",
            f"Write the value under stringData.{key} as it is, or its base64 here (printf %s VALUE | base64)",
        )
        return None
    try:
        decoded = a2b_base64("".join(text.splitlines()).encode("ascii"), strict_mode=True)
    except (NotBase64, UnicodeError):
        if re.search(VARIABLE, text):
            what = "it holds a variable such as ${NAME}, which nothing replaces here"
        else:
            what = "it is not base64"
        reading.problem(field, what, f"Write a value that is not encoded under stringData.{key}.")
        return None
    try:
        return decoded.decode()
    except UnicodeError:
        reading.note(f"{field} is not text, and left out")
        return None


def _look_at(reading: Reading, field: str, text: str) -> None:
    if re.fullmatch(PLACEHOLDER, text):
        reading.problem(field, "it holds a placeholder in angle brackets, not a value", "Write the value.")
    elif re.search(VARIABLE, text) and reading.place.line:
        reading.note(f"{field} holds a variable such as ${{NAME}}, which stays as it is: nothing substitutes it here")
