"""The declared freedoms: a register that is complete, agrees with the readings and the state, and can be run."""

import ast
import re
from pathlib import Path

import attrs
import pytest

from pagelaw import spec
from pagelaw.model.reference.random_runs import random_run
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import paper
from pagelaw.spec.language import REGISTER
from pagelaw.spec.machine import Machine
from pagelaw.spec.profiles import OPTIONS, PROFILES, Option

READINGS = {reading.id: reading for reading in paper.readings()}
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def given(*types: type) -> list[str]:
    """The parameters of the machine that are single values of these types."""
    shapes = Machine.shapes().items()
    return [name for name, shape in shapes if shape.field.is_given and not shape.keys and shape.value in types]


def explained() -> dict[str, str]:
    """The text below each field of the machine."""
    tree = ast.parse((Path(spec.__path__[0]) / "machine.py").read_text(encoding="utf-8"))
    (state,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    pairs = zip(state.body, state.body[1:], strict=False)
    return {ast.unparse(one.target): ast.literal_eval(below.value) for one, below in pairs
            if isinstance(one, ast.AnnAssign) and isinstance(below, ast.Expr)}  # fmt: skip


def test_every_flag_of_the_machine_is_an_option() -> None:
    assert set(given(bool)) <= set(OPTIONS) <= set(given(bool, int))


def test_every_profile_has_a_value_of_the_right_type_for_each_option() -> None:
    for values in PROFILES.values():
        assert {name: type(value) for name, value in values.items()} == {
            name: Machine.shapes()[name].value for name in OPTIONS
        }


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_in_esx_each_option_is_as_the_reading_takes_it(option: Option) -> None:
    (parameter,) = [one for one in READINGS[option.reading].parameters if one.name == option.parameter]
    if option.words is None:
        assert (str(option.esx), parameter.values) == (parameter.default, ())
    else:
        assert option.words[option.esx] == parameter.default
        assert set(option.words) == set(parameter.values)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_each_option_is_told_and_what_asks_for_it_cites_its_reading(option: Option) -> None:
    assert re.fullmatch(r"[A-Z][^.]*\.", option.sentence)
    assert explained()[option.name].startswith(f"{option.reading}: ")
    assert any(option.reading in entry.clauses for kind in REGISTER.values() for entry in kind.values())


def test_machines_are_as_the_paper_unless_it_is_said_otherwise() -> None:
    default = Sizes()
    assert {name: getattr(default, name) for name in OPTIONS} == PROFILES["esx"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_machine_of_each_profile_runs_and_nothing_is_violated(profile: str) -> None:
    sizes = Sizes(**PROFILES[profile], minimum=0, vms=3, frames=12, low_reserve=1)  # type: ignore[arg-type]
    made = machine(sizes)
    assert {name: getattr(made, name) for name in OPTIONS} == PROFILES[profile]
    random_run(attrs.evolve(sizes, garbage=3), seed=3, steps=20_000, every=100)


def test_readme_tells_of_every_option() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| ([a-z ]+) \| (\w+) \| (\w+) \|$", README, re.M)

    def said(value: bool | int) -> str:
        return str(value) if type(value) is int else ("yes" if value else "no")

    assert rows == [
        (one.name, f"{one.sentence} ({one.reading})", one.grade.name.lower().replace("_", " "), said(one.esx),
         said(one.linux)) for one in OPTIONS.values()
    ]  # fmt: skip
