"""A program is made to start through a loader of its own."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.interpreter import set_interpreter, write_starter

HEADER = 0x40
ENTRY = "<IIQQQQQQ"


def program(path: Path, kind: int) -> Path:
    """A file with one program header of a kind, and a loader's name behind it."""
    head = bytearray(HEADER)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", head, 0x20, HEADER)
    struct.pack_into("<HH", head, 0x36, struct.calcsize(ENTRY), 1)
    where = HEADER + struct.calcsize(ENTRY)
    path.write_bytes(bytes(head) + struct.pack(ENTRY, kind, 4, where, 7, 7, 4, 4, 1) + b"/ld\0")
    return path


def test_the_header_points_at_the_new_loader(tmp_path: Path) -> None:
    path = program(tmp_path / "kernel", kind=3)
    set_interpreter(path, Path("/cache/a longer path/ld.so"))
    content = path.read_bytes()
    _, _, offset, virtual, _, size, _, _ = struct.unpack_from(ENTRY, content, HEADER)
    assert content[offset : offset + size] == b"/cache/a longer path/ld.so\0"
    assert virtual == 7


def test_a_program_without_loader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="names no dynamic loader"):
        set_interpreter(program(tmp_path / "kernel", kind=1), Path("/ld.so"))


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.raises(BuildError, match="no 64-bit ELF program"):
        set_interpreter(path, Path("/ld.so"))


def test_the_starter_becomes_the_program_with_its_libraries(tmp_path: Path) -> None:
    inner = tmp_path / "it's here"
    inner.write_text('#!/bin/sh\nprintf "%s|" "$LD_LIBRARY_PATH" "$@"\n', encoding="utf-8")
    inner.chmod(0o755)
    starter = tmp_path / "starter"
    write_starter(starter, inner, tmp_path / "no libraries")
    done = subprocess.run([starter, "a b", "c"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/no libraries|a b|c|"
