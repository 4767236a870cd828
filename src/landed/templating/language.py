"""The part of Jinja that a template may use, https://jinja.palletsprojects.com/templates/ : its sandbox, and in that
what cannot hang and gives the same text for the same values.

There are values, conditions, loops, and filters from a list. There are no macros, includes, blocks, or methods, whose
cost nobody could bound.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2 import Template as Jinja
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing

from landed.config.manifests.reading import nearest
from landed.render import cut
from landed.templating.budget import LIST, TEXT, WIDTH, Budget, Over, room
from landed.templating.mistake import Mistake
from landed.templating.variables import NAMES

_FILTERS = (
    "abs capitalize count d default dictsort first float int items last length list lower map max min reject"
    " rejectattr reverse round select selectattr sort title trim truncate unique upper urlencode wordcount"
)
#: Those that look at a text: what is none is refused, as where it is written.
_TEXTUAL = "capitalize lower title trim truncate upper wordcount"
_TESTS = (
    "boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le lessthan lower lt"
    " mapping ne none number odd sameas sequence string true undefined upper == != > >= < <="
)
_TAKEN = (
    "Template Output TemplateData Name NSRef Const Tuple List Dict Pair Keyword CondExpr Filter Test Call Getitem"
    " Getattr Slice Concat Compare Operand Mul Div FloorDiv Add Sub Mod Pow And Or Not Neg Pos If For Assign With"
)
_OF_LOOPS = "index index0 revindex revindex0 first last length previtem nextitem depth depth0 cycle changed"
_CALLED = {
    "CallBlock": "call",
    "FilterBlock": "filter",
    "AssignBlock": "a set with an end",
    "FromImport": "import",
    "Scope": "autoescape",
}
_OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
#: Filters of our own. Their names cannot be written in a template.
_EACH, _JOINED, _FLAT, _HELD = "each step", "joined text", "flat list", "held value"
_NO_MEMBERS = "what stands before it has no members"
_NESTED = "it is nested too deeply"
#: Variables that are named beside what is wrong with their line.
_NAMED = 3
#: Names, operators, tags and the like of one template: each takes its time to be made into code.
PARTS = 4000


def compiled(source: str) -> Callable[[dict[str, object]], Iterator[str]]:
    """What gives the text for some values, piece by piece. Both raise Mistake, with a line."""
    budget = Budget()
    environment = _Environment(budget)
    try:
        tree = environment.parse(source)
        room(sum(1 for _ in tree.find_all(nodes.Node)), PARTS, f"it has more than {PARTS} parts")
        names = _names(tree)
        tree = _confined(tree)
        tree.set_environment(environment)
        template = Jinja.from_code(environment, environment.compile(tree), environment.globals)
    except TemplateSyntaxError as error:
        raise Mistake(error.message or "it is no template", error.lineno) from None
    except Over as error:
        raise Mistake(str(error)) from None
    except (RecursionError, SyntaxError, MemoryError, ValueError):  # Python's own limits, met while it reads our code
        raise Mistake(_NESTED) from None

    def render(values: dict[str, object]) -> Iterator[str]:
        budget.renew()
        try:
            yield from template.root_render_func(template.new_context(values))
        except Exception as error:  # noqa: BLE001 — whatever a template does: the message is told without it
            line = _line(error, template)
            raise Mistake(_said(error, names.get(line, ())), line) from None

    return render


def _names(tree: Any) -> dict[int, tuple[str, ...]]:
    """Line → the variables that it speaks of, in order, each once."""
    found: dict[int, dict[str, None]] = {}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in ("range", "namespace"):
            found.setdefault(name.lineno, {})[name.name] = None
    return {line: tuple(its) for line, its in found.items()}


def _confined(node: Any) -> Any:
    """``node``, where each step of a loop and all that is made has its price.

    Raises TemplateSyntaxError for what is not taken.
    """
    kind = type(node).__name__
    if kind not in _TAKEN.split() or getattr(node, "recursive", False):
        name = "a recursive loop" if kind == "For" else f"{_CALLED.get(kind, kind.lower())}"
        raise TemplateSyntaxError(f"{name} is not taken in a message's template", node.lineno)
    weight = sum(1 for _ in node.find_all(nodes.Node)) if kind == "For" else 0
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, field, _confined(value))
        elif isinstance(value, list):
            setattr(node, field, [_confined(one) if isinstance(one, nodes.Node) else one for one in value])
    if kind == "For":
        node.iter = _priced(node.iter, _EACH, nodes.Const(weight))
    elif kind == "Concat":
        return _priced(nodes.Const("", lineno=node.lineno), _JOINED, *node.nodes)
    elif kind in ("List", "Dict") or (kind == "Tuple" and node.ctx == "load"):
        return _priced(node, _FLAT)
    elif kind == "Getitem" and isinstance(node.arg, nodes.Slice):
        return _priced(node, _HELD)
    return node


def _priced(node: Any, name: str, *args: Any) -> Any:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


class _Missing(StrictUndefined):
    """What is not there, with what may have been meant."""

    __slots__ = ()
    __index__ = StrictUndefined.__int__  # also where it is counted with

    @property
    def _undefined_message(self) -> str:
        name, there = self._undefined_name, self._undefined_obj
        if self._undefined_hint or not isinstance(name, str):
            return self._undefined_hint or "there is no such element"
        if there is not missing and not isinstance(there, dict):
            return f"{cut(name, 60)!r} is undefined: {_NO_MEMBERS}"
        near = nearest(name, NAMES if there is missing else tuple(there) or ("",))
        return f"{cut(name, 60)!r} is undefined" + (f" (is it {near!r}?)" if near else "")


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's own way to say what a template may reach."""

    intercepted_binops = frozenset(_OPERATORS)

    def __init__(self, budget: Budget) -> None:
        super().__init__(
            undefined=_Missing,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=lambda value: budget.hold(_text(value)),
            cache_size=0,
        )
        self._budget = budget
        self.globals = {"range": _range, "namespace": Namespace}
        self.tests = {name: self.tests[name] for name in _TESTS.split()}
        made: dict[str, Callable[..., Any]] = {name: FILTERS[name] for name in _FILTERS.split()}
        made |= {name: _of_text(made[name]) for name in _TEXTUAL.split()}
        made |= {"join": _join, "replace": _replace, "string": _text, _FLAT: _flat, _HELD: lambda value: value}
        bounded = {name: budget.bounded(one, any_second=name in ("d", "default")) for name, one in made.items()}
        self.filters = {**bounded, _EACH: budget.each, _JOINED: lambda *texts: budget.hold(_joined("", texts))}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A member; values have no methods."""
        known = isinstance(obj, LoopContext) and attribute in _OF_LOOPS.split()
        if known or (isinstance(obj, Namespace) and not attribute.startswith("_")):
            value = getattr(obj, attribute, missing)
            return self.undefined(name=attribute, obj=obj) if value is missing else value
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A member, or an element by its number."""
        if isinstance(obj, Undefined):
            return obj[argument]  # says what it is that is missing
        try:
            if isinstance(obj, dict) or (isinstance(obj, list | tuple | str | range) and isinstance(argument, int)):
                return obj[argument]
        except LookupError:
            pass
        return self.undefined(obj=obj, name=argument)

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A filter by its name, as ``map`` asks for it: ours are not for templates."""
        if name in (_EACH, _JOINED, _FLAT, _HELD):
            raise TypeError("there is no such filter")
        return super().call_filter(name, *args, **kwargs)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call one of the few things that can be called."""
        __self._budget.spend(1)
        if isinstance(__obj, Undefined):
            __obj()
        if __obj not in (_range, Namespace) and not isinstance(getattr(__obj, "__self__", None), LoopContext):
            raise TypeError("it cannot be called: values have no methods, take a filter")
        return __context.call(__obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Reckon, where the result has room."""
        self._budget.spend(1)
        _fits(operator, left, right)
        return self._budget.hold(_OPERATORS[operator](left, right))


def _fits(operator_: str, left: Any, right: Any) -> None:
    """Raise Over or TypeError unless the result may be made."""
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return  # using it says what is missing
    if isinstance(left, int | float) and isinstance(right, int | float):
        if operator_ == "**" and (abs(left) > WIDTH or abs(right) > 64):
            raise Over("a number is too large")
    elif operator_ == "+" and type(left) is type(right) and isinstance(left, str | list | tuple):
        room(len(left) + len(right), TEXT if isinstance(left, str) else LIST, "the sum is too long")
    elif operator_ == "*" and isinstance(left, str) and isinstance(right, int):
        room(len(left) * right, TEXT, f"a text is longer than {TEXT} characters")
    else:
        raise TypeError(f"{operator_} cannot take these; take ~ to put texts together")


def _range(*args: int) -> range:
    made = range(*args)
    try:
        room(len(made), LIST, f"a range has more than {LIST} numbers")
    except OverflowError:
        raise Over(f"a range has more than {LIST} numbers") from None
    return made


def _text(value: Any) -> str:
    """What is written of a value. Raises TypeError for what has no text of its own."""
    if isinstance(value, Undefined | str | int | float):
        return str(value)
    if value is None:
        return ""
    raise TypeError("a list or a mapping cannot be written as it is: loop over it, or take the filter join")


def _of_text(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose value is a text: of a list it would take what Python calls it, however long that is."""
    first = 1 if hasattr(filter_, "jinja_pass_arg") else 0

    @wraps(filter_)
    def called(*args: Any, **kwargs: Any) -> Any:
        return filter_(*args[:first], _text(args[first]), *args[first + 1 :], **kwargs)

    return called


def _joined(between: str, values: Iterable[Any]) -> str:
    texts, length = [], 0
    for value in values:
        texts.append(_text(value))
        length += len(texts[-1]) + len(between)
        room(length, TEXT + len(between), f"a text is longer than {TEXT} characters")
    return between.join(texts)


def _join(values: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    """As Jinja's, which does not count: ``d`` is its name for what stands between."""
    members = (value[attribute] for value in values) if attribute else values
    return _joined(_text(d), members)


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole, before, after = _text(text), _text(old), _text(new)
    there = whole.count(before)
    times = there if count is None or count < 0 else min(count, there)
    room(len(whole) + times * (len(after) - len(before)), TEXT, f"a text is longer than {TEXT} characters")
    return whole.replace(before, after, times)


def _flat(values: Any) -> Any:
    """A list or mapping as it was written, of text and numbers only: what is nested may be far larger than it looks."""
    members = values.values() if isinstance(values, dict) else values
    if not all(isinstance(member, Undefined | str | int | float | None) for member in members):
        raise TypeError("a list or mapping that is written down can hold text and numbers only")
    return values


def _said(error: Exception, names: Sequence[str]) -> str:
    """What is wrong, and which variables its line speaks of where that does not name one."""
    said = (str(error) or type(error).__name__).rstrip(".")
    if not names or (isinstance(error, UndefinedError) and " is undefined" in said and _NO_MEMBERS not in said):
        return said
    return f"{said} (here: {', '.join(cut(name, 60) for name in names[:_NAMED])})"


def _line(error: Exception, template: Jinja) -> int:
    """The line of the template in which it was raised; 0 where that cannot be told."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
