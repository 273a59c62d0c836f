"""The trace format: what is malformed is said with its place, and the JSON Schemas say the same as the judge."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from pagelaw.model.cli import main
from pagelaw.model.oracle.events import LONGEST_LINE
from pagelaw.model.oracle.files import judge_file
from pagelaw.model.oracle.judge import ALLOWED, MALFORMED, Judge
from pagelaw.model.oracle.operations import OPERATIONS
from pagelaw.model.oracle.schemas import FOLDER, format_text, schemas
from pagelaw.model.oracle.vectors import schemas as vectors

HEADER = (
    b'{"pagelaw":1,"machine":{"vms":[{"name":"A","pages":4},{"name":"B","pages":4}],"frames":6,"slots":8,"words":2}}'
)
EVENTS = (
    b'{"do":"power_on","vm":"A"}',
    b'{"do":"write","vm":"A","page":3,"word":1,"value":7,"saw":[{"vm":"A","page":3,"frame":"f1"}]}',
    b'{"do":"read","vm":"A","page":3,"word":1,"got":7}', b'{"settle":["scan"],"saw":[{"free_frames":5}]}',
    b'{"do":"page_out","vm":"A","page":3,"took":{"slot":0},"begin":"x"}',
    b'{"end":"x","saw":[{"vm":"A","page":3,"slot":0}]}',
    b'{"step":"set_swap_target","vm":"A","pages":2}', b'{"do":"page_in","vm":"B","page":0,"refused":"VM_NOT_RUNNING"}',
)  # fmt: skip
VALIDATORS = {name: jsonschema.Draft202012Validator(made) for name, made in schemas().items()}


def judged(*lines: bytes) -> Judge:
    """A trace of these lines."""
    judge = Judge()
    for line in lines:
        judge.line(line)
        if judge.is_over:
            break
    judge.end()
    return judge


def test_the_examples_are_allowed() -> None:
    assert judged(HEADER, *EVENTS).verdict == ALLOWED


HEADERS = {
    b"": "ends too early",
    b"[]": "should hold an object",
    b"{}": 'lacks the field "pagelaw"',
    b'{"pagelaw":2}': "reads format 1 only",
    b'{"pagelaw":true}': "reads format 1 only",
    b'{"pagelaw":1}': "lacks the field 'machine'",
    HEADER.replace(b'"frames":6', b'"frames":0'): "machine.frames is 0, and should be a whole number from 1",
    HEADER.replace(b'"frames":6', b'"frames":1e3'): "machine.frames is 1000.0",
    HEADER.replace(b'"frames":6', b'"frames":99999999999'): "machine.frames is 99999999999",
    HEADER.replace(b'"frames"', b'"vcpus":100000,"frames"'): "machine.vcpus is 100000, and should be a whole number",
    HEADER.replace(b'"B"', b'"A"'): "two VMs are called 'A'",
    HEADER.replace(b'"pages":4}]', b'"pages":4,"minimum":5}]'): "machine.vms[1].minimum is 5",
    HEADER.replace(b'"slots"', b'"low_reserve":7,"slots"'): "machine.low_reserve is 7, and there are 6 low frames only",
    HEADER.replace(b'"slots"', b'"slot"'): "has the field 'slot', which is not known",
    HEADER[:-1] + b',"profile":"xen"}': "profile is 'xen', and should be one of",
    HEADER[:-1] + b',"options":{"take_over":1}}': "options.take_over is 1, and should be true or false",
    HEADER[:-1] + b',"pagelaw":1}': "'pagelaw' is there twice",
}


@pytest.mark.parametrize("line", HEADERS)
def test_headers_that_are_none(line: bytes) -> None:
    judge = judged(line, *EVENTS)
    assert judge.verdict == MALFORMED
    assert judge.malformed is not None
    assert judge.malformed[0] == 1
    assert HEADERS[line] in judge.malformed[2]


LINES = {
    b'{"do":"write","vm":"A","page":3,"word":1}': "lacks the field 'value'",
    b'{"do":"write","vm":"A","page":4,"word":1,"value":7}': "page is 4, and VM 'A' has those from 0 to 3",
    b'{"do":"write","vm":"A","page":true,"word":1,"value":7}': "page is True, and should be a whole number",
    b'{"do":"write","vm":"C","page":0,"word":1,"value":7}': "vm is 'C', and the VMs are 'A', 'B'",
    b'{"do":"write","vm":["A"],"page":0,"word":1,"value":7}': "vm is ['A'], and should be a name",
    b'{"do":"write","vm":"A","page":0,"word":2,"value":7}': "a page has 2 words",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":-7}': "value is -7",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":1.5}': "value is 1.5",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":18446744073709551616}': "value is 18446744073709551616",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":1' + b"0" * 1000 + b"}": "value is 1000",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":1' + b"0" * 9000 + b"}": "no JSON",
    b'{"do":"write","vm":"A","page":0,"word":1,"value":7,"got":7}': "write answers nothing",
    b'{"do":"read","vm":"A","page":0,"word":1,"got":"seven"}': "got is 'seven', and should be a whole number",
    b'{"do":"scan","vm":"A","page":0,"got":"maybe"}': "scan answers one of shared, not shared",
    b'{"do":"wriet","vm":"A"}': "did you mean write",
    b'{"do":5}': "do is 5, which is no operation",
    b'{"vm":"A"}': "says nothing that happened",
    b'{"do":"power_on","vm":"A","vm":"B"}': "'vm' is there twice",
    b'{"do" :"power_on","vm":"A","vm":"A"}': "'vm' is there twice",
    b'{"do" :"read","vm":"A","page":0,"word":0,"word":0}': "'word' is there twice",
    b'{"do":"power_on","vm":"A","saw":[{"free_frames":1,"free_frames":2}]}': "'free_frames' is there twice",
    b'{"do":"power_on","vm":"A","extra":1}': "has the field 'extra', which is not known",
    b'{"do":"power_on","vm":"A","saw":{}}': "saw is {}, and should be a list",
    b'{"do":"power_on","vm":"A","saw":[{}]}': "saw[0] is {}, and should say what was seen",
    b'{"do":"power_on","vm":"A","saw":[5]}': "saw[0] is 5, and should be an object",
    b'{"do":"power_on","vm":"A","saw":[{"vm":"A","page":9}]}': "saw[0].page is 9",
    b'{"do":"power_on","vm":"A","saw":[{"vm":"A","page":0,"frame":1,"slot":1}]}': "in a frame and in a slot",
    b'{"do":"power_on","vm":"A","saw":[{"vm":"A","page":0,"words":[1,2,3]}]}': "has 3 words",
    b'{"do":"power_on","vm":"A","refused":"NO_FREE_FRAMES"}': "did you mean NO_FREE_FRAME",
    b'{"do":"power_on","vm":"A","refused":["x"]}': "refused is ['x']",
    b'{"do":"power_on","vm":"A","took":{"frame":""}}': "took.frame is ''",
    b'{"settle":["scan","nap"]}': "settle[1] is 'nap', and should be one of",
    b'{"settle":1}': "settle is 1",
    b'{"step":"touch","page":["A",1]}': "lacks its argument 'new'",
    b'{"step":"touch","page":["A",9],"new":"f"}': "has no Page of this number",
    b'{"step":"touch","page":"A.p1","new":"f"}': "should be a list of a VM and a number",
    b'{"end":"x"}': "no operation of that name is under way",
    b'{"end":"x","took":{"frame":"f"}}': "'took'",
    b"[" * 5000: "too deeply nested",
    b'{"do":"power_on","vm":"\xff"}': "no JSON",
    b"\x00\x01\x02": "no JSON",
    b'{"do":"power_on","vm":"A"} {}': "no JSON: trailing characters",
}


@pytest.mark.parametrize("line", LINES)
def test_lines_that_make_no_sense(line: bytes) -> None:
    judge = judged(HEADER, EVENTS[0], line)
    assert judge.verdict == MALFORMED
    assert judge.malformed is not None
    assert judge.malformed[0] == 3
    assert LINES[line] in judge.malformed[2], judge.malformed


def test_the_column_is_said() -> None:
    judge = judged(HEADER, b'{"do":"power_on","vm":A}')
    assert judge.malformed == (2, 23, "no JSON: invalid character")


def test_the_schemas_beside_the_code_are_up_to_date() -> None:
    for name, made in schemas().items():
        assert json.loads((FOLDER / name).read_text(encoding="utf-8")) == made
    assert {path.name for path in FOLDER.iterdir()} == schemas().keys() | vectors.schemas().keys()


@pytest.mark.parametrize("line", EVENTS)
def test_what_is_right_is_right_by_the_schema(line: bytes) -> None:
    VALIDATORS["event.schema.json"].validate(json.loads(line))
    VALIDATORS["header.schema.json"].validate(json.loads(HEADER))


SCHEMA_CANNOT_SAY = ("'A' has", "the VMs are", "a page has", "under way", "9", "has 3 words", "no Page",
                     "did you mean NO_FREE",
                     "list of a VM", "lacks its", "there twice", "in a frame and")  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_what_is_wrong_in_itself_is_wrong_by_the_schema(line: bytes) -> None:
    if any(told in LINES[line] for told in SCHEMA_CANNOT_SAY):
        return  # it is wrong of this machine only, or beyond a schema
    try:
        made = json.loads(line)
    except (ValueError, RecursionError):
        return
    assert not VALIDATORS["event.schema.json"].is_valid(made)


def test_the_page_names_every_operation_and_observation() -> None:
    page = format_text()
    assert all(f"  {name}(" in page for name in OPERATIONS)
    assert all(
        f"  {field}: " in page for field in ("frame", "slot", "is", "words", "users", "saved", "took")
    )


class TestFiles:
    """Traces in files."""

    def test_gzip_standard_input_and_several_at_once(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
        plain.write_bytes(b"\n".join((HEADER, *EVENTS)) + b"\n")
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        assert main(["judge", str(plain), str(packed)]) == 0
        alone = capsys.readouterr().out
        assert main(["judge", "--jobs", "2", str(plain), str(packed)]) == 0
        assert capsys.readouterr().out == alone
        assert alone.count("allowed: 8 events") == 2

    def test_the_exit_code_is_that_of_the_worst(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def trace(name: str, *lines: bytes) -> str:
            (tmp_path / name).write_bytes(b"\n".join((HEADER, *lines)))
            return str(tmp_path / name)

        allowed, forbidden = trace("a", *EVENTS), trace("f", EVENTS[0], b'{"saw":[{"free_frames":9}]}')
        undetermined = trace("u", *EVENTS[:2], b'{"settle":true}', b'{"saw":[{"vm":"A","page":3,"frame":"f2"}]}')
        malformed = trace("m", b"{")
        assert main(["judge", allowed]) == 0
        assert main(["judge", allowed, undetermined]) == 3
        assert main(["judge", allowed, undetermined, forbidden]) == 1
        assert main(["judge", allowed, undetermined, forbidden, malformed]) == 2
        assert main(["judge", str(tmp_path / "nothing")]) == 2
        assert main(["judge", str(tmp_path)]) == 2
        assert main(["judge"]) == 2
        capsys.readouterr()

    def test_what_is_found_as_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        trace, to = tmp_path / "t", tmp_path / "j"
        trace.write_bytes(b"\n".join((HEADER, EVENTS[0], b'{"saw":[{"free_frames":9}]}')))
        assert main(["judge", str(trace), "--json", str(to)]) == 1
        (found,) = json.loads(to.read_text())
        assert (found["verdict"], found["violations"][0]["line"]) == ("forbidden", 3)
        assert found["violations"][0]["reasons"][0]["allowed"] == ["6"]
        capsys.readouterr()

    def test_a_line_that_is_too_long_is_not_read(self, tmp_path: Path) -> None:
        trace = tmp_path / "t"
        with trace.open("wb") as file:
            file.write(HEADER + b"\n")
            for _ in range(100):
                file.write(b" " * 2**20)
        problem = judge_file(str(trace)).problem
        assert problem == (2, LONGEST_LINE + 1, f"the line is longer than {LONGEST_LINE:,} bytes")

    def test_a_broken_gzip_file_cannot_be_read(self, tmp_path: Path) -> None:
        trace = tmp_path / "t.gz"
        whole = gzip.compress(b"\n".join((HEADER, *EVENTS)))
        for cut in (*range(2, len(whole), 7), len(whole) - 1):
            trace.write_bytes(whole[:cut])
            assert judge_file(str(trace)).verdict == "unreadable"


def mutated(random: Random, whole: bytes) -> bytes:
    """A trace with something wrong in it, most likely."""
    made = bytearray(whole)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(made))
        match random.randrange(10):
            case 5 | 6 | 7 | 8 | 9:  # another digit
                at = random.choice([at for at, byte in enumerate(made) if byte in b"0123456789"] or [0])
                made[at] = random.choice(b"0123456789")
            case 0:
                del made[at:]
            case 1:
                made[at] = random.randrange(256)
            case 2:
                del made[at : at + random.randrange(1, 20)]
            case 3:
                start = random.randrange(len(made))
                made[at:at] = made[start : start + random.randrange(1, 40)]
            case _:
                made[at:at] = random.choice(
                    (b'"', b"{", b"}", b"[", b"]", b",", b"9" * 30, b"-1", b"true", b"null", b'"A"', b"\n")
                )
        if not made:
            return b""
    return bytes(made)


def fuzz(seed: int, count: int) -> dict[str, int]:
    """The verdicts of so many mutated traces. Whatever is in them, there is one."""
    random, whole = Random(seed), b"\n".join((HEADER, *EVENTS))
    verdicts: dict[str, int] = {}
    for _ in range(count):
        made: Any = judged(*mutated(random, whole).split(b"\n"))
        verdicts[made.verdict] = verdicts.get(made.verdict, 0) + 1
    return verdicts


def test_mutated_traces_always_get_a_verdict() -> None:
    verdicts = fuzz(1, 3000)
    assert verdicts.keys() >= {"allowed", "forbidden", "malformed"}, verdicts


@pytest.mark.deep
def test_a_million_mutated_traces_get_a_verdict() -> None:
    verdicts = fuzz(2, 1_000_000)
    assert sum(verdicts.values()) == 1_000_000
    print(verdicts)


@pytest.mark.parametrize("odd", ["a\x1b[31m", "a\nb", "\x00", "a\u202eb", "\x9b1m"])
def test_what_a_terminal_would_not_show_as_it_is_is_refused(odd: str) -> None:
    """Neither the system's name, nor a VM's, nor a frame's."""
    vms = [{"name": "A", "pages": 1}]
    machine = {"vms": vms, "frames": 1, "slots": 1}
    for header in ({"pagelaw": 1, "system": odd, "machine": machine},
                   {"pagelaw": 1, "machine": machine | {"vms": [{"name": odd, "pages": 1}]}},
                   {"pagelaw": 1, "machine": machine | {"frame_names": [odd]}}):  # fmt: skip
        judge = Judge()
        judge.line(json.dumps(header).encode())
        assert judge.malformed is not None
        assert "printable characters" in judge.malformed[2]
        assert odd not in judge.malformed[2]
