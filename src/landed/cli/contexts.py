"""Which clusters a run is asked for: contexts of kubeconfigs, and what each cluster is called."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from landed.cli.options import Options
from landed.errors import ConfigurationError
from landed.kube import Known, known
from landed.model import Secret

#: How many contexts a message lists.
LISTED = 10


class Place(Struct, frozen=True):
    """A cluster that is asked for."""

    kubeconfig: Secret
    """As it was given; empty for the usual places."""
    known: Known
    context: str
    name: str = ""
    """What messages and statuses call the cluster."""


class _Match(Struct, frozen=True):
    """What one ``--context`` stands for; without any, what all kubeconfigs stand for together."""

    text: str
    places: tuple[Place, ...]
    loose: bool = False
    """A pattern: how many there are depends on the kubeconfig."""


def places(o: Options, environ: Mapping[str, str]) -> tuple[Place, ...]:
    """Every cluster that is asked for, in the order of the options, with unique names. Raises ConfigurationError."""
    given = o.kubeconfig or (Secret(""),)
    kubeconfigs = tuple((secret, known(secret.reveal(), environ)) for secret in given)
    if o.context:
        matches = tuple(_matching(text, kubeconfigs) for text in _once(o.context))
    else:
        matches = (_Match("", tuple(Place(secret, there, there.current) for secret, there in kubeconfigs)),)
    asked = tuple(_distinct(matches))
    named = tuple(_named(asked, matches, o.cluster_name, {c for _, there in kubeconfigs for c in there.contexts}))
    _check(named)
    return named


def may_be_several(o: Options) -> bool:
    """Whether the options ask for more than one cluster, whatever there is at present."""
    return max(len(o.context), len(o.kubeconfig)) > 1 or bool(o.shard) or any(map(_is_pattern, o.context))


# ── which ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _once(texts: Sequence[str]) -> Sequence[str]:
    for text in texts:
        if texts.count(text) > 1:
            raise ConfigurationError(f"--context {text} is given {texts.count(text)} times.", "Give each context once.")
    return texts


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _matching(text: str, kubeconfigs: Sequence[tuple[Secret, Known]]) -> _Match:
    """The contexts that ``text`` names; where none is called so, those that it matches."""
    exact = tuple(Place(secret, there, text) for secret, there in kubeconfigs if text in there.contexts)
    if exact:
        return _Match(text, exact)
    pattern = re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
    found = tuple(
        Place(secret, there, context)
        for secret, there in kubeconfigs
        for context in there.contexts
        if _is_pattern(text) and pattern.fullmatch(context)
    )
    if not found:
        missing = f'No context matches "{text}"' if _is_pattern(text) else f'There is no context "{text}"'
        origins = " or ".join(dict.fromkeys(there.origin for _, there in kubeconfigs))
        raise ConfigurationError(
            f"{missing} in {origins}.", _listed(text, [c for _, k in kubeconfigs for c in k.contexts])
        )
    return _Match(text, found, loose=True)


def _listed(text: str, contexts: Iterable[str]) -> str:
    """What there is, the likeliest first."""
    there = list(dict.fromkeys(contexts))
    if not there:
        return "There is none at all: is this the right kubeconfig?"
    from difflib import get_close_matches

    near = get_close_matches(re.sub(r"[*?]", "", text), there, n=5, cutoff=0.5)
    others = [context for context in there if context not in near]
    shown = (near + others)[:LISTED]
    more = f" and {len(there) - len(shown)} more" if len(there) > len(shown) else ""
    return f"{f'Did you mean {near[0]}? ' if near else ''}There is: {', '.join(shown)}{more}."


def _distinct(matches: Iterable[_Match]) -> Iterator[Place]:
    """Patterns may overlap."""
    seen = set()
    for match in matches:
        for place in match.places:
            key = (id(place.known), place.context)
            if key not in seen:
                seen.add(key)
                yield place


# ── what they are called ────────────────────────────────────────────────────────────────────────────────────────────


def _named(
    asked: Sequence[Place], matches: Iterable[_Match], names: Sequence[str], contexts: Iterable[str]
) -> Iterator[Place]:
    """Every place with its name: the one that is given for its context, or by the order, or the context's."""
    by_context, plain = _read(names, frozenset(contexts))
    _match_up(asked, matches, by_context, plain)
    in_order = iter(plain)
    for place in asked:
        own = by_context.get(place.context)
        name = own.pop(0) if own else next(in_order, place.context)
        yield Place(place.kubeconfig, place.known, place.context, name)


