"""What to write in place of a construct that is not allowed."""

from __future__ import annotations

WORDS = "use the words of the language: if, match, require, pick, every, some, write_each"
EXPRESSIONS = "use ==, !=, <, <=, +, -, *, ratio, and, or, not, pick"
INSTEAD: dict[str, tuple[str, str]] = {
    "For": ("a loop", "use every, some or write_each"),
    "While": ("a loop", "use every, some or write_each"),
    "Try": ("try", "a refusal is never caught: ask first"),
    "TryStar": ("try", "a refusal is never caught: ask first"),
    "With": ("with", WORDS),
    "Raise": ("raise", "use refuse or require, with a named reason"),
    "Assert": ("assert", "use require, or state an invariant"),
    "Global": ("global", "all that a rule changes is in the state"),
    "Nonlocal": ("nonlocal", "all that a rule changes is in the state"),
    "Import": ("an import inside a function", "import at the top of the chapter"),
    "ImportFrom": ("an import inside a function", "import at the top of the chapter"),
    "Delete": ("del", "write a value: maps are total"),
    "AnnAssign": ("an annotated assignment", "leave the annotation out"),
    "FunctionDef": ("a function inside a function", "write a helper of the chapter, or a lambda for every and some"),
    "ClassDef": ("a class inside a function", "define variants in the vocabulary"),
    "ListComp": ("a comprehension", "use every, some or write_each"),
    "SetComp": ("a comprehension", "use every, some or write_each"),
    "DictComp": ("a comprehension", "use every, some or write_each"),
    "GeneratorExp": ("a comprehension", "use every, some or write_each"),
    "Lambda": ("a lambda", "only every, some and write_each take one"),
    "Tuple": ("a tuple", "only as keys of a map, or after `in`"),
    "List": ("a list", "compare with each value by ==, or use a tuple after `in`"),
    "Dict": ("a dict", "all that a rule keeps is in the state"),
    "Set": ("a set", "compare with each value by =="),
    "JoinedStr": ("text", "rules neither print nor log"),
    "NamedExpr": (":=", "assign first"),
    "Await": ("await", WORDS),
    "MatchValue": ("a value in a pattern", "bind the field, then compare it with =="),
    "MatchSingleton": ("None, True or False in a pattern", "bind the field, then test it with `if`"),
    "MatchSequence": ("a sequence pattern", "match one value at a time"),
    "MatchMapping": ("a mapping pattern", "match the value of one key"),
    "MatchStar": ("a starred pattern", "match one value at a time"),
    "Div": ("/", "use ratio: a quotient of whole numbers would not be exact"),
    "Is": ("is", "compare with =="),
    "IsNot": ("is not", "compare with !="),
}
