"""Runs a command on a host that forbids some system calls: they answer EPERM.

    python -m tests.hosts.forbid NUMBER[,NUMBER…] COMMAND…

A real filter of system calls, as container engines have one; it goes with the command.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence

PTRACE, SECCOMP = 101, 317
"""Numbers of the calls that User-mode Linux needs one of, x86-64."""

_SET_SECCOMP, _NO_NEW_PRIVILEGES, _FILTER = 22, 38, 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001


def forbid(numbers: Sequence[int]) -> None:
    """Have the kernel refuse these calls to this process and all that it starts."""
    steps = [(_LOAD, 0, 0, 0)]
    steps += [(_JUMP_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    code = b"".join(struct.pack("<HBBI", *step) for step in steps)
    keep = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(steps), ctypes.addressof(keep))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, program, 0, 0)):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    forbid([int(number) for number in sys.argv[1].split(",")])
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - an argument list, as given