def _read(names: Iterable[str], contexts: frozenset[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The names that are given for a context, and those that go by the order."""
    by_context: defaultdict[str, list[str]] = defaultdict(list)
    plain = []
    for text in names:
        if "=" not in text:
            plain.append(text)
            continue
        cuts = [found.start() for found in re.finditer("=", text) if text[: found.start()].strip() in contexts]
        if not cuts:
            context = text.rpartition("=")[0]
            raise ConfigurationError(
                f'--cluster-name {text}: there is no context "{context}".', _listed(context, sorted(contexts))
            )
        name = text[cuts[-1] + 1 :].strip()
        if not name:
            raise ConfigurationError(f"--cluster-name {text} gives no name.", "Write it as CONTEXT=NAME.")
        by_context[text[: cuts[-1]].strip()].append(name)
    return by_context, plain


def _match_up(
    asked: Sequence[Place], matches: Iterable[_Match], by_context: Mapping[str, Sequence[str]], plain: Sequence[str]
) -> None:
    """Refuse names of which nobody can say whose they are."""
    loose = next((match for match in matches if match.loose and len(match.places) > 1), None)
    if plain and loose is not None:
        raise ConfigurationError(
            f"--context {loose.text} matches {len(loose.places)} contexts, "
            f"so nobody can say which of them --cluster-name {plain[0]} is for.",
            f"Write --cluster-name CONTEXT=NAME: {loose.places[0].context}={plain[0]}.",
        )
    if plain and by_context:
        raise ConfigurationError(
            f"--cluster-name {plain[0]} names no context, and others do.", "Write all of them as CONTEXT=NAME."
        )
    if len(plain) > len(asked):
        clusters = "cluster" if len(asked) == 1 else "clusters"
        raise ConfigurationError(
            f"There are {len(plain)} --cluster-name for {len(asked)} {clusters}.", "Give one for each --context."
        )
    for context, names in by_context.items():
        alike = [place for place in asked if place.context == context]
        if alike and len(names) != len(alike):
            raise ConfigurationError(
                f"There are {len(names)} --cluster-name for the context {context}, "
                f"which {len(alike)} of the kubeconfigs have.",
                f"Give {'one for each kubeconfig, in their order' if len(alike) > 1 else 'one'}.",
            )


def _check(named: Iterable[Place]) -> None:
    """Names are unique, also where a Git host does not tell upper from lower case, and can stand in a context."""
    known: dict[str, Place] = {}
    for place in named:
        problem = wrong_with(place.name)
        if problem:
            raise ConfigurationError(
                f"The cluster of context {place.context!r} cannot be called {place.name!r}: {problem}.",
                f"Give it another name: --cluster-name {place.context}=NAME.",
            )
        other = known.setdefault(place.name.casefold(), place)
        if other is not place:
            raise _same(other, place)
    for name, place in known.items():
        above = next(
            (known[name[: cut.start()]] for cut in re.finditer("/", name) if name[: cut.start()] in known), None
        )
        if above is not None:
            raise ConfigurationError(
                f"A cluster called {place.name} beside one called {above.name}: their statuses could get one name.",
                f"Give one another name: --cluster-name {place.context}=NAME.",
            )


def wrong_with(name: str) -> str:
    """Why a cluster cannot be called so; empty if it can."""
    if not name.strip():
        return "it is empty"
    if not name.isprintable():
        return "it holds a line break, or another character that does not print"
    if name != name.strip():
        return "it begins or ends with a blank"
    return "a name cannot hold { or }" if "{" in name or "}" in name else ""


def _same(one: Place, other: Place) -> ConfigurationError:
    """Two clusters would get one name; says whose it is, and how to tell them apart."""
    where = (f"context {place.context} of {place.known.origin}" for place in (one, other))
    message = f"Two clusters would be called {one.name}: {' and '.join(where)}."
    if one.context != other.context:
        alike = "" if one.name == other.name else " Git hosts do not tell upper from lower case."
        return ConfigurationError(message, f"Give one another name: --cluster-name {other.context}=NAME.{alike}")
    return ConfigurationError(
        message,
        f"Tell them apart: --cluster-name {one.context}=NAME once for each kubeconfig, in their order.",
    )
