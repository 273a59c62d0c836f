"""`pagelaw check`: prove every rule against every property, or show where that fails."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from . import reading
from .reading import BadInput

if TYPE_CHECKING:
    from pagelaw.proofs.checking import Report
    from pagelaw.proofs.results import Settings

DESCRIPTION = """\
Prove that every rule of the specification keeps every invariant, that every
step refines private memory, and what this rests on: for any number of VMs,
pages and frames. What was proved before is remembered in .pagelaw/ and not
proved again. Whatever is not proved counts as failed, an unknown or late
answer too; if a small machine shows what is wrong, it is printed.
"""

EPILOG = """\
examples:
  pagelaw check                                    everything
  pagelaw check --rule merge --rule protect        two rules
  pagelaw check --property frames_add_up           one invariant, over all rules
  pagelaw check --property refinement              one kind of property
  pagelaw check --solver both --fresh              prove all again, with two solvers
  pagelaw check --smt2 obligations/                write every query, to be checked without pagelaw
  pagelaw check --mutant SH-1                      a fault of a real system: must fail
  pagelaw check --claims                           what is not true of targets, with machines that show it

exit codes: 0 all proved, or with --claims all refuted; 1 something is refuted or not proved; 2 bad input, or
a rule that cannot be read as obligations; 130 interrupted
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "check", help="prove the rules", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rule", metavar="NAME", action="append", default=[],
                        help="only this rule, or this group of other obligations such as `theorems`; can be repeated")
    parser.add_argument("--property", metavar="NAME", action="append", default=[],
                        help="only this invariant or theorem, or this kind of property; can be repeated")
    parser.add_argument("--solver", choices=("z3", "cvc5", "both"), default="z3",
                        help="who has to prove it (default: z3)")
    parser.add_argument("--jobs", metavar="N", type=reading.whole,
                        help="processes at work (default: as many as there are processors)")
    parser.add_argument("--time-limit", metavar="SECONDS", type=reading.seconds, default=None,
                        help="for each obligation and solver (default: 10; with --mutant 3, as proofs take far less)")
    parser.add_argument("--fresh", action="store_true", help="prove again what is remembered")
    parser.add_argument("--memory", metavar="DIR", default=None, help="where proofs are remembered (default: .pagelaw)")
    parser.add_argument("--json", metavar="FILE", help="write all results there")
    parser.add_argument("--smt2", metavar="DIR", help="write every obligation there as SMT-LIB 2; `unsat` proves it")
    parser.add_argument("--save-tests", metavar="DIR", help="write the counterexamples shown there, as tests")
    parser.add_argument("--mutant", metavar="ID", help="switch on a known fault first")
    parser.add_argument("--claims", action="store_true",
                        help="find machines instead that refute what one might believe of targets, and is false")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    started = perf_counter()
    from pagelaw.proofs.checking import Run, WorkerLost, processors
    from pagelaw.proofs.memory import FOLDER, Memory
    from pagelaw.proofs.solvers import SolverMissing

    from .results import Printer, show_troubles

    try:
        settings = _settings(arguments)
        if not _readable():
            return 2
        if arguments.claims:
            return _claims(arguments)
        names = _groups(arguments.rule)
        results, tests = reading.file("--json", arguments.json), reading.folder("--save-tests", arguments.save_tests)
        memory = Memory(Path(arguments.memory or FOLDER))
        jobs = arguments.jobs or processors()
        with Printer(sys.stdout) as printer:
            report = Run(settings, memory, jobs, arguments.fresh).check(names, printer.progress)
    except SolverMissing as missing:
        raise BadInput(str(missing)) from None
    except WorkerLost as lost:
        raise BadInput(str(lost)) from None
    for note in memory.notes:
        print(f"note: {note}", file=sys.stderr)
    if not report.results and not report.troubles:
        return _nothing(arguments)
    printer.table(report)
    if report.unproved:
        with ExitStack() as stack:
            _switch_on(arguments.mutant, stack)
            printer.failures(report, tests)
    show_troubles(report.troubles, sys.stderr)
    seconds = perf_counter() - started
    if results is not None:
        _write_json(results, report, settings, seconds)
    print(_summary(report, settings, seconds))
    if report.troubles:
        return 2
    return 1 if report.unproved else 0


def _readable() -> bool:
    """Whether the rules use only what the lifting sees; what else there is, is printed."""
    from pagelaw.proofs.lint import as_text, lint

    found = lint()
    if found:
        print(f"pagelaw: the rules cannot be read as obligations\n{as_text(found)}", file=sys.stderr)
    return not found


