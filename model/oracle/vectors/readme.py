"""The formats in words: a README for each, which states when a program passes."""

from __future__ import annotations

from .layout import FORMAT, MANIFEST
from .scenes import MOST_EVENTS

TOP = f"""\
# Vectors

Plain JSON files (format {FORMAT}) with which a program in any language can be held against the specification of
pagelaw, without Python. They are written by `pagelaw vectors DIR` only: what is expected comes from running the rules,
and each vector is judged before it is written. Nothing in them is written by hand. Each folder has a README that says
when a program passes:

| folder | a vector for | starts from |
|---|---|---|
| [rules](rules/README.md) | every path through a rule that ends with the step done | power-on, and a printed state |
| [refusals](refusals/README.md) | every path through a rule that ends refused | power-on, and a printed state |
| [boundaries](boundaries/README.md) | each side of each bound of a guard | a printed state |
| [faults](faults/README.md) | each known fault: the shortest run that shows it | power-on |
| [scenarios](scenarios/README.md) | each scenario of another project, at several sizes | power-on |

A file is an object: `format`, `kind` (the folder), and `vectors`, a list. The vectors of one rule, one scenario, or one
group of faults are in one file. The identity of a vector is its `id`, a path: `rules/merge/done` is in
`rules/merge.json`, `scenarios/cow-01/writer-A` in `scenarios/cow-01.json`, `faults/SH-5` in `faults/SH.json`.

`{MANIFEST}` says for each folder how many vectors there are (`vectors`), how many the paper demands and how many a
reading (`paper`, `reading`), how many there are of each rule, scenario or group (`of`), and what has none and why
(`without`): nothing is left out that is not named there.

## What all vectors have in common

- `id`: the identity. `told`: in a sentence, what happens.
- `clauses`: the ids that it rests on: of clauses of the paper (ESX-...), of what follows from them (D-..), and of
  readings where the paper leaves a point open (R-..). `spec/paper` has the text of each.
- `demanded_by`: `paper` if no reading is among the clauses; else `reading`: a program that reads the paper otherwise
  may fail the vector and still do what the paper says. `grades`, where it is there, says how free a choice is.
- `header`: the machine, as the first line of a trace (`pagelaw judge --format` tells every field). At power-on all VMs
  are off, all frames free, all slots unused, no page was ever touched, and frames and slots hold zeros. VMs have the
  names of the header; frames are m0, m1, ..., the low ones first; slots k0, k1, ...; transfers t0, t1, ... Where the
  header has no `low`, all frames are low.
- Values: a page, virtual page or vCPU is `[VM, number]`; the contents of a page are the list of its words; a variant is
  its name, or a list of its name and its fields; a fraction is a text such as "3/4".
- An event is a line of a trace: `do`, an operation of a whole memory manager, or `step`, a rule by its name, with its
  arguments; `got`, what it answers; `refused`, the named reason if it must be refused; `saw`, what must be seen after
  it. What is not said in `saw` is as it was; a first `saw` about something says what changed since power-on.
- `saw` speaks of a page (`frame` and `words`, `slot`, or `is`: untouched, ballooned), of a translation (`virtual`,
  `cpu` if it is in a TLB, `leads_to`), of a frame or slot (`users`), of a VM or of the whole machine (counts).
- Names of frames and slots that a program chooses itself matter only up to renaming: what is called m0 in one event is
  called so until it is free again. A program that takes the frame that a step names need not rename anything.
- The JSON Schemas are `vector-*.schema.json` in `model/oracle/schemas`, beside those of traces, to which they refer;
  `vector-state.schema.json` says what each field of a state means.

A program that has less than the specification (no devices, no I/O in high memory, ...) takes the vectors whose events
it has, and counts the others as skipped.
"""
STATES = """
A state (`before`, `after`) is an object: of each field that is not as at power-on (`after`: not as in `before`) its
value, or, if the field is a map, a list of `[key, value]` for the entries that are not; a key of several parts is a
list of them. A program need not keep all that the specification keeps: it compares what it has. Fields that only say
whose data something is, or are kept for reports (`tag`, `noted_target`, `noted_price`), and how often something was
withdrawn (`generation`, where it has another means against fills in flight), may be left out.
"""
TEXTS = {
    "rules": """\
# Rules

`rules/RULE.json`: a vector for every path through the rule that ends with the step done.

- `rule`: its name; `path`: the path, by the arms that are taken.
- `run`: events from power-on, all of single steps (`step`). They lead to the state `before`. Some of them may be
  refused.
- `before`: the state that the run leads to.
- `step`: the step that the vector is about.
- `got` (if the step answers something), `saw` (if anything that can be seen from outside changed), and `after`: all
  that the step changes, as it is afterwards.

**Pass rule.** Bring the program to `before`: do the events of `run` in order, each of which must come to what it says;
or write the fields. Do `step`. It must be done, must answer `got`, must leave every field of `after` as it says and
every other as it was; what can be seen must be as `saw` says, and as it was where that says nothing.

The header, the events of `run`, and `step` with `got` and `saw`, one a line, are a trace that `pagelaw judge` allows.
""" + STATES,
    "refusals": """\
# Refusals

`refusals/RULE.json`: a vector for every refusal of the rule; its id ends with the named reason, and with the place,
where the rule refuses in several places for one reason.

- `rule`, `path`, `run`, `before`, `step`: as for rules.
- `refused`: the named reason. `or`, if it is there: other reasons that hold there as well.

**Pass rule.** Bring the program to `before`, by `run` or by writing the fields. Try `step`. It must be refused, and
nothing must have changed. If the program says why, it must be `refused`, or one of `or`: guards may be looked at in any
order.

The header, the events of `run`, and `step` with `refused`, one a line, are a trace that `pagelaw judge` allows.
""" + STATES,
    "boundaries": """\
# Boundaries

`boundaries/RULE.json`: for each guard that compares numbers a state on both sides of its bound. On the side `done`
nothing else refuses the step; on the side `refused` the comparison does, and where `or` is there another guard would
refuse it as well, so that there a program without this comparison is not found out. A solver chose
them: each is allowed by every invariant of the specification, and as plain as
can be, but need not be one that a run leads to. Ids end with the reason, the number of the bound among those with this
reason, and the side: `done` or `refused`, with `-below` and `-above` if there are two neighbours on that side.

- `rule`: its name; `guard`: the guard as the rule has it; `reason`: why the rule refuses beyond it.
- `compares`: the comparison as the solver has it. `left_less_right`: by how much its left side exceeds the right one;
  not there, if these are no whole numbers.
- `before`, `step`, and `after`, `got` and `saw`, or `refused` and `or`: as for rules and for refusals.

**Pass rule.** Write the fields of `before`, do `step`. If there is `after`, as for rules; if there is `refused`, as for
refusals. A program whose state cannot be written skips these vectors.
""" + STATES,
    "faults": """\
# Faults

`faults/GROUP.json`: for each fault of the gallery (`pagelaw mutants list`) the shortest run to a violation on a small
machine (`pagelaw explore MACHINE --mutant ID`), here with zeros in memory at power-on, and with the steps that set the
machine up. The machine is the first that shows the fault; where it is not seen from outside there, one of the next two
on which it is.

- `fault`: the id of the fault; `told`: what is wrong; `source`: the system that had it, with the reference, or that it
  is invented.
- `breaks`: the property that is false under the fault at the end of the run; `false` says how; `clauses` are its
  clauses. `machine`: its name in the explorer.
- `events`: the run from power-on, as the specification does it: all are single steps. The first `shortest` of them are
  the shortest run to the violation. Those after it, if there are any, make it seen from outside: they were found by
  trying every single step, then by random runs; none of them can be left out.
- `differs`: after which event (`event`, from 0) a program with the fault is in another state first: what the step comes
  to (`right`) and what it comes to under the fault (`fault`), as in the vectors of rules and refusals; `fails` is the
  name of an error, where the faulty rule makes no sense. null where the fault is in what is said of states.
- `wrong`: the first event (`event`, from 0) of which a program with the fault tells something else, and what it tells
  (`tells`). The judge allows all events before it and forbids this one. null where nothing that is seen from outside in
  this run gives the fault away (the manifest lists these). Seen from outside is what a program tells that tells its
  single steps, as the events here: what a step answers, that it is refused and why, and what a look after it shows.
  Of a program that tells whole operations only less may be seen.

**Pass rule.** Do the events in order, from power-on. Each must come to what it says: refused where `refused` is there,
for that reason if the program says one; else done, with `got` and what `saw` says. A program that tells
`wrong.tells` at the event `wrong.event` has the fault; and so has one whose state after the event `differs.event` is
`differs.fault`.

The header and `events`, one a line, are a trace that `pagelaw judge` allows; with `wrong.tells` in the place of its
event it is one that `pagelaw judge` forbids in that line.
""" + STATES,
    "scenarios": f"""\
# Scenarios

`scenarios/ID.json`: tests of other projects, told in our own words, each at several sizes.

- `scenario`: its id; `case`: the sizes and options of this case; `source`: project, file and test. `left_out`, if it is
  there: what of the source is not expressed, and why.
- `events`: operations (`do`), single steps (`step`), and looks at the machine (`saw` alone).
- `expected`: the numbers that are counted. `what` is counted after so many events (`after`); `published` is what the
  source says of it (null if it says nothing of this size); `rule` the formula, and the clauses for it; `ours`, if it is
  there, what the specification says where that is something else, and `why_ours` the reason.

**Pass rule.** Do the events in order, from power-on, on a machine with the options of the header (those of the profile
`esx` if it has none). Each must come to what it says: refused where `refused` is there, for that reason if the program
says one; else done, with `got` and what `saw` says. Then each number of `expected` is `ours`, or `published` where
there is no `ours`: a program that counts such things itself compares them.

One thing may be otherwise: that a page with a transfer is not shared is all that R-24 asks, so a scan whose `refused`
is PINNED may as well be done, with "not shared" if the program says what it came to, and nothing changed.

A program that makes other choices than these (which of two equal pages leaves a hint, say) may come to something else
and still be right: it has its own trace judged instead (`pagelaw judge`). The header and `events`, one a line, are a
trace that `pagelaw judge` allows.

Cases of more than {MOST_EVENTS} events are not written, but the shortest one of each scenario always is; the manifest
lists the others. They are the same at other sizes, and the tests of pagelaw play them.
""",
}
"""Of each folder."""
