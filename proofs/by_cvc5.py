"""cvc5, asked through SMT-LIB text."""

from __future__ import annotations

from time import perf_counter

from .solvers import Answer, Verdict, timed_out


def ask(text: str, limit: float) -> Answer:
    """Whether cvc5 proves the obligation with this text, in `limit` seconds."""
    started = perf_counter()
    try:
        output = _run(text, limit)
    except Exception as error:  # whatever goes wrong, it is not proved
        return Answer("cvc5", Verdict.UNKNOWN, f"cvc5: {_one_line(error)}", perf_counter() - started)
    seconds = perf_counter() - started
    if output == "unsat":
        return Answer("cvc5", Verdict.PROVED, "", seconds)
    if output == "sat":
        return Answer("cvc5", Verdict.FAILED, "refuted by cvc5", seconds)
    reason = timed_out(limit) if seconds >= limit else f"cvc5 answers {output or 'nothing'}"
    return Answer("cvc5", Verdict.UNKNOWN, reason, seconds)


def _run(text: str, limit: float) -> str:
    import cvc5

    solver = cvc5.Solver()
    solver.setOption("tlimit-per", str(max(1, round(limit * 1000))))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    symbols = parser.getSymbolManager()
    output = []
    while not (command := parser.nextCommand()).isNull():
        output.append(str(command.invoke(solver, symbols)).strip())
    return "\n".join(line for line in output if line)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
