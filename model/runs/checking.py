"""Doing steps that are checked: in full, or only what a step can have changed.

Both ask the same questions of every step. `Full` asks all of them. `Incremental`
asks those that read a cell which the step changed: each other one would read
what it read before, and so answer as it did before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.machine import Machine

from ..reference.beside import Beside, Violation, call_text, check_operations
from ..reference.choosing import Rule
from .statements import ASKED, ERRORS, KINDS, OF_STATES, Question, questions
from .watching import Cell, Looking, Watched


class Disagreement(Exception):
    """The incremental check and the full one differ: the fault is in the checking."""


class Checking:
    """Does steps with private memory beside the machine, and asks after each what must hold of it.

    Beside the questions: no step is done that the guest must not see, a step that is not refused does
    something and is refused if it is asked for again, and one that is refused changes nothing.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.watched = Watched(machine)
        self.beside = Beside(machine)
        self.private = Watched(self.beside.private)
        self.steps = 0
        """Steps done and checked; refused ones do not count."""
        self._afresh: list[Question] = []
        self._settling = {entry.function for entry in REGISTER["rule"].values() if not entry.extra}
        """The rules that have settled what they are for once they are done."""

    def __call__(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        watched = self.watched
        self.prepare()
        watched.begin()
        self.private.begin()
        try:
            returned = self.beside.do(rule, arguments)
        except Blocked as refused:
            watched.end()
            if watched.before or self.beside.seen:
                told = f"{call_text(rule, arguments)} refuses ({refused.reason.value}), and yet did something"
                raise Violation(told, "refusal", "a refusal changes nothing") from None
            raise
        except ERRORS as error:
            told = f"{call_text(rule, arguments)} cannot be run: {type(error).__name__}: {error}"
            raise Violation(told, "defined", "no field is read that is not there") from error
        watched.end()
        if not watched.before and not self.beside.seen:
            told = f"{call_text(rule, arguments)} is not refused, and does nothing"
            raise Violation(told, "effect", "a step that is not refused does something")
        if rule in self._settling:
            self._again(rule, arguments)
        self.steps += 1
        self.ask()
        return returned

    def _again(self, rule: Rule, arguments: tuple[Any, ...]) -> None:
        """Ask for the step again: it must be refused, and so the machine stays as it is."""
        self.watched.before.clear()
        observer, self.machine.observer = self.machine.observer, None
        try:
            rule(self.machine, *arguments)
        except Blocked:
            if self.watched.is_written():
                told = f"{call_text(rule, arguments)} refuses to be done again, and yet did something"
                raise Violation(told, "refusal", "a refusal changes nothing") from None
        except ERRORS as error:
            told = f"{call_text(rule, arguments)} cannot be asked again: {type(error).__name__}: {error}"
            raise Violation(told, "defined", "no field is read that is not there") from error
        else:
            told = f"{call_text(rule, arguments)} is done, and could be done again"
            raise Violation(told, "once", "once done it is not enabled again")
        finally:
            self.machine.observer = observer

    def prepare(self) -> None:
        """Called before each step."""

    def restart(self) -> None:
        """Go back to the state in which the machine was given."""
        self.watched.restart()
        self.private.restart()
        self.beside.forget()
        self.steps = 0

    def ask(self) -> None:
        """Raise a Violation if something does not hold after a step."""
        raise NotImplementedError

    def control(self, operations: bool = True) -> None:
        """Ask everything about the state, with nothing remembered, and the theorems; and the operations if wanted.

        A theorem follows from the invariants: it is asked here only.
        """
        if not self._afresh:
            self._afresh = list(questions(self.machine, self.machine, self.beside.private, OF_STATES))
        for question in self._afresh:
            if not question.answer():
                found = question.violation(self.beside.doing)
                if question.kind in KINDS:
                    raise Disagreement(f"not noticed when it was due: {found}")
                raise found
        if operations:
            self.operations()

    def operations(self) -> None:
        """Run every operation of this state in one piece and in steps."""
        try:
            check_operations(self.machine)
        except Violation as found:
            told = f"in the state after {self.beside.doing}: {found}"
            raise Violation(told, "operation", found.name, found.arguments) from None
        except TypeError:
            return  # a fault gave a rule one parameter more, so it cannot be told in one piece


class Full(Checking):
    """Asks every question after each step; or those of some kinds, or of one name."""

    def __init__(self, machine: Machine, kinds: tuple[str, ...] = KINDS, name: str | None = None) -> None:
        super().__init__(machine)
        self._before = machine.copy()
        kinds = tuple(kind for kind in kinds if kind in ASKED)
        found = questions(machine, self._before, self.beside.private, kinds)
        self.questions = [question for question in found if name in (None, question.name)]
        self._compares = any(question.kind == "transition" for question in self.questions)

    def prepare(self) -> None:
        """Take a copy of the state before the step, if some question is about it."""
        if not self._compares:
            return
        copied = self.machine.copy()
        copied.observer = None
        self._before.__dict__.update(copied.__dict__)

    def ask(self) -> None:
        """All."""
        for question in self.questions:
            if not question.answer():
                raise question.violation(self.beside.doing)


class Branch:
    """A cell that a question reads next, and for each value found there what it reads then."""

    __slots__ = ("after", "cell")

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.after: dict[int, Branch | Holds] = {}
        """By the identity of the value: there is one object of each value."""


class Holds:
    """The end of reading: the question holds. `cells` are all that it read; equal ones are one object."""

    __slots__ = ("cells",)
    after = None

    def __init__(self, cells: tuple[Cell, ...]) -> None:
        self.cells = cells


REMEMBERED = 1_000
"""How many ways to hold are remembered of a question; then it is run if it is in none of them."""


class Incremental(Checking):
    """Asks the questions that read what the step changed; all of them after each so many steps, as a control.

    What a question answers depends on nothing but the values of the cells that it reads, and so does which
    cell it reads next. So each question has a tree of what it read and found; a question for which all
    has been found before is answered from there.
    """

    def __init__(self, machine: Machine, control_every: int = 1000, kinds: tuple[str, ...] = KINDS) -> None:
        super().__init__(machine)
        self.control_every = control_every
        self._read: list[Cell] = []
        now, before = Looking(self.watched, self._read), Looking(self.watched, self._read, before=True)
        self.questions = list(questions(now, before, Looking(self.private, self._read), kinds))
        self._trees: list[Branch | Holds | None] = [None for _ in self.questions]
        self._rows: dict[tuple[Cell, ...], Holds] = {(): Holds(())}
        self._ways = [0 for _ in self.questions]
        self._cells: list[tuple[Cell, ...]] = [() for _ in self.questions]
        """What each question read when it was asked last."""
        self.asked = self.run = 0
        """Questions asked so far, and how many of them were run."""
        self._ask(range(len(self.questions)))

    def restart(self) -> None:
        """Go back to the state in which the machine was given."""
        super().restart()
        self._ask(range(len(self.questions)))

    def ask(self) -> None:
        """Those that can have another answer now."""
        readers = [cell.readers for cell in self.watched.changed]
        readers += [cell.readers for cell in self.private.changed]
        self._ask(sorted(set().union(*readers)))
        if self.control_every and self.steps % self.control_every == 0:
            self.control()

    def _ask(self, numbers: Sequence[int]) -> None:
        trees, last = self._trees, self._cells
        self.asked += len(numbers)
        for number in numbers:
            at = trees[number]
            if at is not None:
                after = at.after
                while after is not None:
                    at = after.get(id(at.cell.value))  # type: ignore[union-attr]  # what has an `after` has a cell
                    if at is None:
                        break
                    after = at.after
            if at is None:
                at = self._run(number)
            cells, known = at.cells, last[number]  # type: ignore[union-attr]  # it is the end
            if cells is not known:
                for cell in known:
                    cell.readers.discard(number)
                for cell in cells:
                    cell.readers.add(number)
                last[number] = cells

    def _run(self, number: int) -> Holds:
        """Run a question, and remember what it read and found."""
        self.run += 1
        self._read.clear()
        if not self.questions[number].answer():
            raise self.questions[number].violation(self.beside.doing)
        cells = tuple(dict.fromkeys(self._read))
        end = self._rows.get(cells)
        if end is None:
            end = self._rows[cells] = Holds(cells)
        if self._ways[number] < REMEMBERED:
            self._ways[number] += 1
            self._remember(number, end)
        return end

    def _remember(self, number: int, end: Holds) -> None:
        cells = end.cells
        if not cells:
            self._trees[number] = end
            return
        at = self._trees[number]
        if at is None:
            at = self._trees[number] = Branch(cells[0])
        for cell, following in zip(cells, (*cells[1:], None), strict=True):
            assert at.cell is cell, "a question reads by something else than what it found"  # type: ignore[union-attr]
            after, value = at.after, id(cell.value)
            at = after.get(value)  # type: ignore[union-attr]
            if at is None:
                at = after[value] = end if following is None else Branch(following)  # type: ignore[index]


__all__ = ["ERRORS", "Checking", "Disagreement", "Full", "Incremental", "Question"]
