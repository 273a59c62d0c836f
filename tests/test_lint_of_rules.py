"""The lint of the rules: nothing in the specification is found, and every forbidden construct is, where it stands."""

import textwrap

import pytest

from pagelaw.proofs.lint import as_text, lint, marked
from pagelaw.spec.language import REGISTER

HEADER = '''\
"""A chapter that is not in the specification."""
from __future__ import annotations
from .frames import drop_reference, return_frame, reference_count, set_reference_count
from .language import (
    VM, Contents, Fraction, Map, Value, Word, assumption, at_once, choice, enabled, given, invariant, leaves, meanwhile,
    measure, pick, ratio, refuse, represents, require, rule, starts_as, step, theorem, transition, view, visible,
)
from .machine import Machine
from .operations import abandon
from .private_memory import PrivateMemory, give_up
from .refusals import Refused
from .frames import is_free
from .translation import flush, revoke
from .vocabulary import (
    MPN, VCPU, Absent, Backing, Ballooned, Bounce, BounceIn, Cached, Fill, Filling, Found, FrameUse, Free, Idle, Mapped,
    NothingMoved, Off, Operation, Page, Private, Running, Shared, Sharing, Slot, Swapped, Translation, UnderWay,
    Unmapping, Untouched, VPage,
)
'''

MARK = "  # found"


def planted(text: str) -> str:
    return HEADER + textwrap.dedent(text)


def in_rule(*lines: str) -> str:
    """A rule of these lines, the last of which is the one to be found if none is marked."""
    body = list(lines)
    if not any(line.endswith(MARK) for line in body):
        body[-1] += MARK
    head = 'def planted(s: Machine, page: Page, mpn: MPN, vm: VM, cpu: VCPU, writable: bool) -> None:\n'
    return planted('@rule("R-01")\n' + head + '    """Planted."""\n' + textwrap.indent("\n".join(body), "    ") + "\n")


def test_nothing_in_the_specification_is_found() -> None:
    assert as_text(lint()) == "0 findings"


def test_every_registered_function_is_linted() -> None:
    words = {"operation": "at_once", "claim": "false_claim"}
    assert marked() == {(words.get(kind, kind), name) for kind, entries in REGISTER.items() for name in entries}


ALLOWED = planted('''
@rule("R-01")
def allowed(s: Machine, page: Page, mpn: MPN, cpu: VCPU, word: Word, value: Value, wanted: Backing) -> Value:
    """Every construct that is allowed.

    With a longer text.
    """
    before, after = s.free_frames, s.free_frames + 1
    require(before < after <= 7 or not s.low[mpn] and page != page, Refused.NOT_LOW)
    require(s.pmap[page] in (Mapped(mpn), Ballooned()), Refused.NOT_MAPPED)
    require(s.each(Page, page.vm).every(lambda one: s.pmap[one] != Mapped(mpn)), Refused.NOT_MAPPED)
    require(leaves(abandon, s, page, so_that=lambda after: is_free(after, mpn)), Refused.NOT_MAPPED)
    require(enabled(abandon, s, page) == (not s.each(MPN).some(lambda one: is_free(s, one))), Refused.NOT_MAPPED)
    if isinstance(s.operation[page], Sharing):
        refuse(Refused.WRONG_STAGE)
    elif s.total_slots == 0:
        pass
    else:
        match s.operation[page]:
            case _:
                pass
    return s.contents[mpn].word(word)
''') + '''

@rule("R-01")
def also_allowed(s: Machine, page: Page, mpn: MPN, word: Word, value: Value, part: Fraction) -> None:
    """Effects, after all refusals."""
    match s.operation[page]:
        case Found(target) if s.low[target]:
            require(s.low[mpn], Refused.NOT_LOW)
        case Sharing(_) | Unmapping():
            count = 1 if isinstance(s.frame[mpn], Shared) else 0
            count += reference_count(s, mpn)
            set_reference_count(s, mpn, count=count)
        case _:
            refuse(Refused.WRONG_STAGE)
    s.contents[mpn] = s.contents[mpn].with_word(word, value)
    s.free_frames -= pick(ratio(part * s.free_frames, 3) < 2, 1, 0)
    s.owed.write_each(s.each(VCPU, page.vm), lambda one: (one, page), True, lambda one: not s.owed[one, page])
    revoke(s, page)
    visible(s, give_up, page)
'''


def test_what_the_planted_chapters_import_is_there() -> None:
    exec(HEADER, {"__package__": "pagelaw.spec", "__name__": "pagelaw.spec.planted"})


