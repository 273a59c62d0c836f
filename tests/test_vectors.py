"""The committed vectors: each is what the specification does, is of its format, and is written anew byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

import pagelaw
from pagelaw.model.cli import main, making
from pagelaw.model.oracle.judge import FORBIDDEN
from pagelaw.model.oracle.scenarios.register import scenarios
from pagelaw.model.oracle.schemas import FOLDER as SCHEMAS
from pagelaw.model.oracle.vectors import layout, readme, rules, scenes
from pagelaw.model.oracle.vectors import schemas as of_vectors
from pagelaw.model.oracle.vectors.checking import NotAllowed, check, events_in, judged
from pagelaw.model.reference.beside import asked, parameter_sorts
from pagelaw.model.reference.reaching import expected_paths
from pagelaw.proofs import mutants
from pagelaw.spec.language import REGISTER
from pagelaw.spec.paper import known_ids

from . import replay_vectors, vector_runner

FOLDER = Path(__file__).parent / "vectors"
KINDS = layout.KINDS
SAMPLE = ("load", "merge", "inflate")
"""Rules of which vectors are made anew in every run of the tests."""
MOST_BYTES = 3_000_000
"""All vectors together, in blocks of 4 KiB as they are on a disk."""
MOST_EVENTS = 4
"""Events of a run in which wrong answers are tried, besides the last one."""


@cache
def vectors(kind: str) -> dict[str, dict[str, Any]]:
    """All vectors of a format, by their ids."""
    found = list(replay_vectors.vectors(FOLDER, kind))
    assert len({vector["id"] for vector in found}) == len(found) > 0
    return {vector["id"]: vector for vector in found}


def manifest() -> dict[str, Any]:
    """What the manifest says."""
    found: dict[str, Any] = json.loads((FOLDER / layout.MANIFEST).read_text(encoding="utf-8"))
    return found


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Of one format."""
    made = of_vectors.with_traces()
    registry: Registry[Any] = Registry().with_resources((one, Resource.from_contents(made[one])) for one in made)
    return jsonschema.Draft202012Validator(made[f"vector-{name}.schema.json"], registry=registry)


# What they say.


@pytest.mark.parametrize("kind", KINDS)
def test_every_vector_is_allowed_by_the_judge(kind: str) -> None:
    """From power-on, or from its printed state; and what a fault tells is forbidden at the event that it names."""
    for name, vector in vectors(kind).items():
        check(name, vector)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "scenarios"])
def test_every_step_comes_to_the_state_that_is_printed(kind: str) -> None:
    """By the specification, read from the file by a reader of its own."""
    for name, vector in vectors(kind).items():
        try:
            vector_runner.run(vector)
        except vector_runner.Fails as wrong:
            raise AssertionError(f"{name}: {wrong}") from None


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_answer_is_forbidden(kind: str) -> None:
    """Each thing that the last event says is changed in turn, and each that some events before it say."""
    tried = 0
    for name, vector in vectors(kind).items():
        events = events_in(vector)
        for number in places(name, len(events)):
            for what, wrong in wrong_answers(events[number]):
                found = judged(vector, [*events[:number], wrong])
                assert (found.verdict, found.event) == (FORBIDDEN, number), f"{name}: event {number}: {what}: {wrong}"
                tried += 1
    assert tried > len(vectors(kind))


def places(name: str, count: int) -> list[int]:
    """The last of so many events, and some before it."""
    return sorted({count - 1, *Random(name).sample(range(count), min(MOST_EVENTS, count))})


