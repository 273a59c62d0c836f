"""Vectors of single steps: one for every path of every rule, one for every refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER
from pagelaw.spec.machine import Machine
from pagelaw.spec.profiles import PROFILES

from ...reference.beside import parameter_names
from ...reference.choosing import Proposal
from ...reference.paths import Recorder
from ...reference.reaching import MACHINES, MOODS, Reaching, Replay, Run, expected_paths, path_taken
from ...reference.scheduler import TURNS
from ..candidate import Candidate
from .demanded import clauses_of_step, demanded_by, grades_of_step
from .headers import header_line, machine_of
from .layout import Vector, slug
from .values import changes_json, state_json, to_json
from .watching import Watching, events_of

SEED, ROUNDS = 1, 2000
"""Where the random runs begin, and how often all machines are run until a path counts as not reached."""
TINY = attrs.evolve(
    MACHINES[0], vms=1, pages=1, virtual_pages=1, frames=2, low_frames=2, slots=1, transfers=1, overhead=0, words=1,
    sample_size=1,
)  # fmt: skip
PAIR = attrs.evolve(TINY, vms=2, frames=4, low_frames=4, slots=2)
ZEROED = tuple(attrs.evolve(sizes, garbage=None) for sizes in (TINY, PAIR, *MACHINES))
"""The machines of the runs, small ones first, as a header can tell them: frames and slots hold zeros at power-on."""
WILD = {**TURNS, "wild": 200}
"""Mostly any rule with any arguments: what nobody has a reason to do."""
LONG = 25
"""Steps from which on a shorter run is looked for."""


class NotReached(Exception):
    """No run was found to some path."""


def rules() -> list[str]:
    """The rules in order of their names."""
    return sorted(REGISTER["rule"])


def runs_to(rule: str) -> list[Run]:
    """A run from power-on to each path of a rule."""
    paths = [path for path in expected_paths() if path.split(" ", 1)[0] == rule]
    reaching = Reaching(paths, ZEROED, (TURNS, WILD, MOODS[1], WILD, MOODS[2]))
    reaching.search(SEED, rounds=ROUNDS)
    if reaching.missing:
        raise NotReached(f"no run was found to: {', '.join(reaching.missing)}")
    reaching.runs = {path: reaching.runs[path] for path in paths}
    reaching.shorten()
    reaching.look_again(SEED + 1000, longer_than=LONG)
    return list(reaching.runs.values())


def vectors_of(rule: str) -> Iterator[Vector]:
    """One for each path of a rule."""
    runs, recorder = runs_to(rule), Recorder()
    names = endings([run.path for run in runs])
    for run in runs:
        yield vector_of(plainest(run, recorder), recorder, names[run.path])


def endings(paths: Sequence[str]) -> dict[str, str]:
    """A short name for each path of a rule among those that end alike: what it takes that not all of these take."""
    made = {}
    for path in paths:
        alike = [set(arms_of(one)) for one in paths if kind_of(one) == kind_of(path)]
        own = [arm for arm in arms_of(path) if not set.intersection(*alike) >= {arm}]
        made[path] = slug("-".join(own)) if len(alike) > 1 else ""
    return made


def kind_of(path: str) -> str:
    """How a path ends: `merge done`, `merge refuses WRONG_STAGE`."""
    return path.split(" [", 1)[0]


def arms_of(path: str) -> list[str]:
    """The arms that a path takes, in a few words each."""
    told = path.partition(" [")[2].rstrip("]").split("; ")
    return [re.sub(r"isinstance\([^,]+, (\w+)\)", r"is \1", re.sub(r"^\w+: |^asks ", "", arm)) for arm in told]


def plainest(run: Run, recorder: Recorder) -> Run:
    """The same run with as many options as can be as the paper is read."""
    for name, value in PROFILES["esx"].items():
        if getattr(run.sizes, name) != value:
            changed: dict[str, Any] = {name: value}
            plainer = attrs.evolve(run, sizes=attrs.evolve(run.sizes, **changed))
            if Replay(plainer.sizes, recorder)(run.path, run.steps) == list(run.steps):
                run = plainer
    return run


def vector_of(run: Run, recorder: Recorder, ending: str) -> Vector:
    """The vector of one path. ending: what tells it from others of the rule that end in the same way."""
    line = header_line(run.sizes)
    s = machine_of(line)
    events = events_of(s, [(rule.__name__, arguments) for rule, arguments in run.steps[:-1]])
    before = s.copy()
    taken, refused = path_taken(recorder, s, *run.steps[-1])
    assert taken == run.path, f"{run.path}: on the machine of its header the run takes {taken}"
    name = run.steps[-1][0].__name__
    if refused is not None:
        reason = refused.reason.name
        identity = f"refusals/{name}/{reason}{'-' + ending if ending else ''}"
    else:
        identity = f"rules/{name}/{ending or 'done'}"
    asks = run.path.rpartition("asks ")[2].rstrip("]") if refused is not None and "asks " in run.path else ""
    content = about_step(name, line, asks, {"path": run.path})
    return Vector(identity, content | {"run": events} | step_in(before, run.steps[-1]))


def about_step(rule: str, line: dict[str, Any], asks: str, more: dict[str, Any]) -> dict[str, Any]:
    """What the vector of a step says of its rule and its machine.

    asks: the guard that it is about, as it is written. more: what tells it from others of the rule.
    """
    entry = REGISTER["rule"][rule]
    clauses = clauses_of_step(entry, asks, line.get("options", {}))
    grades = grades_of_step(asks)
    return {
        "rule": entry.name, **more, "told": entry.sentence, "clauses": clauses,
        "demanded_by": demanded_by(clauses), **({"grades": grades} if grades else {}), "header": line,
    }  # fmt: skip


def step_in(before: Machine, step: Proposal) -> dict[str, Any]:
    """A step, the state before it, and what it comes to."""
    return {"before": state_json(before), "step": step_line(step), **outcome(before, step)}


def step_line(step: Proposal) -> dict[str, Any]:
    """A step, as in a trace."""
    rule, arguments = step
    named = zip(parameter_names(rule), arguments, strict=True)
    return {"step": rule.__name__, **{name: to_json(value) for name, value in named}}


def outcome(before: Machine, step: Proposal) -> dict[str, Any]:
    """What a step comes to: what it returns and changes, what is seen; or all reasons for which it may be refused."""
    watching = Watching(before.copy())
    event = watching.do((step[0].__name__, step[1]))
    if "refused" in event:
        others = [one for one in reasons(before, step) if one != event["refused"]]
        return {"refused": event["refused"], **({"or": others} if others else {})}
    told: dict[str, Any] = {name: event[name] for name in ("got", "saw") if name in event}
    return {**told, "after": changes_json(before, watching.s)}


def reasons(before: Machine, step: Proposal) -> Sequence[str]:
    """All reasons for which a step may be refused: those of all guards that are false."""
    c = Candidate(before.copy())
    c.begin({}, {}, ())
    return c.run((step,), ask=True)
