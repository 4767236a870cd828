"""Make an OpenAPI description of the operations of Bitbucket Data Center that landed uses, from a client's types.

    npm pack @coderabbitai/bitbucket@1.1.4 && tar xzf coderabbitai-bitbucket-*.tgz
    cd tests && python -m standins.cut_bitbucketserver \\
        ../package/dist/server/openapi/openapi-typescript.d.ts data/hosts/bitbucketserver-openapi.json.gz

Atlassian publishes a description; that client is made from it by openapi-typescript, which keeps names, types, what is
required and what is one of a few words. This goes the way back, without prose. What we know beyond it is added by the
stand-in when it loads the file, see ``bitbucketserver.py``.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from standins.cut_openapi import references

REPOSITORY = "/api/latest/projects/{projectKey}/repos/{repositorySlug}"
OPERATIONS = {
    "/api/latest/projects": ("get",),
    REPOSITORY: ("get",),
    f"{REPOSITORY}/commits": ("get",),
    f"{REPOSITORY}/commits/{{commitId}}": ("get",),
    f"{REPOSITORY}/commits/{{commitId}}/builds": ("get", "post"),
    "/build-status/latest/commits/{commitId}": ("get",),
}
PLAIN: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "unknown": {},
    "never": {},
    "Record": {"type": "object"},
}


class Types:
    """Reads the types that openapi-typescript writes."""

    def __init__(self, text: str) -> None:
        words: list[str] = re.findall(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"|[\w$]+|[^\s\w]', text, re.DOTALL)
        self._words = [word for word in words if not word.startswith("/*")]
        self._at = 0

    def of(self, name: str) -> Any:
        """The schema of ``export interface NAME``."""
        self._at = next(
            at for at, word in enumerate(self._words) if word == name and self._words[at - 1] == "interface"
        )
        self._at += 1
        return self._union()

    def _next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _has(self, word: str) -> bool:
        if self._words[self._at] != word:
            return False
        self._at += 1
        return True

    def _union(self) -> Any:
        found = [self._one()]
        while self._has("|"):
            found.append(self._one())
        if all("enum" in schema for schema in found):
            return {"type": "string", "enum": [word for schema in found for word in schema["enum"]]}
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _one(self) -> Any:
        self._has("readonly")
        word = self._next()
        if word == "{":
            schema = self._object()
        elif word.startswith('"'):
            schema = {"enum": [json.loads(word)]}
        else:
            keys = list(self._keys())
            schema = PLAIN.get(word, {"$ref": f"#/{'/'.join((word, *keys))}"})
        while self._has("["):
            self._has("]")
            schema = {"type": "array", "items": schema}
        return schema

    def _keys(self) -> Iterator[str]:
        """The keys of ``components["schemas"]["RestCommit"]``, or nothing. Skips what angle brackets hold."""
        while self._words[self._at] == "[" and self._words[self._at + 1].startswith('"'):
            self._at += 1
            yield json.loads(self._next())
            self._has("]")
        depth = 0
        while depth or self._words[self._at] == "<":
            depth += {"<": 1, ">": -1}.get(self._next(), 0)

    def _object(self) -> Any:
        members: dict[str, Any] = {}
        required: list[str] = []
        while not self._has("}"):
            self._has("readonly")
            if self._has("["):  # [key: string]: …
                while not self._has("]"):
                    self._next()
                name = ""
            else:
                word = self._next()
                name = json.loads(word) if word.startswith('"') else word
            optional = self._has("?")
            self._has(":")
            schema = self._union()
            self._has(";")
            if name:
                members[name] = schema
                required += [] if optional else [name]
        return {"type": "object", "properties": members} | ({"required": required} if required else {})


def operation(shape: Any) -> Any:
    """An operation as OpenAPI has it."""
    given = shape["parameters"]["properties"]
    parameters = [
        {"name": name, "in": where, "required": name in given[where].get("required", ()), "schema": schema}
        for where in ("path", "query")
        for name, schema in given[where].get("properties", {}).items()
    ]
    responses = {
        status: {"description": ""} | _content(answer["properties"]) for status, answer in shape["responses"].items()
    }
    body = _content(shape.get("requestBody", {}).get("properties", {}))
    return {"parameters": parameters, "responses": responses} | ({"requestBody": body} if body else {})


def _content(members: Any) -> Any:
    for schema in members.get("content", {}).get("properties", {}).values():
        return {"content": {"application/json": {"schema": schema}}}  # whatever the client calls it
    return {}


def cut(text: str) -> Any:
    """The description of ``OPERATIONS``, and everything they need."""
    types = Types(text)
    paths, operations = (types.of(name)["properties"] for name in ("paths", "operations"))
    schemas = types.of("components")["properties"]["schemas"]["properties"]
    described: dict[str, Any] = {}
    for path, ways in OPERATIONS.items():
        for way in ways:
            name = paths[path]["properties"][way]["$ref"].rpartition("/")[2]
            shape = {member: schema.get("properties", {}) for member, schema in operations[name]["properties"].items()}
            shape["parameters"] = {"properties": shape["parameters"]}
            shape["requestBody"] = {"properties": shape.get("requestBody", {})}
            described.setdefault(path, {})[way] = operation(shape)
    kept: dict[str, Any] = {}
    pending = references(described)
    while pending:
        name = pending.pop().rpartition("/")[2]
        kept[name] = schemas[name]
        pending |= {reference for reference in references(schemas[name]) if reference.rpartition("/")[2] not in kept}
    return {
        "openapi": "3.0.1",
        "info": {"title": "Bitbucket Data Center", "version": "9.2"},
        "servers": [{"url": "http://example.com:7990/rest"}],
        "paths": described,
        "components": {"schemas": dict(sorted(kept.items()))},
    }


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    made = json.dumps(cut(source.read_text()), separators=(",", ":"))
    target.write_bytes(gzip.compress(made.encode(), 9, mtime=0))