def test_what_is_allowed_is_not_found() -> None:
    assert as_text(lint({"planted": ALLOWED})) == "0 findings"


FORBIDDEN: dict[str, tuple[str, str]] = {
    # What the lifting does not see: the branch is silently skipped.
    "is": (in_rule("require(s.pmap[page] is Untouched(), Refused.NOT_MAPPED)"), "is"),
    "is not": (in_rule("require(s.pmap[page] is not None, Refused.NOT_MAPPED)"), "is not"),
    "None": (in_rule("require(s.pmap[page] == None, Refused.NOT_MAPPED)"), "None"),
    "/": (in_rule("require(s.total_frames / 2 > 1, Refused.NOT_LOW)"), "/"),
    "a float": (in_rule("require(s.total_frames > 0.5, Refused.NOT_LOW)"), "0.5"),
    "type": (in_rule("require(type(s.pmap[page]) == Mapped, Refused.NOT_MAPPED)"), "a call of type"),
    "isinstance of int": (in_rule("require(isinstance(s.pins[mpn], int), Refused.NOT_LOW)"), "isinstance"),
    "isinstance of an identifier": (in_rule("require(isinstance(mpn, MPN), Refused.NOT_LOW)"), "isinstance"),
    "isinstance of a whole sum": (in_rule("require(isinstance(s.pmap[page], Backing), Refused.NOT_LOW)"), "isinstance"),
    "isinstance of several": (in_rule("require(isinstance(s.pmap[page], (Free, Bounce)), Refused.X)"), "isinstance"),
    "callable": (in_rule("require(callable(mpn), Refused.NOT_LOW)"), "a call of callable"),
    "case None": (in_rule("match s.pmap[page]:", "    case None:  # found", "        pass"), "None, True or False"),
    "case True": (in_rule("match s.low[mpn]:", "    case True:  # found", "        pass"), "None, True or False"),
    "case False inside": (
        in_rule("match s.shadow[page]:", "    case Cached(_, _, False, _, _):  # found", "        pass"), "None, True"),
    "case of a number": (in_rule("match s.pins[mpn]:", "    case 0:  # found", "        pass"), "a value in a pattern"),
    "case of a named value": (
        in_rule("match s.pmap[page]:", "    case Refused.PINNED:  # found", "        pass"), "a value in a pattern"),
    "case int()": (in_rule("match s.pins[mpn]:", "    case int():  # found", "        pass"), "int() in a pattern"),
    "case of an identifier": (in_rule("match mpn:", "    case MPN():  # found", "        pass"), "MPN() in a pattern"),
    "case of an identifier inside": (
        in_rule("match s.pmap[page]:", "    case Mapped(MPN()):  # found", "        pass"), "MPN() in a pattern"),
    "case of a sequence": (in_rule("match s.pmap[page]:", "    case [x]:  # found", "        pass"), "a sequence"),
    "case of several values": (in_rule("match s.pmap[page], mpn:  # found", "    case _:", "        pass"), "a tuple"),
    "case of a mapping": (in_rule("match s.pmap[page]:", "    case {}:  # found", "        pass"), "a mapping pattern"),
    "case with a field by name": (
        in_rule("match s.pmap[page]:", "    case Mapped(mpn=m):  # found", "        pass"), "a field by name"),
    "case that names the whole": (
        in_rule("match s.pmap[page]:", "    case Mapped() as m:  # found", "        pass"), "a name for the whole"),
    "case that is a name": (in_rule("match s.pmap[page]:", "    case m:  # found", "        pass"), "a name for"),
    "a conditional expression": (in_rule("s.pins[mpn] = s.count_top if s.low[mpn] else 0"), "a conditional"),
    "a conditional of variants": (in_rule("s.pmap[page] = Ballooned() if s.low[mpn] else Untouched()"), "a condit"),
    # Raw solver names, and what is not in the state.
    "the solver imported": ("import z3  # found\n" + planted(""), "an import"),
    "names of the solver": ("from z3 import And  # found\n" + planted(""), "an import"),
    "a term of the solver": (in_rule("require(z3.And(s.low[mpn], True), Refused.NOT_LOW)"), "a call of .And"),
    "the term of a value": (in_rule("require(mpn.term == page.term, Refused.NOT_LOW)"), ".term"),
    "whether a state is symbolic": (in_rule("require(s.symbolic, Refused.NOT_LOW)"), "s.symbolic"),
    "the engine": (in_rule("require(s.engine == 0, Refused.NOT_LOW)"), "s.engine"),
    "random": ("import random  # found\n" + planted(""), "an import"),
    "a random choice": (in_rule("s.pins[mpn] = random.randrange(2)"), "a call of .randrange"),
    "time": ("from time import time  # found\n" + planted(""), "an import"),
    "the time": (in_rule("s.pins[mpn] = time()"), "a call of time"),
    "print": (in_rule("print(mpn)"), "a call of print"),
    "a global value": (planted("LIMIT = 3\n") + in_rule("s.pins[mpn] = LIMIT").removeprefix(HEADER), "the name LIMIT"),
    "a value made by a call": (planted("CACHE = dict()  # found\n"), "a value outside the state"),
    "a call outside functions": (planted('rule("R-01")(revoke)  # found\n'), "a statement outside functions"),
    "a loop outside functions": (planted("for n in ():  # found\n    pass\n"), "a statement outside functions"),
    "a second function of one name": (
        planted("def one() -> None:  # found\n    pass\ndef one() -> None:\n    pass\n"), "a second"),
    "a method": (planted("class Odd:\n    def ask(self) -> int:  # found\n        return 1\n"), "a method"),
    "a decorator of its own": (planted("@cache\ndef one(s: Machine) -> int:  # found\n    return 1\n"), "a decorator"),
    "a default": (planted("def one(s: Machine, n: int = 1) -> int:  # found\n    return n\n"), "a default"),
    "a row of arguments": (planted("def one(s: Machine, *n: int) -> int:  # found\n    return 1\n"), "a default"),
    "a parameter of no type that can be lifted": (
        planted("def one(s: Machine, n: str) -> int:  # found\n    return 1\n"), "the type of n"),
    "recursion": (
        planted("def one(s: Machine, n: int) -> int:  # found\n    return one(s, n - 1)\n"), "calls itself"),
    # Statements.
    "for": (in_rule("for one in s.each(MPN):  # found", "    s.pins[one] = 0"), "a loop"),
    "while": (in_rule("while s.low[mpn]:  # found", "    s.low[mpn] = False"), "a loop"),
    "try": (in_rule("try:  # found", "    abandon(s, page)", "except Exception:", "    pass"), "try"),
    "with": (in_rule("with s:  # found", "    pass"), "with"),
    "raise": (in_rule("raise ValueError"), "raise"),
    "assert": (in_rule("assert s.low[mpn]"), "assert"),
    "global": (in_rule("global mine"), "global"),
    "nonlocal": (in_rule("nonlocal mine"), "nonlocal"),
    "an import inside": (in_rule("import random"), "an import inside a function"),
    "an import of names inside": (in_rule("from time import time"), "an import inside a function"),
    "del": (in_rule("del s.pmap[page]"), "del"),
    "a function inside": (in_rule("def inner() -> None:  # found", "    pass"), "a function inside a function"),
    "a class inside": (in_rule("class Inner:  # found", "    pass"), "a class inside a function"),
    "an annotated assignment": (in_rule("x: int = 1"), "an annotated assignment"),
    "text": (in_rule("s.pins[mpn] = 0", '"and so on"'), "text"),
    "an f-string": (in_rule('x = f"{mpn}"'), "text"),
    "an answer that nobody uses": (in_rule("is_free(s, mpn)"), "the answer of is_free is not used"),
    "several targets": (in_rule("s.pins[mpn] = s.copies[page] = 0"), "assign"),
    "several fields at once": (in_rule("s.pins[mpn], s.copies[page] = 0, 0"), "several fields written at once"),
    "multiplied in place": (in_rule("s.pins[mpn] *= 2"), "augassign"),
    # Expressions.
    "a list comprehension": (in_rule("x = [one for one in s.each(MPN)]"), "a comprehension"),
    "a generator": (in_rule("require(all(s.low[m] for m in s.each(MPN)), Refused.NOT_LOW)"), "a call of all"),
    "a set": (in_rule("require(mpn in {mpn}, Refused.NOT_LOW)"), "`in` on a map"),
    "in on a map": (in_rule("require(page in s.pmap, Refused.NOT_MAPPED)"), "`in` on a map"),
    "not in on a map": (in_rule("require(page not in s.pmap, Refused.NOT_MAPPED)"), "`in` on a map"),
    "len": (in_rule("require(len(s.pmap) == 0, Refused.NOT_MAPPED)"), "a call of len"),
    "max": (in_rule("s.pins[mpn] = max(s.pins[mpn], 0)"), "a call of max"),
    "minus": (in_rule("s.pins[mpn] = -s.pins[mpn]"), "unaryop"),
    "division": (in_rule("s.pins[mpn] = s.pins[mpn] // 2"), "binop"),
    "bits": (in_rule("s.pins[mpn] = s.pins[mpn] & 1"), "binop"),
    "a fraction": (in_rule("s.pins[mpn] = 0.5"), "0.5"),
    "a walrus": (in_rule("require((x := s.low[mpn]), Refused.NOT_LOW)"), ":="),
    "an index": (in_rule("x = mpn[0]"), "an index"),
    "a map as a value": (in_rule("x = s.pmap"), "a map as a value"),
    "a method of a map": (in_rule("x = s.pmap.get(page, 0)"), "a call of .get"),
    "the state under another name": (in_rule("t = s"), "the state as a value"),
    "another state": (in_rule("s = s.copy()"), "another state"),
    "a field that is not there": (in_rule("s.unheard = 1"), "s.unheard"),
    "a field of a variant": (in_rule("s.pins[s.pmap[page].mpn] = 0"), ".mpn"),
    "a parent built": (in_rule("s.operation[page] = Sharing(mpn)"), "Sharing built"),
    "a variant with fields missing": (in_rule("s.shadow[page] = Cached(page, mpn)"), "Cached with 2 fields"),
    "a variant with fields by name": (in_rule("s.pmap[page] = Mapped(mpn=mpn)"), "an argument by name"),
    "a view with arguments by name": (in_rule("require(is_free(s, mpn=mpn), Refused.NOT_LOW)"), "an argument by name"),
    "each of no identifier": (in_rule("require(s.each(Backing).some(lambda b: True), Refused.NOT_LOW)"), "each of"),
    "every of something else": (in_rule("require(s.pmap.every(lambda b: True), Refused.NOT_LOW)"), "than s.each"),
    "a named question": (in_rule("require(s.each(MPN).every(is_free), Refused.NOT_LOW)"), "than a lambda"),
    "a stored lambda": (in_rule("x = lambda one: one"), "a lambda"),
    "a lambda with a default": (in_rule("require(s.each(MPN).some(lambda m=mpn: True), Refused.NOT_LOW)"), "lambda"),
    "a rule that calls a rule": (in_rule("abandon(s, page)"), "a call of a rule: abandon"),
    "a step that is not shown": (in_rule("give_up(s, page)"), "a call of a step: give_up"),
    "a helper shown": (in_rule("visible(s, return_frame, mpn)"), "visible"),
    "leaves without a question": (in_rule("require(leaves(abandon, s, page), Refused.NOT_LOW)"), "a call of leaves"),
    "leaves with a named question": (
        in_rule("require(leaves(abandon, s, page, so_that=is_free), Refused.NOT_LOW)"), "than a lambda"),
    "leaves with an effect": (
        in_rule("require(leaves(abandon, s, page, so_that=lambda t: return_frame(t, mpn)), Refused.NOT_LOW)"),
        "a value of something that writes"),
    "a helper asked about": (in_rule("require(enabled(return_frame, s, mpn), Refused.NOT_LOW)"), "enabled"),
    "an effect inside an expression": (in_rule("x = return_frame(s, mpn)"), "a value of something that writes"),
    "a requirement inside an expression": (in_rule("x = require(True, Refused.NOT_LOW)"), "a call of require"),
    # Effects where there may be none.
    "a refusal after an assignment": (
        in_rule("s.pins[mpn] = 0", "require(s.low[mpn], Refused.NOT_LOW)"), "a refusal after an effect"),
    "a refusal after a bulk write": (
        in_rule("s.owed.write_each(s.each(VCPU), lambda c: (c, page), True)", "refuse(Refused.NOT_LOW)"), "a refusal"),
    "a refusal after a helper that writes": (
        in_rule("revoke(s, page)", "require(s.low[mpn], Refused.NOT_LOW)"), "a refusal after an effect"),
    "a refusal after a step shown": (
        in_rule("visible(s, give_up, page)", "require(s.low[mpn], Refused.NOT_LOW)"), "a refusal after an effect"),
    "a refusal after an arm that writes": (
        in_rule("if s.low[mpn]:", "    s.pins[mpn] = 0", "require(s.displace, Refused.NOT_LOW)"), "a refusal after"),
    "a refusal in an arm after an effect": (
        in_rule("s.pins[mpn] = 0", "match s.pmap[page]:", "    case Mapped():", "        refuse(Refused.PINNED)"),
        "a refusal after an effect"),
    "a refusal by a helper after an effect": (
        planted('def low(s: Machine, mpn: MPN) -> None:\n    """."""\n    require(s.low[mpn], Refused.NOT_LOW)\n')
        + in_rule("s.pins[mpn] = 0", "low(s, mpn)").removeprefix(HEADER), "a refusal after an effect"),
    "a step of private memory that refuses too late": (
        planted('@step("R-01")\ndef late(m: PrivateMemory, page: Page) -> None:\n    m.memory[page] = m.zero\n'
                "    require(m.offered[page], Refused.NOT_OFFERED)  # found\n"), "a refusal after an effect"),
    "a parameter written": (in_rule("s.low[mpn] = True"), "the parameter low is written"),
    "a single parameter written": (in_rule("s.count_top += 1"), "the parameter count_top is written"),
    "a parameter written in bulk": (
        in_rule("s.low.write_each(s.each(MPN), lambda one: one, True)"), "the parameter low is written"),
    "a lambda that writes": (
        in_rule("require(s.each(MPN).every(lambda one: return_frame(s, one)), Refused.NOT_LOW)"), "a lambda writes"),
    "a lambda that refuses": (
        in_rule("require(s.each(MPN).every(lambda one: refuse(Refused.PINNED)), Refused.NOT_LOW)"), "a lambda refuses"),
    "a condition of a bulk write that writes": (
        in_rule("s.owed.write_each(s.each(VCPU), lambda c: (c, page), True, lambda c: revoke(s, page))"),
        "a lambda writes"),
    "meanwhile, more than is said": (
        in_rule("def act() -> None:", "    flush(s, cpu, page)", "meanwhile(s, ('owed',), act)"),
        "meanwhile tlb is written too"),
    "a weight that reads the state": (
        planted('@measure("pmap")\ndef odd(s: Machine, backing: Backing, page: Page, mpn: MPN) -> int:\n    """."""\n'
                "    return s.pins[mpn]  # found\n"), "a weight that reads s.pins"),
    "a weight that hands the state on": (
        planted('@measure("pmap")\ndef odd(s: Machine, backing: Backing, page: Page, mpn: MPN) -> int:\n    """."""\n'
                "    return reference_count(s, mpn)  # found\n"), "a weight that hands the state on"),
    "a row of steps with a write": (
        planted('def row(s: Machine, page: Page) -> None:\n    """."""\n    revoke(s, page)  # found\n\n'
                '@at_once(row, "R-01")\ndef whole(s: Machine, page: Page) -> None:\n    pass\n'), "revoke among steps"),
}
QUESTIONS = {
    "view": "view", "assumption": 'assumption("R-01")', "invariant": 'invariant("R-01")', "theorem": 'theorem("R-01")',
    "transition": 'transition("R-01")', "choice": "choice(Grade.PAPER_SILENT)", "represents": 'represents("memory")',
    "measure": 'measure("pmap")',
}
EFFECTS = {
    "s.pins[mpn] = 0": "writes", "s.free_frames -= 1": "writes", "revoke(s, page)": "writes",
    "require(s.low[mpn], Refused.NOT_LOW)": "refuses", "visible(s, give_up, page)": "shows the guest a step",
}
for kind, decorator in QUESTIONS.items():
    for effect, what in EFFECTS.items():
        text = (f"@{decorator}\ndef odd(s: Machine, backing: Backing, page: Page, mpn: MPN) -> bool:\n"
                f'    """Odd."""\n    {effect}{MARK}\n    return True\n')
        FORBIDDEN[f"the {kind} with {effect}"] = planted(text), f"the {kind} {what}"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_is_found_where_it_stands(name: str) -> None:
    text, construct = FORBIDDEN[name]
    marks = [number for number, line in enumerate(text.split("\n"), 1) if line.endswith(MARK)]
    found = [(one.file, one.line) for one in lint({"planted": text}) if construct in one.construct]
    assert ("planted", marks[0]) in found, as_text(lint({"planted": text}))


def test_a_finding_says_what_to_write_instead() -> None:
    (found,) = lint({"planted": in_rule("require(len(s.pmap) == 0, Refused.NOT_MAPPED)")})
    assert str(found).startswith("planted:22: a call of len; use the words of the language")


def test_a_refusal_in_one_arm_and_an_effect_in_another_are_allowed() -> None:
    text = in_rule("match s.pmap[page]:", "    case Mapped(m):", "        s.pins[m] = 0", "    case _:",
                   "        refuse(Refused.NOT_MAPPED)", "s.pins[mpn] = 1")
    assert lint({"planted": text}) == []
