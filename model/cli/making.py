"""All vectors of each format, each judged as it is made, and what has none, with the reason."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import process_time

from pagelaw import proofs
from pagelaw.model.explorer.gallery import NOT_SHOWN, machines_for
from pagelaw.model.oracle.vectors import bounds, faults, rules, scenes
from pagelaw.model.oracle.vectors.checking import check
from pagelaw.model.oracle.vectors.layout import Made, Vector
from pagelaw.proofs import mutants
from pagelaw.proofs.boundaries import Bounds, Side
from pagelaw.proofs.working import begin_as_one_of_a_pool
from pagelaw.spec.language import REGISTER

Say = Callable[[str], None]
DEAD = Path(proofs.__path__[0]) / "dead_paths.txt"
"""Paths that no state can take."""
IS_DEAD = "no state that the invariants allow takes this path: what it asks is asked in vain"
SHOWN_NOWHERE = "no machine of the explorer shows it"
NOT_TOLD = "it has a vector, but no `wrong`: no way on was found to anything that can be seen from outside"
MOST_MACHINES = 3
"""Machines that show a fault and are tried until it is seen from outside."""
FEW_STATES = 2_500
"""States that the second and the third of these may have."""
LATER = "the specification cannot express it yet"
NOT_NEXT_TO = "no state was found next to the bound, within the work that the solver is given"


def made(kinds: Iterable[str], say: Say) -> Iterator[Made]:
    """The vectors of these formats. say: is told how far it is."""
    wanted = list(kinds)
    of_rules = [kind for kind in wanted if kind not in OTHERS]
    makers: list[Callable[[], list[Made]]] = [partial(paths, of_rules, say)] if of_rules else []
    makers += [partial(alone, OTHERS[kind], say) for kind in wanted if kind in OTHERS]
    for maker in makers:
        began = process_time()
        found = maker()
        for one in found:
            for vector in one.vectors:
                check(vector.id, vector.content)
        numbers = ", ".join(f"{one.kind}: {len(one.vectors)} vectors" for one in found)
        say(f"{numbers}; {process_time() - began:.0f} s of processor time")
        yield from found


def alone(maker: Callable[[Say], Made], say: Say) -> list[Made]:
    """One format."""
    return [maker(say)]


def paths(kinds: list[str], say: Say) -> list[Made]:
    """Every path of every rule: those that are done, those that are refused."""
    found: dict[str, list[Vector]] = {kind: [] for kind in kinds}
    names = rules.rules()
    for number, rule in enumerate(names, 1):
        vectors = [one for one in rules.vectors_of(rule) if one.kind in found]
        say(f"{number:3d}/{len(names)} {rule}: {len(vectors)} paths")
        for one in vectors:
            found[one.kind].append(one)
    return [Made(kind, tuple(vectors), dead_paths(kind)) for kind, vectors in found.items()]


def dead_paths(kind: str) -> dict[str, str]:
    """The paths that no state can take: of steps that are done, or of refusals."""
    lines = DEAD.read_text(encoding="utf-8").splitlines()
    dead = [line for line in lines if line and not line.startswith("#")]
    return {path: IS_DEAD for path in dead if (" refuses " in path.split(" [")[0]) == (kind == "refusals")}


def boundaries(say: Say) -> Made:
    """Both sides of each bound of a guard."""
    found = Bounds(bounds.like())
    names = [name for name in rules.rules() if found.has_any(REGISTER["rule"][name])]
    vectors, missing = list[Vector](), list[str]()
    for number, name in enumerate(names, 1):
        # An interruption from the terminal ends it at once, and without a word.
        with ProcessPoolExecutor(1, get_context("spawn"), begin_alone) as alone:
            of_rule, without = alone.submit(bounds_of, name).result()
        say(f"{number:3d}/{len(names)} {name}: {len(of_rule)} sides of bounds")
        vectors += of_rule
        missing += without
    return Made("boundaries", tuple(vectors), dict.fromkeys(missing, NOT_NEXT_TO))


def begin_alone() -> None:
    """Begin as that process: it ends with its parent, and at an interrupt."""
    begin_as_one_of_a_pool()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def bounds_of(rule: str) -> tuple[list[Vector], list[str]]:
    """Both sides of each bound of a rule's guards, and of which sides no state was found: in a process of its own."""
    gc.disable()  # when it frees terms, and so how the next ones are numbered, would rest on all else in the process
    found = Bounds(bounds.like())
    return [vector_of_side(side) for side in found.of_rule(REGISTER["rule"][rule])], found.missing


def vector_of_side(side: Side) -> Vector:
    """The vector of one side of a bound."""
    return bounds.vector_of(side.rule, side.reason, side.guard, side.told, side.place, side.distance, side.machine,
                            side.arguments)  # fmt: skip


def shown_faults(say: Say) -> Made:
    """The shortest run to each fault of the gallery."""
    names, vectors, without = mutants.names(), list[Vector](), dict[str, str]()
    for number, name in enumerate(names, 1):
        vector = vector_of_fault(name) if name not in NOT_SHOWN else None
        if vector is None:
            say(f"{number:3d}/{len(names)} {name}: no machine shows it")
            without[name] = f"{SHOWN_NOWHERE}: {NOT_SHOWN.get(name, '')}".rstrip(": ")
            continue
        vectors.append(vector)
        shortest, steps, machine = (vector.content[part] for part in ("shortest", "events", "machine"))
        is_seen = vector.content["wrong"] is not None
        way = f"; it is seen after {len(steps)}" if is_seen else "; nothing of it is seen"
        say(f"{number:3d}/{len(names)} {name}: {shortest} steps on {machine}{way}")
        if not is_seen:
            without[name] = NOT_TOLD
    without |= {one.identifier: f"{LATER}: {one.why}" for one in mutants.later()}
    return Made("faults", tuple(vectors), without)


def vector_of_fault(name: str) -> Vector | None:
    """The run on the first machine that shows a fault; on one of the next if it is seen from outside there only."""
    fault, found = partial(mutants.apply, name), list[Vector]()
    with fault() as mutant:
        every = machines_for(mutant.functions)
    machines = (small for small in every if not found or small.states <= FEW_STATES)
    while len(found) < MOST_MACHINES:
        with fault():
            shown = faults.search(machines)
        if shown is None:
            break
        found.append(faults.vector_of(fault_of(mutant), faults.seen(shown, fault)))
        if found[-1].content["wrong"] is not None:
            return found[-1]
    return found[0] if found else None


def fault_of(mutant: mutants.Mutant) -> faults.Fault:
    """A fault, as a vector tells of it."""
    if mutant.system:
        source = f"{mutant.system}, {mutant.year}: {mutant.reference} ({mutant.certainty.value})"
    else:
        source = f"invented: {mutant.reference}"
    return faults.Fault(id=mutant.identifier, title=mutant.title, source=source)


def played(say: Say) -> Made:
    """Every scenario, with the cases that are not too long."""
    vectors, without = scenes.vectors()
    say(f"{len(vectors)} cases of scenarios")
    return Made("scenarios", tuple(vectors), without)


OTHERS: dict[str, Callable[[Say], Made]] = {"boundaries": boundaries, "faults": shown_faults, "scenarios": played}
