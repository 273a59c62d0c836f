"""A run that shows a violation: made as short as it can be, and told as a picture and as a test.

Both modes deliver their failures in this form.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, VM, Blocked, Contents, Identifier, Owned, Sum
from pagelaw.spec.machine import Machine

from ..reference.beside import Violation, check_operations
from ..reference.choosing import Proposal
from ..reference.setup import Sizes, machine
from ..reference.shortening import shortened
from .checking import Full

STATEMENTS = ("invariant", "theorem", "transition")
LINE = 116


class Replay:
    """Does given steps from the start of a machine, and watches one property only."""

    def __init__(self, sizes: Sizes, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        self._start = machine(sizes)
        self._full = Full(self._start, (kind,), None if kind == "refinement" else name)

    def __call__(self, steps: Sequence[Proposal]) -> list[Proposal] | None:
        """The steps that are done up to the violation, which is the last one's; None if it does not come."""
        done = self.violation(steps)
        return None if done is None else done[0]

    def violation(self, steps: Sequence[Proposal]) -> tuple[list[Proposal], Violation] | None:
        """The same, with the violation."""
        self._full.restart()
        done: list[Proposal] = []
        for rule, arguments in steps:
            try:
                self._full(rule, arguments)
            except Blocked:
                continue
            except Violation as found:
                same = found.kind == self.kind and (found.name == self.name or found.kind == "refinement")
                return ([*done, (rule, arguments)], found) if same else None
            done.append((rule, arguments))
        return self._at_once(done) if self.kind == "operation" else None

    def _at_once(self, done: list[Proposal]) -> tuple[list[Proposal], Violation] | None:
        try:
            check_operations(self._start, self.name)
        except Violation as found:
            return done, found
        return None


@attrs.frozen
class Failure:
    """Steps from the start of a machine, the last of which violates a property."""

    sizes: Sizes
    steps: tuple[Proposal, ...]
    kind: str
    name: str
    """The property that does not hold."""
    arguments: tuple[Any, ...]
    """For which values."""
    told: str
    mutant: str | None = None
    """The fault that was switched on."""

    @classmethod
    def of(cls, sizes: Sizes, steps: Sequence[Proposal], found: Violation, mutant: str | None = None) -> Failure:
        """The failure that a run with this violation is."""
        return cls(sizes, tuple(steps), found.kind, found.name, found.arguments, str(found), mutant)

    def minimal(self) -> Failure:
        """The same property, violated by a run of which no single step can be left out."""
        replay = Replay(self.sizes, self.kind, self.name)
        steps = shortened(self.steps, replay)
        again = replay.violation(steps)
        if again is None:  # not to be shown by its steps alone
            return self
        done, found = again
        return Failure.of(self.sizes, done, found, self.mutant)

    @property
    def broken(self) -> str:
        """What does not hold: a statement's name, or what every step must be."""
        return self.name if self.kind in STATEMENTS else f"{self.kind}: {self.name}"

    @property
    def sentence(self) -> str:
        """The property as a sentence."""
        if self.kind in (*STATEMENTS, "operation"):
            return REGISTER[self.kind][self.name].sentence
        if self.kind == "refinement":
            return "Every step of the machine is a step of private memory, or changes nothing that a guest can see."
        return f"{self.name[:1].upper()}{self.name[1:]}."

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that the property rests on."""
        return REGISTER[self.kind][self.name].clauses if self.kind in (*STATEMENTS, "operation") else ()

    def as_test(self) -> str:
        """A test that does the steps and asserts the property: it fails as long as the fault is there."""
        return test_of(self)


# As a test.


class Writer:
    """Writes values as Python text, and remembers what has to be imported and named for them."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self.named: dict[str, Identifier] = {}

    def name(self, module: str, name: str) -> str:
        """A name that will be imported."""
        self.imports.setdefault(module, set()).add(name)
        return name

    def value(self, value: Any) -> str:
        """The text for a value."""
        if isinstance(value, Identifier):
            if isinstance(value, Owned):
                self.value(value.vm)
            text = repr(value).replace(".", "_")
            self.named[text] = value
            return text
        if isinstance(value, Contents):
            return f"{self.name('pagelaw.spec.language', 'Contents')}({self.tuple(value.words)})"
        if isinstance(value, Sum):
            fields = [getattr(value, field.name) for field in attrs.fields(type(value))]  # type: ignore[arg-type]
            return f"{self.name('pagelaw.spec.vocabulary', type(value).__name__)}({', '.join(map(self.value, fields))})"
        return repr(value)

    def tuple(self, values: Sequence[Any]) -> str:
        """The text for a tuple."""
        texts = list(map(self.value, values))
        return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"

    def rule(self, function: Any) -> str:
        """A rule or statement with its chapter, so that a mutant in its place is what is meant."""
        package, _, chapter = function.__module__.rpartition(".")
        return f"{self.name(package, chapter)}.{function.__name__}"

    def identifiers(self) -> Iterator[str]:
        """Statements that give the identifiers their names."""
        order = sorted(self.named.items(), key=lambda item: (type(item[1]) is not VM, isinstance(item[1], Owned)))
        for text, one in order:
            sort = self.name(
                "pagelaw.spec.language" if type(one).__module__.endswith("identifiers") else "pagelaw.spec.vocabulary",
                type(one).__name__,
            )
            owner = f"{self.value(one.vm)}, " if isinstance(one, Owned) else ""
            yield f"{text} = {sort}({owner}{one.number})"

    def import_lines(self) -> Iterator[str]:
        """The import statements: the standard library's first."""
        for own in (False, True):
            for module in sorted(one for one in self.imports if one.startswith("pagelaw") is own):
                names = sorted(self.imports[module], key=lambda n: (not n.isupper(), not n[0].isupper(), n))
                line = f"from {module} import {', '.join(names)}"
                yield line if len(line) <= LINE else f"from {module} import (\n    " + ",\n    ".join(names) + ",\n)"
            if not own and len(self.imports) > 1 and any(not one.startswith("pagelaw") for one in self.imports):
                yield ""


