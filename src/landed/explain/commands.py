"""The next command to run. Whatever comes from a cluster is quoted for a shell. No I/O."""

from __future__ import annotations

import shlex

from landed.explain.causes import CLAIM, CREATES, GONE, JOB, QUOTA, Cause
from landed.explain.said import Said
from landed.explain.values import Below, Evidence
from landed.model import ObjectRef
from landed.render import clean

_FLUX_SOURCES = {
    "GitRepository": "git",
    "OCIRepository": "oci",
    "Bucket": "bucket",
    "HelmRepository": "helm",
    "HelmChart": "chart",
}


def about_cause(below: Below, cause: Cause, context: str) -> str:
    """What shows more of what is wrong with an object."""
    ref = below.ref
    if cause.rank == QUOTA:
        return _shell("kubectl", *_context(context, "--context"), "describe", *_namespace(ref), "resourcequota")
    if cause.crashed:
        previous = ("--previous",) if cause.reason == "CrashLoopBackOff" else ()
        container = (f"--container={cause.container}",)
        pod = f"pod/{cause.pod}"
        return _shell("kubectl", *_context(context, "--context"), "logs", *_namespace(ref), pod, *container, *previous)
    if cause.rank == JOB and not cause.pod:
        return _shell("kubectl", *_context(context, "--context"), "describe", *_namespace(ref), f"job/{ref.name}")
    if cause.pod and cause.rank not in (CREATES, CLAIM, GONE):
        return _shell("kubectl", *_context(context, "--context"), "describe", *_namespace(ref), f"pod/{cause.pod}")
    return about_object(ref, context)


def about_object(ref: ObjectRef, context: str) -> str:
    """What shows more of an object."""
    if ref.kind in ("Kustomization", "HelmRelease"):
        what = f"{ref.kind}/{ref.name}"
        return _shell("flux", *_context(context, "--context"), "events", *_namespace(ref), f"--for={what}")
    if ref.kind in _FLUX_SOURCES:
        kind = _FLUX_SOURCES[ref.kind]
        return _shell("flux", *_context(context, "--context"), "get", "sources", kind, *_namespace(ref), ref.name)
    what = f"{ref.kind.lower()}/{ref.name}"
    return _shell("kubectl", *_context(context, "--context"), "describe", *_namespace(ref), what)


def about_message(evidence: Evidence, said: Said) -> str:
    """What shows more of a failure that is in the manifests themselves."""
    path, about = _path(evidence.path), evidence.about
    if about.kind == "Kustomization" and path and said.step == "build":
        return _shell("kustomize", "build", path)
    if about.kind == "Kustomization" and path and said.step == "path":
        return _shell("git", "ls-tree", "HEAD", "--", path)
    if about.kind == "Kustomization" and path and said.step == "apply":
        context = _context(evidence.context, "--context")
        return _shell("flux", *context, "diff", "kustomization", about.name, *_namespace(about), f"--path={path}")
    return about_object(about, evidence.context)


def _path(path: str) -> str:
    """Relative to the root of the repository, as ``spec.path`` is meant."""
    plain = clean(path).replace("\n", " ").strip().lstrip("/").removeprefix("./")
    return f"./{plain}" if plain else ""


def _context(context: str, option: str) -> tuple[str, ...]:
    return (f"{option}={context}",) if context else ()


def _namespace(ref: ObjectRef) -> tuple[str, ...]:
    return (f"--namespace={ref.namespace}",) if ref.namespace else ()


def _shell(*words: str) -> str:
    return shlex.join(clean(word).replace("\n", " ") for word in words)
