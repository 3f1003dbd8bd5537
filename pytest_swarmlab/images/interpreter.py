"""Lets a program bring the C library that it was built for, whatever the host has.

A kernel from a new Debian needs a newer glibc than an older host offers. The
program's dynamic loader is named in its header by an absolute path, which is
replaced here; that loader finds the library through ``LD_LIBRARY_PATH``, which a
small script sets. Starting the loader with the program as its argument instead
won't do: User-mode Linux takes the end of its own data for the start of its
machine's memory, and then that is the loader's.
"""

from __future__ import annotations

import os
import shlex
import struct
from pathlib import Path

from pytest_swarmlab.errors import BuildError

# The ELF specification, 64 bits, little-endian: where the file header tells of the program
# headers, and what stands in one of those.
_IDENT = b"\x7fELF\x02\x01"
_TABLE_AT, _ENTRY_SIZES_AT = 0x20, 0x36
_ENTRY = struct.Struct("<IIQQQQQQ")
_INTERPRETER = 3

PRELOAD_VARIABLE = "SWARMLAB_PRELOAD"
"""Environment variable of a starter: libraries to load first, with spaces between."""


def set_interpreter(program: Path, interpreter: Path) -> None:
    """Make `program` start through `interpreter`, an absolute path.

    The path is appended to the file, and the header made to point at it: only the host's
    kernel reads it, from the file. Raises BuildError when it isn't a dynamic 64-bit program.
    """
    content = bytearray(program.read_bytes())
    if not content.startswith(_IDENT):
        raise BuildError(f"{program.name} is no 64-bit ELF program")
    (table,) = struct.unpack_from("<Q", content, _TABLE_AT)
    size, count = struct.unpack_from("<HH", content, _ENTRY_SIZES_AT)
    for at in range(table, table + size * count, size):
        kind, flags, _, virtual, physical, _, _, align = _ENTRY.unpack_from(content, at)
        if kind == _INTERPRETER:
            name = os.fsencode(interpreter) + b"\0"
            where = len(content)
            entry = (kind, flags, where, virtual, physical, len(name), len(name), align)
            _ENTRY.pack_into(content, at, *entry)
            program.write_bytes(content + name)
            return
    raise BuildError(f"{program.name} names no dynamic loader")


def write_starter(starter: Path, program: Path, libraries: Path) -> None:
    """Write a script that becomes `program` with its own libraries; both are absolute paths.

    What `PRELOAD_VARIABLE` names is loaded into the program, and not into the script's shell,
    which has the host's libraries.
    """
    starter.write_text(
        "#!/bin/sh\n"
        f"LD_LIBRARY_PATH={shlex.quote(str(libraries))} LD_PRELOAD=${PRELOAD_VARIABLE} \\\n"
        f'    exec {shlex.quote(str(program))} "$@"\n',
        encoding="utf-8",
    )
    starter.chmod(0o755)
