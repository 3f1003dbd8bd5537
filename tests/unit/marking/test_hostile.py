"""Submissions that would harm whoever reads them: each is told in a sentence, and costs little."""

from __future__ import annotations

import os
import resource
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.marking import completeness, saved
from pytest_swarmlab.marking.asked import deliverables
from pytest_swarmlab.marking.submission import MOST_ENTRIES, Submission
from pytest_swarmlab.model import Verdict
from tests.unit.marking.submissions import complete

DOCUMENT = "documents/2.1-quorum-raft.md"
STACK = "stacks/wordpress-stack.yml"
CHECKS = {DOCUMENT: "document.2.1.raft-quorum", STACK: "document.2.5.stack"}

MIB = 2**20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return complete(tmp_path / "submission")


def instead(place: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def harm(root: Path) -> None:
        (root / place).unlink()
        make(root / place)

    return harm


def text(place: str, content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return instead(place, lambda path: path.write_bytes(data))


def sparse(path: Path, size: int = 2 * 2**30) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def bind(path: Path) -> None:
    # The path of a socket has 107 characters at most.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def million(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("services:\n")
        file.writelines(f"  s{n}: {{image: x}}\n" for n in range(10**6))


def archive(path: Path) -> None:
    """An office document of some KiB in which one file unpacks to 1 GiB."""
    with zipfile.ZipFile(path.with_suffix(".docx"), "w", zipfile.ZIP_DEFLATED) as made:
        with made.open("word/document.xml", "w", force_zip64=True) as inside:
            for _ in range(16):
                inside.write(bytes(MIB))
        # Its own directory claims the rest.
        made.infolist()[0].file_size = 2**40


MERGED = "a0: &a0 {x0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], x{n}: 1}}\n" for n in range(1, 12)
)

ONE = [
    ("a link to a file outside", DOCUMENT, instead(DOCUMENT, lambda p: p.symlink_to("/etc/passwd")),
     Verdict.FAIL, "is a symbolic link, not a file"),
    ("a link to itself", DOCUMENT, instead(DOCUMENT, lambda p: p.symlink_to(p.name)),
     Verdict.FAIL, "is a symbolic link, not a file"),
    ("a link to an endless device", DOCUMENT,
     instead(DOCUMENT, lambda p: p.symlink_to("/dev/zero")),
     Verdict.FAIL, "is a symbolic link, not a file"),
    ("a FIFO that nobody writes to", DOCUMENT, instead(DOCUMENT, os.mkfifo),
     Verdict.FAIL, "is a FIFO, not a file"),
    ("a socket", DOCUMENT, instead(DOCUMENT, bind), Verdict.FAIL, "is a socket, not a file"),
    ("a directory in a document's place", DOCUMENT, instead(DOCUMENT, Path.mkdir),
     Verdict.FAIL, "documents/2.1-quorum-raft.* does not exist"),
    ("a document of 2 GiB", DOCUMENT, instead(DOCUMENT, sparse),
     Verdict.UNKNOWN, "has 2048 MiB, more than 20 MiB"),
    ("a stack file of 2 GiB", STACK, instead(STACK, sparse),
     Verdict.UNKNOWN, "has 2048 MiB, more than 20 MiB"),
    ("a document that is not UTF-8", DOCUMENT, text(DOCUMENT, "équilibré ".encode("cp1252") * 100),
     Verdict.UNKNOWN, "is not UTF-8 (byte 0 is 0xe9): save it as UTF-8"),
    ("an archive that unpacks to a terabyte", DOCUMENT, instead(DOCUMENT, archive),
     Verdict.UNKNOWN, "only the teacher can read it"),
    ("a million services", STACK, instead(STACK, million),
     Verdict.UNKNOWN, "more than 20 MiB"),
    ("a thousand services in a line", STACK,
     text(STACK, f"services: {{{', '.join(f's{n}: {{}}' for n in range(6000))}}}"),
     Verdict.UNKNOWN, "more than 10000 values"),
    ("a NUL in a stack file", STACK, text(STACK, b"services: {a\0: {image: x}}"),
     Verdict.UNKNOWN, "is not valid YAML"),
    ("a picture's name in two ways of writing", DOCUMENT,
     instead(DOCUMENT, lambda p: p.with_suffix(".MD").symlink_to("/proc/self/environ")),
     Verdict.FAIL, "is a symbolic link, not a file"),
    ("a document of zeros", DOCUMENT, text(DOCUMENT, b"\0" * MIB), Verdict.FAIL, "has 0 words"),
    ("a document of one line without end", DOCUMENT, text(DOCUMENT, b"a" * (19 * MIB)),
     Verdict.FAIL, "has 1 words"),
    ("aliases of aliases", STACK, text(STACK, BOMB),
     Verdict.UNKNOWN, "more than 10000 values, including those that aliases repeat"),
    ("merges of merges", STACK, text(STACK, MERGED),
     Verdict.UNKNOWN, "more than 10000 values, including those that aliases repeat"),
    ("a list that holds itself", STACK, text(STACK, "services: &a [*a]"),
     Verdict.UNKNOWN, "the alias *a has no complete anchor"),
    ("a nesting without end", STACK, text(STACK, "[" * 100_000),
     Verdict.UNKNOWN, "more than 40 levels deep"),
    ("a nesting of blocks", STACK, text(STACK, "- " * 60_000),
     Verdict.UNKNOWN, "more than 40 levels deep"),
    ("a hundred thousand values", STACK, text(STACK, "- a\n" * 30_000),
     Verdict.UNKNOWN, "more than 10000 values"),
    ("a stack file of ten megabytes", STACK, text(STACK, "a: b\n" * (2 * MIB)),
     Verdict.UNKNOWN, "more than 128 KiB"),
    ("a stack file that is not UTF-8", STACK, text(STACK, b"services: {a: \xff}"),
     Verdict.UNKNOWN, "is not UTF-8 (byte 14 is 0xff)"),
    ("a command in YAML", STACK,
     text(STACK, "services: !!python/object/apply:os.system ['touch /tmp/owned']"),
     Verdict.FAIL, "has no services"),
    ("a number of a hundred thousand digits", STACK, text(STACK, "services: " + "9" * 100_000),
     Verdict.FAIL, "has no services"),
    ("a key that is a list", STACK, text(STACK, "? [a, b]\n: c"),
     Verdict.UNKNOWN, "is not valid YAML: line 1: found unhashable key"),
    ("control characters", STACK, text(STACK, "services: \x1b[2J\x07"),
     Verdict.UNKNOWN, "is not valid YAML"),
    ("a service whose name is a screen's command", STACK,
     text(STACK, 'services: {"\\x1b[2J\\x1b]0;x\\x07name": {}}'), Verdict.FAIL, "has no image"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "place", "harm", "verdict", "said"), ONE, ids=[row[0] for row in ONE]
)
def test_one_bad_file_costs_itself_alone(
    root: Path, name: str, place: str, harm: Callable[[Path], None], verdict: Verdict, said: str
) -> None:
    harm(root)
    results = dict(saved.of_submission(root, None, None).results)
    bad = results.pop(CHECKS[place])
    assert bad.verdict is verdict
    assert said in bad.observed
    assert "\n" not in bad.observed
    assert "\x1b" not in bad.observed
    assert {r.verdict for r in results.values()} == {Verdict.PASS}
    lacks = completeness.look(root).lacks
    assert any(said in lack.why or said in f"{lack.where}: {lack.why}" for lack in lacks), lacks
    assert not Path("/tmp/owned").exists(), name


def many(count: int) -> Callable[[Path], None]:
    def harm(root: Path) -> None:
        (root / "many").mkdir()
        for n in range(count):
            (root / "many" / str(n)).touch()

    return harm


def deep(root: Path) -> None:
    for _ in range(40):
        root = root / "d"
        root.mkdir()


WHOLE = [
    ("more files than anybody reads", many(MOST_ENTRIES + 1), "has more than 2000 files"),
    ("directories within directories", deep, "is more than 10 directories deep"),
    ("another lab's", text("swarmlab.yml", "lab: lab-07\n"),
     "swarmlab.yml: lab is 'lab-07', not the lab of this rubric: use lab-02"),
    ("no description", lambda root: (root / "swarmlab.yml").unlink(), "swarmlab.yml does not"),
    ("a description that is a link",
     instead("swarmlab.yml", lambda p: p.symlink_to("/etc/hostname")),
     "swarmlab.yml is a symbolic link: hand in the file itself"),
    ("a description that is a bomb", text("swarmlab.yml", BOMB), "more than 10000 values"),
    ("roles that are no texts", text("swarmlab.yml", "lab: lab-02\nroles: {db: [1]}\n"),
     "swarmlab.yml: roles.db must be a string"),
    ("keys of its own", text("swarmlab.yml", "lab: lab-02\nmark: 100\n"),
     "swarmlab.yml: unknown key 'mark'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "harm", "said"), WHOLE, ids=[row[0] for row in WHOLE])
def test_where_nothing_was_learned_everything_is_ungraded(
    root: Path, name: str, harm: Callable[[Path], None], said: str
) -> None:
    harm(root)
    handed = saved.of_submission(root, None, None)
    results, answers = handed.results, handed.for_the_teacher
    assert {r.verdict for r in results.values()} == {Verdict.UNKNOWN}, name
    assert all(said in r.observed for r in results.values())
    assert list(answers) == []


ANSWERS = [
    ("aliases of aliases", text("answers.yml", BOMB), "more than 10000 values"),
    ("a nesting without end", text("answers.yml", "{" * 50_000), "more than 40 levels deep"),
    ("a link", instead("answers.yml", lambda p: p.symlink_to("/etc/passwd")), "is a symbolic link"),
    ("a FIFO", instead("answers.yml", os.mkfifo), "is a FIFO"),
    ("2 GiB", instead("answers.yml", sparse), "has 2048 MiB"),
    ("not UTF-8", text("answers.yml", b"\xe9: 1"), "is not UTF-8"),
    ("a list", text("answers.yml", "- 1\n- 2"), "must be a table"),
    ("a key twice", text("answers.yml", '"2.1": {a: 1}\n"2.1": {a: 2}'), "stands there twice"),
]


@pytest.mark.parametrize(("name", "harm", "said"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers_that_can_not_be_read_are_ungraded(
    root: Path, name: str, harm: Callable[[Path], None], said: str
) -> None:
    harm(root)
    results = dict(saved.of_submission(root, None, None).results)
    answers = {check: r for check, r in results.items() if check.startswith("answer.")}
    assert {r.verdict for r in answers.values()} == {Verdict.UNKNOWN}, name
    assert all(said in r.observed for r in answers.values())
    others = {r.verdict for check, r in results.items() if check not in answers}
    assert others == {Verdict.PASS}


def test_a_linked_directory_leads_nowhere(root: Path, tmp_path: Path) -> None:
    (root / "documents").rename(tmp_path / "elsewhere")
    (root / "documents").symlink_to(tmp_path / "elsewhere")
    results = dict(saved.of_submission(root, None, None).results)
    failed = {check for check, r in results.items() if r.verdict is Verdict.FAIL}
    assert failed == {d.check for d in deliverables() if d.place.startswith("documents/")}


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "documents/../../outside", ""])
def test_no_place_leads_out_of_it(root: Path, place: str) -> None:
    (root.parent / "outside").write_text("secret")
    with pytest.raises(Unusable, match="leads out of the submission"):
        Submission.read(root).content(place)


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(root: Path) -> None:
    listed = Submission.read(root)
    (root / DOCUMENT).unlink()
    (root / DOCUMENT).symlink_to("/etc/passwd")
    with pytest.raises(Unusable, match="can't be read: Too many levels of symbolic links"):
        listed.content(DOCUMENT)


def test_a_directory_that_becomes_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    listed = Submission.read(root)
    (root / "documents").rename(tmp_path / "elsewhere")
    (root / "documents").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unusable, match="can't be read"):
        listed.content(DOCUMENT)


def test_a_file_that_becomes_a_fifo_does_not_hold_the_reader(root: Path) -> None:
    listed = Submission.read(root)
    (root / DOCUMENT).unlink()
    os.mkfifo(root / DOCUMENT)
    with pytest.raises(Unusable, match="it is no file any more"):
        listed.content(DOCUMENT)


def test_names_that_are_not_utf8_can_be_said(root: Path) -> None:
    os.mkfifo(os.fsencode(root) + b"/\xff\x1b[2J")
    Path(os.fsdecode(os.fsencode(root) + b"/\xfe")).mkdir()
    os.mkfifo(os.fsencode(root) + b"/\xfe/pipe")
    told = [f"{lack.where} {lack.why}" for lack in completeness.look(root).lacks]
    assert told
    assert not any("\x1b" in each for each in told)
    "".join(told).encode("utf-8")


def test_a_million_names_are_not_all_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    real = os.scandir

    class Endless:
        def __init__(self, place: int) -> None:
            self._real = real(place)

        def __enter__(self) -> Endless:
            return self

        def __exit__(self, *_: object) -> None:
            self._real.close()

        def __iter__(self) -> Endless:
            self._kept = next(e for e in self._real if e.name == "answers.yml")
            return self

        def __next__(self) -> os.DirEntry[str]:
            nonlocal seen
            seen += 1
            return self._kept

    monkeypatch.setattr(os, "scandir", Endless)
    with pytest.raises(Unusable, match="has more than 2000 files and directories"):
        Submission.read(root)
    assert seen == MOST_ENTRIES + 1


def test_what_belongs_to_git_is_not_counted(root: Path) -> None:
    objects = root / ".git" / "objects"
    objects.mkdir(parents=True)
    for n in range(MOST_ENTRIES + 1):
        (objects / str(n)).touch()
    Submission.read(root)


def test_no_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read \(No such file or directory\)"):
        Submission.read(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"can't be read \(Not a directory\)"):
        Submission.read(tmp_path / "file")


def test_the_worst_of_them_fit_into_little_memory(root: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text(STACK, BOMB)(root)
    instead(DOCUMENT, sparse)(root)
    instead("answers.yml", sparse)(root)
    saved.of_submission(root, None, None)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024 or sys.platform != "linux"  # KiB
