"""The specification and the paper: everything rests on what it cites, and every clause is answered or named as open."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from pagelaw import spec
from pagelaw.spec import paper
from pagelaw.spec.language import REGISTER, Entry
from pagelaw.spec.machine import Machine
from pagelaw.spec.paper import Kind
from pagelaw.spec.refusals import Refused

FOLDER = Path(spec.__path__[0])
CHAPTERS = sorted(path for path in FOLDER.glob("*.py"))
ENTRIES: list[Entry] = [entry for entries in REGISTER.values() for entry in entries.values()]
CITING = [entry for entry in ENTRIES if entry.kind not in ("view", "measure", "represents")]
"""What must say which clauses or readings it rests on."""

NOT_ANSWERED = {
    "max is a parameter of the machine: nothing writes it": ["ESX-3-03"],
}  # fmt: skip
"""Clauses of kind rule or invariant that nothing cites, by the reason."""


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith((".", ".)")) and "  " not in text


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_first_line_is_a_sentence(entry: Entry) -> None:
    assert is_sentence(entry.sentence), entry.sentence


def test_everything_that_binds_says_what_it_rests_on() -> None:
    assert [entry.name for entry in CITING if not entry.clauses] == []


def test_what_is_cited_exists() -> None:
    unknown = {(entry.name, one) for entry in ENTRIES for one in entry.clauses if one not in paper.known_ids()}
    assert unknown == set()


def test_nothing_is_cited_twice_by_one() -> None:
    assert [entry.name for entry in ENTRIES if len(set(entry.clauses)) != len(entry.clauses)] == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: str(path.stem))
def test_what_the_prose_cites_exists(path: Path) -> None:
    assert set(paper.cited_in(path.read_text(encoding="utf-8"))) <= paper.known_ids()


def test_every_rule_and_invariant_of_the_paper_is_answered_or_named_as_open() -> None:
    binding = [clause.id for clause in paper.clauses() if clause.kind in (Kind.RULE, Kind.INVARIANT)]
    cited = {one for entry in ENTRIES for one in entry.clauses}
    named = [one for ids in NOT_ANSWERED.values() for one in ids]
    assert [one for one in binding if one not in cited] == sorted(named, key=binding.index)


def test_every_reason_to_refuse_is_a_sentence_without_its_capital_and_stop() -> None:
    for reason in Refused:
        assert reason.value[0].islower(), reason
        assert not reason.value.endswith("."), reason
    assert len({reason.value for reason in Refused}) == len(Refused)


def classes_of(name: str) -> list[ast.ClassDef]:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@pytest.mark.parametrize(("chapter", "state"), [("machine", "Machine"), ("private_memory", "PrivateMemory")])
def test_every_field_of_a_state_is_explained_below_it(chapter: str, state: str) -> None:
    (found,) = [node for node in classes_of(chapter) if node.name == state]
    pairs = list(zip(found.body, [*found.body[1:], ast.Pass()], strict=True))
    fields = [(node, below) for node, below in pairs if isinstance(node, ast.AnnAssign)]
    assert [ast.unparse(node.target) for node, below in fields if not is_text(below)] == []
    names = {ast.unparse(node.target) for node, _ in fields}
    assert names == set(getattr(import_module(f"pagelaw.spec.{chapter}"), state).shapes())


def test_every_class_is_explained() -> None:
    unexplained = [node.name for path in CHAPTERS for node in classes_of(path.stem) if not is_text(node.body[0])]
    assert unexplained == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: str(path.stem))
def test_no_function_has_the_name_of_a_field(path: Path) -> None:
    """What a function reads, and what it calls, is told by the names in its code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions & Machine.shapes().keys() == set()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: str(path.stem))
def test_every_function_is_explained(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if not is_sentence((ast.get_docstring(node) or "").split("\n")[0])] == []
