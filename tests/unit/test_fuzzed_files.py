"""What people write in files, and what programs say, is used or refused in one sentence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.providers import console
from pytest_swarmlab.providers.inventory.file import Host, load, ssh_config
from pytest_swarmlab.providers.inventory.provider import _meaning
from pytest_swarmlab.providers.ssh import TROUBLES, trouble
from pytest_swarmlab.swarm import stack_files
from pytest_swarmlab.text import clean, line
from tests.unit.records.hostile import JSON, SAID, WORDS, refusal


@given(st.binary(max_size=300))
def test_any_bytes_are_an_inventory_or_are_refused_in_one_sentence(
    tmp_path: Path, raw: bytes
) -> None:
    path = tmp_path / "cluster.yml"
    path.write_bytes(raw)
    said = refusal(lambda: load(path))
    assert "cluster.yml" in said
    assert "\n" not in said
    assert said.isprintable()


KEYS = st.sampled_from(
    ("name", "role", "address", "port", "user", "key", "sudo", "jump", "more", "")
)
VALUES = JSON | st.sampled_from(
    ("manager", "worker", "m1", "192.0.2.1", "[::1]", "2001:db8::1", "me@host", 22, 0, -1, True,
     "-oProxyCommand=id", "a\nProxyCommand id", "%h", "a b", "m1 *", "10.0.0.1\u2028")
)  # fmt: skip


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=8), max_size=4))
def test_an_inventory_of_any_values_is_read_or_refused_in_one_sentence(
    tmp_path: Path, nodes: list[dict[str, Any]]
) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(json.dumps({"nodes": nodes}), encoding="utf-8", errors="surrogatepass")
    said = refusal(lambda: load(path))
    assert "\n" not in said
    assert said.isprintable()


WORD = st.text("ab.-_:@[]%019* \n\"'#", min_size=1, max_size=8) | WORDS
ADDRESSES = WORD | st.sampled_from(("192.0.2.1", "[::1]", "node.example.org"))


@given(st.text("ab1.-_", min_size=1, max_size=6), ADDRESSES, WORD, WORD)
def test_no_word_of_an_inventory_becomes_a_line_of_its_own(
    tmp_path: Path, name: str, address: str, user: str, jump: str
) -> None:
    node = {"name": name, "role": "manager", "address": address, "user": user, "jump": jump}
    path = tmp_path / "cluster.yml"
    path.write_text(json.dumps({"nodes": [node]}), encoding="utf-8", errors="surrogatepass")
    if refusal(lambda: load(path)):
        return
    lines = ssh_config(load(path), tmp_path).splitlines()
    given = [word for word, value in (("HostName", address), ("User", user), ("ProxyJump", jump))
             if value]  # fmt: skip
    keys = [line.split()[0] for line in lines]
    assert keys[: len(given) + 3] == ["Host", *given, "Host", "BatchMode"]
    assert all(len(line.split()) == 2 for line in lines if "SetEnv" not in line)


def test_what_an_inventory_permits_ssh_can_read(tmp_path: Path) -> None:
    for address in ("192.0.2.1", "[::1]", "2001:db8::1", "fe80::1%eth0", "a-b.example.org"):
        path = tmp_path / "cluster.yml"
        node = {"name": "m1", "role": "manager", "address": address, "jump": "me@[::1]:22"}
        path.write_text(json.dumps({"nodes": [node]}), encoding="utf-8")
        config = tmp_path / "ssh_config"
        config.write_text(ssh_config(load(path), tmp_path), encoding="utf-8")
        argv = ["ssh", "-G", "-F", str(config), "m1"]
        shown = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, (address, shown.stderr)
        assert f"hostname {address.strip('[]')}" in shown.stdout


KNOWN = st.sampled_from([text for text, _ in TROUBLES])
COMPLAINTS = st.lists(SAID | KNOWN | st.tuples(SAID, KNOWN, SAID).map("".join)).map("\n".join)


@given(COMPLAINTS, st.sampled_from((0, 1, 126, 127, 255)))
def test_whatever_ssh_says_is_told_in_one_printable_sentence(said: str, code: int) -> None:
    for told in (trouble(said), _meaning(Host("m1", role="manager"), code, said)):  # type: ignore[arg-type]
        assert told.isprintable()
        assert 0 < len(told) < 600


@given(st.binary(max_size=300))
def test_whatever_a_console_prints_has_a_cause_that_may_be_shown(raw: bytes) -> None:
    cause = console.cause(console.lines(raw))
    assert cause.isprintable()
    assert cause


@given(SAID, st.integers(1, 500))
def test_a_text_that_is_shown_is_inert_and_as_short_as_it_is_to_be(said: str, limit: int) -> None:
    for shown in (clean(said, limit), line(said, limit)):
        shown.encode()
        assert len(shown) <= limit + 60
        assert not {"\x1b", "\x00", "\u202e", "\x9b", "\r"} & set(shown)
    assert "\n" not in line(said, limit)


STACK = st.fixed_dictionaries(
    {},
    optional={
        "version": JSON | st.sampled_from(("3.8", "3.1", 3.9, "1")),
        "services": st.dictionaries(
            WORDS, JSON | st.fixed_dictionaries({"env_file": JSON, "volumes": JSON}), max_size=2
        ),
        "secrets": st.dictionaries(
            WORDS,
            JSON
            | st.fixed_dictionaries(
                {"file": WORDS | st.sampled_from(("${A}", "$$", "${A:-b}", "${A?no}", "~/x", "."))},
                optional={"name": JSON, "external": JSON, "labels": JSON, "driver": JSON},
            ),
            max_size=2,
        ),
        "configs": st.dictionaries(
            WORDS, JSON | st.fixed_dictionaries({"file": WORDS | st.just("one")}), max_size=2
        ),
    },
)


@given(STACK, st.dictionaries(st.sampled_from("AB"), WORDS))
def test_a_stack_file_of_any_values_is_carried_or_refused(
    tmp_path: Path, content: dict[str, Any], env: dict[str, str]
) -> None:
    (tmp_path / "one").write_bytes(b"content")
    path = tmp_path / "stack.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    bundle: list[stack_files.Bundle] = []
    said = refusal(lambda: bundle.append(stack_files.load([path], stack="web", env=env)))
    assert not said or str(path) in said
    for carried in bundle:
        assert set(carried.stack_files) <= set(carried.files)
        assert all("/" not in name and name.isascii() for name in carried.files)


@given(st.text("ab:{}[],&*!|>-?#'\"$ \n\t~%@`", max_size=80))
def test_any_yaml_is_carried_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(f"secrets:\n  s:\n    file: {text}\n", encoding="utf-8")
    said = refusal(lambda: stack_files.load([path], stack="web", env={}))
    assert not said or str(path) in said


@pytest.mark.parametrize("name", ["\x1b[2J", "\u202e", "x" * 5000, "a\nb"])
def test_a_refusal_of_a_stack_file_is_one_short_printable_sentence(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(json.dumps({"secrets": {"s": {"file": name}}}), encoding="utf-8")
    said = refusal(lambda: stack_files.load([path], stack="web", env={}))
    assert not {"\x1b", "\x00", "\u202e", "\n"} & set(said)
    assert len(said) < 1000
