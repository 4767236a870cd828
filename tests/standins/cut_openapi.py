"""Cut GitHub's OpenAPI description down to the operations that landed uses.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz package/generated/api.github.com.json
    python tests/standins/cut_openapi.py package/generated/api.github.com.json tests/data/hosts/github-openapi.json.gz

Nothing is changed: operations, and the components they refer to, are kept or left out whole. What we know beyond the
description is added by the stand-in when it loads the file, see ``github.py``.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

OPERATIONS = {
    "/app": ("get",),
    "/app/installations/{installation_id}/access_tokens": ("post",),
    "/orgs/{org}/installation": ("get",),
    "/rate_limit": ("get",),
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/check-runs": ("post",),
    "/repos/{owner}/{repo}/check-runs/{check_run_id}": ("patch",),
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}/check-runs": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}/statuses": ("get",),
    "/repos/{owner}/{repo}/compare/{basehead}": ("get",),
    "/repos/{owner}/{repo}/deployments": ("get", "post"),
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses": ("get", "post"),
    "/repos/{owner}/{repo}/dispatches": ("post",),
    "/repos/{owner}/{repo}/git/commits/{commit_sha}": ("get",),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("get", "patch", "delete"),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get",),
    "/repos/{owner}/{repo}/statuses/{sha}": ("post",),
    "/user": ("get",),
    "/users/{username}": ("get",),
    "/users/{username}/installation": ("get",),
}


def references(value: Any) -> set[str]:
    """Every ``$ref`` in ``value``."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(references(member) for member in value))
    return set()


def component(description: Any, reference: str) -> tuple[str, str, Any]:
    """The section, name and content of a component."""
    section, name = reference.removeprefix("#/components/").split("/")
    return section, name, description["components"][section][name]


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
    return {
        "openapi": description["openapi"],
        "info": description["info"],
        "servers": description["servers"],
        "paths": paths,
        "components": {section: dict(sorted(names.items())) for section, names in sorted(components.items())},
    }


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    text = json.dumps(cut(json.loads(source.read_text())), separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
