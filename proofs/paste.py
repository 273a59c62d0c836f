"""A counterexample as a test: Python text that builds the machine, runs the rule and asserts the property."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pagelaw.spec.language import VM, Blocked, Contents, Identifier, Owned, Sum
from pagelaw.spec.machine import Machine

from . import replay
from .replay import fields_of, ordinary

if TYPE_CHECKING:
    from .counterexample import Counterexample

WIDTH = 100


class Writer:
    """Writes values as Python text, and remembers what has to be imported for them."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}

    def name(self, thing: Any) -> str:
        """The name of a class or function, which will be imported."""
        module = thing.__module__.replace("language.identifiers", "language").replace("language.rules", "language")
        self.imports.setdefault(module, set()).add(thing.__name__)
        return str(thing.__name__)

    def value(self, value: Any) -> str:
        """The text for a value."""
        if isinstance(value, Identifier):
            return repr(value).replace(".", "_")
        if isinstance(value, Contents):
            return f"{self.name(Contents)}(({', '.join(map(self.value, value.words))}))"
        if isinstance(value, Sum):
            return f"{self.name(type(value))}({self.values(fields_of(value))})"
        if isinstance(value, Fraction):
            return f"{self.name(Fraction)}({value.numerator}, {value.denominator})"
        return repr(value)

    def values(self, values: Sequence[Any]) -> str:
        """Several values with commas between them."""
        return ", ".join(map(self.value, values))

    def import_lines(self) -> Iterator[str]:
        """The import statements, sorted."""
        for module in sorted(self.imports):
            names = sorted(self.imports[module], key=lambda n: (not n.isupper(), not n[0].isupper(), n))
            line = f"from {module} import {', '.join(names)}"
            if len(line) <= WIDTH:
                yield line
            else:
                yield from [f"from {module} import (", *[f"    {name}," for name in names], ")"]
            if module == "contextlib":
                yield ""


def test_of(found: Counterexample) -> str:
    """The text of a test that fails as long as the property is false on this machine."""
    writer = Writer()
    body = [f'    """{_sentence(found)}"""', *_machine(writer, found.before)]
    if found.rule not in ("initial state", "reading"):
        body.append(f"    if {writer.name(replay.broken_invariants)}(s):")
        body.append("        return  # not a state that the invariants allow")
    body += _assertion(writer, found)
    name = re.sub(r"\W+", "_", f"test_{found.rule}_{'keeps_' if found.statement else ''}{found.property}").strip("_")
    return "\n".join([*writer.import_lines(), "", "", f"def {name}() -> None:", *body]) + "\n"


def _sentence(found: Counterexample) -> str:
    statement = found.statement
    return statement.sentence if statement else f"{found.property[:1].upper()}{found.property[1:]}."


def _assertion(writer: Writer, found: Counterexample) -> Iterator[str]:
    statement, step = found.statement, found.step()
    given = list(map(writer.value, found.arguments.values()))
    values = ", ".join(given)
    if found.kind == "operation":
        yield f'    assert {writer.name(replay.operation_faults)}(s, "{found.rule}", [{values}]) == []'
    elif statement is None and step is None:
        yield f"    assert {writer.name(replay.private_memory_faults)}(s) == []"
    elif statement is None:
        assert step is not None
        asked = replay.FAULTS_OF_A_STEP.get(found.kind, replay.refinement_faults)
        yield f"    run = {writer.name(replay.run_rule)}(s, {writer.name(step.function)}, [{values}])"
        yield f"    assert {writer.name(asked)}(run) == []"
    else:
        case = "".join(f", {writer.value(value)}" for value in found.case)
        states = "before, s" if statement.kind == "transition" else "s"
        if statement.kind == "transition":
            yield "    before = s.copy()"
        if step is not None:
            writer.imports["contextlib"] = {"suppress"}
            yield f"    with suppress({writer.name(Blocked)}):  # a rule that refuses changes nothing"
            yield f"        {writer.name(step.function)}({', '.join(['s', *given])})"
        asked_of = f"{writer.name(statement.function)}({states}{case})"
        yield f"    {asked_of}  # must not raise" if found.rule == "reading" else f"    assert {asked_of}"


def _machine(writer: Writer, machine: Machine) -> Iterator[str]:
    """Statements that build the machine: its identifiers, its parameters, what is not as in the initial state."""
    ids = sorted(machine.ids.items(), key=lambda item: (item[0] is not VM, issubclass(item[0], Owned)))
    for kind, members in ids:
        left = ", ".join(map(writer.value, members))
        made = [
            f"{writer.name(kind)}({writer.value(one.vm)}, {one.number})" if isinstance(one, Owned)
            else f"{writer.name(kind)}({one.number})"
            for one in members
        ]
        yield f"    {left} = {', '.join(made)}"
    yield f"    s = {writer.name(Machine)}.start("
    yield "        {"
    yield from (f"            {kind.__name__}: [{', '.join(map(writer.value, members))}]," for kind, members in ids)
    yield "        },"
    shapes = Machine.shapes().values()
    for shape in shapes:
        if shape.field.is_given:
            yield f"        {shape.name}={_given(writer, getattr(machine, shape.name), bool(shape.keys))},"
    yield "    )"
    for shape in shapes:
        if shape.field.is_given:
            continue
        value = getattr(machine, shape.name)
        if not shape.keys:
            if value != ordinary(machine, shape.name, ()):
                yield f"    s.{shape.name} = {writer.value(value)}"
            continue
        for key, one in value.items():
            keys = key if isinstance(key, tuple) else (key,)
            if one != ordinary(machine, shape.name, keys):
                yield f"    s.{shape.name}[{writer.values(keys)}] = {writer.value(one)}"


def _given(writer: Writer, value: Any, is_map: bool) -> str:
    if not is_map:
        return writer.value(value)
    entries = list(value.items())
    if all(one == entries[0][1] for _, one in entries):
        return f"lambda _: {writer.value(entries[0][1])}"
    return "{" + ", ".join(f"{writer.value(k)}: {writer.value(v)}" for k, v in entries) + "}.__getitem__"