def _settings(arguments: argparse.Namespace) -> Settings:
    from pagelaw.proofs.results import Settings
    from pagelaw.proofs.solvers import CHOICES, provenance

    if arguments.mutant is not None:
        from pagelaw.proofs import mutants

        try:
            made = mutants.systematic() if "/" in arguments.mutant else {}
            names = [*mutants.names(), mutants.CONTROL, *made]
        except mutants.Faulty as error:  # the list does not fit the rules
            raise BadInput(f"--mutant: {'; '.join(str(error).splitlines())}") from None
        reading.known("mutant", arguments.mutant, names)
    for name in arguments.property:
        _known_property(name)
    provenance("z3")  # builds the terms, whoever solves
    return Settings(
        {solver: provenance(solver) for solver in CHOICES[arguments.solver]},
        arguments.time_limit or (10.0 if arguments.mutant is None else 3.0),
        frozenset(arguments.property), arguments.mutant, reading.folder("--smt2", arguments.smt2),
    )


def _claims(arguments: argparse.Namespace) -> int:
    """Refute every false claim, and print the machines that do."""
    given = [name for name in ("rule", "property", "smt2", "save_tests", "mutant") if getattr(arguments, name)]
    if given:
        raise BadInput(f"--claims looks at all claims by itself: leave out --{given[0].replace('_', '-')}")
    results = reading.file("--json", arguments.json)
    from pagelaw.proofs.claims import refute
    from pagelaw.spec.language import REGISTER

    found: dict[str, list[str] | None] = {}
    for entry in REGISTER["claim"].values():
        try:
            refuted = refute(entry)
        except TimeoutError:  # the solver gave up: not refuted
            refuted = None
        found[entry.name] = None if refuted is None else list(refuted.lines())
        told = found[entry.name] or [f"{entry.name}: no machine was found that refutes it"]
        print("\n".join(told), end="\n\n", flush=True)
    refuted_ones = sum(lines is not None for lines in found.values())
    print(f"{len(found)} claims: {refuted_ones} refuted, as they are false")
    if results is not None:
        summary = {"claims": len(found), "refuted": refuted_ones}
        reading.replace(results, json.dumps({"summary": summary, "claims": found}, indent=1) + "\n")
    return 0 if refuted_ones == len(found) else 1


def _groups(rules: list[str]) -> list[str] | None:
    from pagelaw import spec  # noqa: F401  (fills the register)
    from pagelaw.spec.language import REGISTER

    if not rules:
        return None
    if not set(rules) <= set(REGISTER["rule"]):
        from pagelaw.proofs.checking import all_groups

        for name in rules:
            reading.known("rule", name, all_groups())
    return list(dict.fromkeys(rules))


STATEMENTS = ("invariant", "theorem", "transition", "law")
KINDS = ("exhaustive", "defined", "refusal", "effect", "once", *STATEMENTS, "refinement", "initial", "operation",
         "lemma")


def _known_property(name: str) -> None:
    """Names of several words are made up as obligations are built: of them nothing is known before."""
    from pagelaw import spec  # noqa: F401  (fills the register)
    from pagelaw.spec.language import REGISTER

    if " " not in name:
        reading.known("property", name, [*KINDS, *(one for kind in STATEMENTS for one in REGISTER.get(kind, ()))])


def _nothing(arguments: argparse.Namespace) -> int:
    """No obligation was selected: either the rules leave the property alone, or no such property exists."""
    asked, rules = ", ".join(arguments.property), ", ".join(arguments.rule) or "any rule"
    if any(" " in name for name in arguments.property):
        raise BadInput(f"there is no obligation {asked!r} of {rules}")
    print(f"nothing to prove: nothing that {asked or 'it'} speaks of is changed by {rules}")
    return 0


def _switch_on(mutant: str | None, stack: ExitStack) -> None:
    if mutant is not None:
        from pagelaw.proofs.mutants import apply

        stack.enter_context(apply(mutant))


def versions(settings: Settings) -> dict[str, str]:
    """The solvers that were asked, with their versions."""
    told = (provenance.split(" ") for provenance in settings.solvers.values())
    return {solver: version.removesuffix(".0") if version.count(".") > 2 else version for solver, version in told}


def _summary(report: Report, settings: Settings, seconds: float) -> str:
    from pagelaw.proofs.solvers import Verdict

    counts = f"{report.count(Verdict.PROVED)} proved ({report.remembered} remembered)"
    for verdict in (Verdict.FAILED, Verdict.UNKNOWN):
        if report.count(verdict):
            counts += f", {report.count(verdict)} {verdict.value}"
    solvers = " and ".join(f"{solver} {version}" for solver, version in versions(settings).items())
    unread = f"; {len(report.troubles)} could not be read" if report.troubles else ""
    mutant = f", mutant {settings.mutant}" if settings.mutant else ""
    return f"{len(report.results)} obligations: {counts} in {seconds:.1f} s with {solvers}{mutant}{unread}"


def _write_json(path: Path, report: Report, settings: Settings, seconds: float) -> None:
    from pagelaw.proofs.solvers import Verdict

    counts = {verdict.value: report.count(verdict) for verdict in Verdict}
    summary = {
        "obligations": len(report.results), **counts, "remembered": report.remembered,
        "seconds": round(seconds, 3), "solvers": versions(settings), "mutant": settings.mutant,
    }
    text = json.dumps({"summary": summary, "obligations": [one.as_json() for one in report.results]}, indent=1)
    reading.replace(path, text + "\n")
