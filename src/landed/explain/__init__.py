"""Why something failed, out of what was read: the root cause in a sentence, and the next command. No I/O, no clock.

``roots`` finds the failures that are no consequence of another one; ``explained`` says what stands behind one of them;
``doomed`` sees which health check will fail before Flux gives up.
"""

from __future__ import annotations

import re

from landed.explain.causes import Cause, called, causes, complaints
from landed.explain.commands import about_cause, about_message, about_object
from landed.explain.doom import doomed
from landed.explain.quoting import SENTENCE, quoted
from landed.explain.roots import roots
from landed.explain.said import Said, said
from landed.explain.values import Below, Container, Evidence, Pod, Question, Root
from landed.model import Culprit, Explanation, PodTrouble
from landed.render import clean, words

__all__ = ["Evidence", "Question", "Root", "doomed", "explained", "roots"]

#: Pods and events of one culprit that are shown.
_PODS, _EVENTS = 5, 5


def explained(root: Root, evidence: Evidence) -> Explanation:
    """What stands behind a failure, as far as it was found."""
    failure = root.failure
    heard = said(failure.message, failure.reason)
    found = sorted(
        ((cause, below) for below in evidence.objects for cause in causes(below)), key=lambda pair: (pair[0].rank,)
    )
    if found:
        cause, below = found[0]
        message, command = f"{called(below.ref)}: {cause.sentence}", about_cause(below, cause, evidence.context)
    else:
        message, command = _alone(root, evidence, heard), _command(evidence, heard)
    return Explanation(
        root.cluster,
        failure.about,
        failure.reason,
        quoted(message, SENTENCE),
        tuple(_culprit(below) for below in evidence.objects if _guilty(below, found)),
        root.waiting,
        clean(evidence.path or root.path),
        command,
        evidence.lacking,
    )


def _alone(root: Root, evidence: Evidence, heard: Said) -> str:
    """The cause by Flux's own message, where nothing was found below it."""
    path = quoted(evidence.path or root.path, 120)
    text = quoted(heard.text)
    if heard.step == "path":
        return f"The path {path} is not in what the source holds." if path else f"Its path is not there: {text}"
    if heard.step == "build":
        said_ = re.sub(r"^kustomize build failed: ", "", text)
        return f"The manifests {f'of {path} ' if path else ''}do not build: {said_}"
    if heard.step in ("apply", "prune") and heard.named:
        return f"{called(heard.named[0].ref)}: {text}"
    if heard.step == "health" and heard.named:
        first = heard.named[0]
        more = f", and {len(heard.named) - 1} more" if len(heard.named) > 1 else ""
        return f"{called(first.ref)} did not become healthy ({first.status or 'Unknown'}){more}"
    what = words(root.failure.reason)
    if not text or text.lower().startswith(what.lower()):
        return text or what
    return f"{what}: {text}" if what else text


def _command(evidence: Evidence, heard: Said) -> str:
    if heard.step == "health" and heard.named:
        return about_object(heard.named[0].ref, evidence.context)
    return about_message(evidence, heard)


def _guilty(below: Below, found: list[tuple[Cause, Below]]) -> bool:
    return bool(below.status) or any(other is below for _, other in found)


def _culprit(below: Below) -> Culprit:
    conditions = tuple(": ".join(filter(None, parts)) for parts in complaints(below))
    warnings = tuple(dict.fromkeys(f"{quoted(w.reason, 60)}: {quoted(w.message)}" for w in below.warnings))
    pods = tuple(trouble for pod in below.pods for trouble in _pod(below, pod))
    return Culprit(below.ref, quoted(below.status, 60), conditions, pods[:_PODS], warnings[:_EVENTS])


def _pod(below: Below, pod: Pod) -> list[PodTrouble]:
    """The troubles of one pod, as they stand in the status."""
    found = [_container(pod, container) for container in pod.containers if container.waiting or _failed(container)]
    scheduled = pod.scheduled
    if scheduled is not None and scheduled.status == "False":
        found.append(PodTrouble(quoted(pod.ref.name, 260), "", quoted(scheduled.reason, 60), quoted(scheduled.message)))
    if pod.phase == "Failed" and pod.reason:
        found.append(PodTrouble(quoted(pod.ref.name, 260), "", quoted(pod.reason, 60), quoted(pod.message)))
    shown = {trouble.container for trouble in found}
    names = {cause.container for cause in causes(below) if cause.pod == pod.ref.name and cause.container}
    found += [_container(pod, c) for c in pod.containers if c.name in names - shown]
    return found


def _failed(container: Container) -> bool:
    return container.code not in (None, 0) and not container.ready


def _container(pod: Pod, container: Container) -> PodTrouble:
    message = container.message if container.waiting else container.told
    reason = container.waiting or container.ended or "NotReady"
    return PodTrouble(
        quoted(pod.ref.name, 260),
        quoted(container.name, 80),
        quoted(reason, 60),
        quoted(message),
        container.restarts,
        container.log,
    )