def sizes_text(sizes: Sizes) -> str:
    """What of the sizes is not as it is by default."""
    default = Sizes()
    names = [field.name for field in attrs.fields(Sizes)]
    own = [name for name in names if getattr(sizes, name) != getattr(default, name)]
    return f"Sizes({', '.join(f'{name}={getattr(sizes, name)!r}' for name in own)})"


def test_of(failure: Failure) -> str:
    """The text of a test: it builds the machine, does the steps, and asserts the property."""
    writer = Writer()
    body = list(_body(writer, failure))
    if failure.mutant is not None:
        body = [
            f'with {writer.name("pagelaw.proofs.mutants", "apply")}("{failure.mutant}"):',
            *("    " + b for b in body),
        ]
    name = re.sub(r"\W+", "_", f"test_run_keeps_{failure.name}").strip("_")
    identifiers = list(writer.identifiers())
    sentence = textwrap.wrap(f'"""{failure.sentence}"""', LINE - 4)
    lines = [
        *writer.import_lines(),
        "",
        *identifiers,
        "",
        "",
        f"def {name}() -> None:",
        *("    " + s for s in sentence),
    ]
    return "\n".join([*lines, *("    " + line if line else "" for line in body)]) + "\n"


def _body(writer: Writer, failure: Failure) -> Iterator[str]:
    sizes = textwrap.wrap(f"sizes = {sizes_text(failure.sizes)}", LINE - 12, subsequent_indent="    ")
    writer.name("pagelaw.model.reference.setup", "Sizes")
    yield from sizes
    statement = failure.kind in STATEMENTS
    yield "steps: list[tuple[Any, ...]] = ["
    writer.name("typing", "Any")
    for rule, arguments in failure.steps:
        yield f"    ({', '.join([writer.rule(rule), *map(writer.value, arguments)])}),"
    yield "]"
    if not statement:
        replay = writer.name("pagelaw.model.runs", "Replay")
        yield f'replay = {replay}(sizes, "{failure.kind}", "{failure.name}")'
        yield "assert replay([(rule, tuple(arguments)) for rule, *arguments in steps]) is None"
        return
    yield f"s = {writer.name('pagelaw.model.reference.setup', 'machine')}(sizes)"
    yield "for rule, *arguments in steps:"
    if failure.kind == "transition":
        yield "    before = s.copy()"
    suppress, blocked = writer.name("contextlib", "suppress"), writer.name("pagelaw.spec.language", "Blocked")
    yield f"    with {suppress}({blocked}):  # a rule that refuses changes nothing"
    yield "        rule(s, *arguments)"
    states = ["before", "s"] if failure.kind == "transition" else ["s"]
    function = REGISTER[failure.kind][failure.name].function
    yield f"assert {writer.rule(function)}({', '.join([*states, *map(writer.value, failure.arguments)])})"


__all__ = ["Failure", "Machine", "Replay", "sizes_text", "test_of"]
