"""What a template can speak of, as plain values: ``docs/templates.md`` has the list for people. No I/O."""

from __future__ import annotations

from typing import Any

from landed import render
from landed.model import Digest, Observation, State, Story
from landed.render import cut, one_line
from landed.revision import pointer
from landed.story import lines, title

#: Objects that a template sees, the worst first; what became of each; characters of a message of Flux's.
MOST, CHANGES, MESSAGE = 500, 100, 2000
#: Everything there is.
_NAMES = (
    "state title lines cluster repository host commit short_commit revision branch subject author url objects failed"
    " waiting live broken_for rolled_back_from superseded_by failing_since summary facts run_url"
)
NAMES = tuple(_NAMES.split())
_ORDER = (State.FAILURE, State.PENDING)


def variables(story: Story, digest: Digest, run_url: str = "") -> dict[str, Any]:
    """Everything there is to say of ``story``, cleaned and on one line each, in values that are new each time."""
    outcome = story.outcome
    worst = sorted(outcome.observations, key=lambda o: _ORDER.index(o.state) if o.state in _ORDER else len(_ORDER))
    objects = [_object(observation) for observation in worst[:MOST]]
    revision = next((o.revision for o in outcome.observations if o.revision), "")
    values: dict[str, Any] = {
        "state": str(story.state),
        "title": title(story),
        "lines": list(lines(story)),
        "cluster": outcome.cluster,
        "repository": outcome.repository.path,
        "host": outcome.repository.host,
        "commit": outcome.commit,
        "short_commit": outcome.commit[:8],
        "revision": revision,
        "branch": pointer(revision) if revision else "",
        "subject": story.subject,
        "author": story.author,
        "url": render.commit_url(outcome.repository, outcome.commit) if outcome.commit else "",
        "objects": objects,
        "failed": [one for one in objects if one["state"] == State.FAILURE],
        "waiting": [one for one in objects if one["state"] == State.PENDING],
        "live": [one for one in objects if one["state"] == State.SUCCESS],
        "broken_for": render.age(story.broken_for) if story.broken_for else "",
        "rolled_back_from": story.rolled_back_from,
        "superseded_by": story.superseded_by,
        "failing_since": story.failing_since,
        "summary": digest.summary,
        "facts": {one_line(name): value for name, value in digest.facts},
        "run_url": run_url,
    }
    return {name: _plain(value) for name, value in values.items()}


def _object(observation: Observation) -> dict[str, Any]:
    about, waits_for = observation.about, observation.waits_for
    return {
        "kind": about.kind,
        "namespace": about.namespace,
        "name": about.name,
        "state": str(observation.state),
        "reason": observation.reason,
        "message": cut(one_line(observation.message), MESSAGE),
        "duration": render.duration(observation.duration),
        "waits_for": f"{waits_for.namespace}/{waits_for.name}" if waits_for else "",
        "since": render.rfc3339(observation.since) if observation.since else "",
        "changes": list(observation.changes[:CHANGES]),
    }


def _plain(value: Any) -> Any:
    """Every text in it on one line: a stranger's line break would make lines of its own."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return one_line(value)