def wrong_answers(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """An event with something wrong: another answer, refusal or observation."""
    if event.get("refused") == "PINNED" and event.get("do") == "scan":
        return  # a page with a transfer may be passed over
    if "refused" in event:
        yield "done", {name: value for name, value in event.items() if name != "refused"}
        return
    if "do" in event or "step" in event:
        without = {name: value for name, value in event.items() if name not in ("saw", "got")}
        yield "refused", without | {"refused": True}
    if type(event.get("got")) is int:
        yield "another answer", event | {"got": event["got"] + 1}
    saw = event.get("saw", [])
    for number, seen in enumerate(saw):
        for name in ("words", "users", "free_frames", "free_slots", "resident", "swapped", "ballooned"):
            if name in seen:
                value = [seen[name][0] + 1, *seen[name][1:]] if name == "words" else seen[name] + 1
                yield f"another {name}", event | {"saw": [*saw[:number], seen | {name: value}, *saw[number + 1 :]]}


def test_printed_states_are_allowed_by_every_invariant() -> None:
    """Also those that a solver chose."""
    for kind in set(KINDS) - {"faults", "scenarios"}:
        for name, vector in vectors(kind).items():
            s = vector_runner.loaded(vector)
            for entry in REGISTER["invariant"].values():
                for arguments in product(*(s.ids[sort] for sort in parameter_sorts(entry.function))):
                    assert asked(entry.function)(s, *arguments), f"{name}: {entry.name}{arguments}"


# What is there.


@pytest.mark.parametrize("kind", KINDS)
def test_some_files_are_of_their_format(kind: str) -> None:
    """Of each format some; all of them in deep tests, as it takes a minute."""
    of_their_format(kind, sorted((FOLDER / kind).glob("*.json"))[::12])


@pytest.mark.deep
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_of_its_format(kind: str) -> None:
    of_their_format(kind, sorted((FOLDER / kind).glob("*.json")))


def of_their_format(kind: str, files: list[Path]) -> None:
    """These files are as the schema says."""
    assert files
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        problems = [f"{file.name}: {one.json_path}: {one.message}" for one in validator(kind).iter_errors(content)]
        assert not problems, problems[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_of_its_format_is_noticed(kind: str) -> None:
    """A field that is not known, one that is missing, one of another type."""
    content = json.loads(min((FOLDER / kind).glob("*.json")).read_text(encoding="utf-8"))
    vector = content["vectors"][0]
    for wrong in (vector | {"more": 1}, {name: value for name, value in vector.items() if name != "header"},
                  vector | {"clauses": "ESX-2-09"}, vector | {"demanded_by": "us"}):  # fmt: skip
        assert not validator(kind).is_valid(content | {"vectors": [wrong]})


@pytest.mark.parametrize("kind", KINDS)
def test_every_clause_is_known(kind: str) -> None:
    for name, vector in vectors(kind).items():
        assert vector["clauses"], name
        assert set(vector["clauses"]) <= known_ids(), name


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_written_as_the_tool_writes_them(kind: str) -> None:
    """Nothing was edited: the layout is the tool's, each vector is in the file that its id says, the counts are so."""
    made = layout.Made(kind, tuple(
        layout.Vector(name, {field: value for field, value in vector.items() if field != "id"})
        for name, vector in vectors(kind).items()
    ), manifest()[kind]["without"])  # fmt: skip
    found = {str(file.relative_to(FOLDER)): file.read_text(encoding="utf-8") for file in (FOLDER / kind).glob("*.json")}
    assert layout.files_of(made) == found
    assert layout.section(made) == manifest()[kind]


def test_the_manifest_counts_what_is_there() -> None:
    validator("manifest").validate(manifest())
    assert layout.sections_in(FOLDER) == {kind: manifest()[kind] for kind in KINDS}
    assert layout.manifest_text(layout.manifest(layout.sections_in(FOLDER) or {}, pagelaw.__version__)) == (
        FOLDER / layout.MANIFEST
    ).read_text(encoding="utf-8")
    assert sum(-file.stat().st_size // 4096 * -4096 for file in FOLDER.rglob("*") if file.is_file()) < MOST_BYTES


def test_every_path_and_refusal_has_a_vector_or_is_dead() -> None:
    found = [vector["path"] for kind in ("rules", "refusals") for vector in vectors(kind).values()]
    assert sorted(found) == sorted(expected_paths())
    dead = [line for line in making.DEAD.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert {**manifest()["rules"]["without"], **manifest()["refusals"]["without"]}.keys() == set(dead)


def test_every_scenario_has_a_vector_for_every_case_that_is_not_long() -> None:
    assert {vector["scenario"] for vector in vectors("scenarios").values()} == scenarios().keys()
    cases = sum(len(one.cases) for one in scenarios().values())
    assert len(vectors("scenarios")) + len(manifest()["scenarios"]["without"]) == cases


def test_every_fault_has_a_vector_or_it_is_said_why_not() -> None:
    without, found = manifest()["faults"]["without"], vectors("faults")
    faults = {vector["fault"] for vector in found.values()}
    not_told = {vector["fault"] for vector in found.values() if vector["wrong"] is None}
    nowhere = {name for name, why in without.items() if why.startswith(making.SHOWN_NOWHERE)}
    assert faults | nowhere == set(mutants.names())
    assert {name for name, why in without.items() if why == making.NOT_TOLD} == not_told
    assert without.keys() == set(mutants.names()) - faults | not_told | {one.identifier for one in mutants.later()}


def test_faults_of_real_systems_are_told_by_what_is_seen() -> None:
    """Most of them."""
    real = [vector for vector in vectors("faults").values() if not vector["fault"].startswith(("SYN", "ORD"))]
    assert sum(vector["wrong"] is not None for vector in real) > 0.8 * len(real)


def test_boundaries_have_both_sides_or_it_is_said_why_not() -> None:
    bounds: dict[str, set[bool]] = {}
    told: dict[str, str] = {}
    for name, vector in vectors("boundaries").items():
        bound = name.rsplit("-done", 1)[0].rsplit("-refused", 1)[0]
        bounds.setdefault(bound, set()).add("refused" in vector)
        told[bound] = f"{vector['rule']}: require({vector['guard']}, Refused.{vector['reason']}): {vector['compares']}"
    for bound, sides in bounds.items():
        for is_refused in {True, False} - sides:
            side = "refused" if is_refused else "done"
            assert f"{told[bound]}: {side}" in manifest()["boundaries"]["without"]


def test_the_schemas_are_those_of_this_version() -> None:
    made = of_vectors.schemas()
    for name, schema in made.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads((SCHEMAS / name).read_text(encoding="utf-8")) == schema
    assert {file.name for file in SCHEMAS.glob("vector-*")} == made.keys()


def test_every_field_is_explained() -> None:
    """The READMEs are those of the tool, and name each field that a vector of their format has."""
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == readme.TOP
    for kind in KINDS:
        assert (FOLDER / kind / "README.md").read_text(encoding="utf-8") == readme.TEXTS[kind]
        fields = {field for vector in vectors(kind).values() for field in vector}
        assert not {field for field in fields if f"`{field}`" not in readme.TOP + readme.TEXTS[kind]}


def test_the_numbers_in_readme_are_those_of_the_manifest() -> None:
    readme_text = (FOLDER.parent.parent / "README.md").read_text(encoding="utf-8")
    text, found = readme_text.split("\n## Vectors\n")[1].split("\n## ")[0], manifest()
    assert dict(re.findall(r"^\| (\w+) \| (\d+) \| .+ \| .+ \|$", text, re.M)) == {
        kind: str(found[kind]["vectors"]) for kind in KINDS
    }
    assert f"than {scenes.MOST_EVENTS} events" in text
    why = list(found["faults"]["without"].values())
    missing = list(found["boundaries"]["without"].values()).count(making.NOT_NEXT_TO)
    assert f"{missing} bounds of which no state was found" in text
    assert f"{sum(one.startswith(making.SHOWN_NOWHERE) for one in why)} faults that no small machine shows" in text
    assert f" {why.count(making.NOT_TOLD)} faults have a vector" in text


# Written anew.


@pytest.mark.parametrize("rule", SAMPLE)
def test_vectors_of_a_rule_are_the_same_again(rule: str) -> None:
    same_again(list(rules.vectors_of(rule)), (f"rules/{rule}", f"refusals/{rule}"))


def test_vectors_of_scenarios_are_the_same_again() -> None:
    same_again(list(scenes.vectors()[0]), ("scenarios",))


@pytest.mark.parametrize("rule", ["end_period"])
def test_bounds_of_a_rule_are_the_same_again(rule: str) -> None:
    """In a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        made, _ = alone.submit(making.bounds_of, rule).result()
    same_again(made, (f"boundaries/{rule}",))


@pytest.mark.parametrize("name", ["SH-5", "BA-6", "SW-4", "ORD-17"])
def test_the_vector_of_a_fault_is_the_same_again(name: str) -> None:
    made = making.vector_of_fault(name)
    assert made is not None
    assert {"id": made.id, **made.content} == vectors("faults")[f"faults/{name}"]


def same_again(made: list[layout.Vector], below: tuple[str, ...]) -> None:
    """These vectors are those of some files, byte for byte."""
    files: dict[str, str] = {}
    for kind in layout.KINDS:
        files |= layout.files_of(layout.Made(kind, tuple(one for one in made if one.kind == kind)))
    assert files.keys() == {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.json")
                            if str(file.relative_to(FOLDER)).startswith(tuple(f"{one}." if "/" in one else f"{one}/"
                                                                              for one in below))}  # fmt: skip
    for name, text in files.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


@pytest.mark.deep
def test_all_vectors_are_the_same_again(tmp_path: Path) -> None:
    """Searched and solved anew."""
    assert main(["vectors", str(tmp_path)]) == 0
    made, due = ({str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.rglob("*")
                  if file.is_file()} for folder in (tmp_path, FOLDER))  # fmt: skip
    complete = [name for name in due if not name.startswith(("boundaries", "faults", layout.MANIFEST))]
    assert [name for name in complete if made.get(name) != due[name]] == []
    for kind in ("boundaries", "faults"):  # as far as the set has them
        again = {vector["id"]: vector for vector in replay_vectors.vectors(tmp_path, kind)}
        assert [name for name, vector in vectors(kind).items() if again.get(name) != vector] == []


# That a wrong vector is noticed.


WRONG: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "a step that leaves something else": ("rules/merge/done", lambda one: one["after"].pop("generation")),
    "a step that leaves more": ("rules/merge/done", lambda one: one["after"].update(free_frames=0)),
    "a step that is refused instead": (
        "rules/merge/done", lambda one: one.update(refused="PINNED") or one.pop("after")
    ),
    "another reason": ("refusals/merge/WRONG_STAGE", lambda one: one.update({"refused": "PINNED", "or": []})),
    "a refusal that is none": ("rules/merge/done", lambda one: one["before"].pop("operation")),
    "a run that leads elsewhere": ("rules/merge/done", lambda one: one["run"].pop()),
    "a run with a step that is refused": ("rules/merge/done", lambda one: one["run"].pop(1)),
    "a fault that is right": ("faults/SH-5", lambda one: one["differs"].update(fault=one["differs"]["right"])),
}  # fmt: skip


def changed(name: str, change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """A vector with a change."""
    made: dict[str, Any] = json.loads(json.dumps(vectors(name.split("/", 1)[0])[name]))
    change(made)
    return made


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_state_is_noticed(what: str) -> None:
    with pytest.raises((vector_runner.Fails, pagelaw.spec.language.Blocked)):
        vector_runner.run(changed(*WRONG[what]))


def test_a_wrong_vector_is_not_written() -> None:
    """What the judge does not allow, and a fault that tells what is right."""
    with pytest.raises(NotAllowed, match="event 3 is forbidden"):
        check("it", changed("scenarios/share-10/may-share-yes", lambda one: one["events"][3].update(refused="PINNED")))
    with pytest.raises(NotAllowed, match="what the fault tells is allowed"):
        check("it", changed("faults/SH-5", lambda one: one["wrong"].update(
            tells=one["events"][one["wrong"]["event"]])))  # fmt: skip


@pytest.mark.parametrize("words", [
    (), (str(FOLDER),), ("nowhere", "cat"), (str(FOLDER), "false"), (str(FOLDER), "./no"),
])  # fmt: skip
def test_a_replay_of_nothing_is_no_success(words: tuple[str, ...]) -> None:
    assert replay_vectors.main(*words) == 2
