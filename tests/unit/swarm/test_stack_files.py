"""What a stack file names goes along, by the rules of the client that will read it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.swarm.stack_files import OVERRIDE, Bundle, load, substituted

SERVICE = "services: {web: {image: nginx}}\n"


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A directory with a stack's files; what is outside it is not the stack's."""
    directory = tmp_path / "project"
    (directory / "conf").mkdir(parents=True)
    for name, content in (
        ("site.conf", b"listen 80"),
        ("conf/x.conf", b"x"),
        ("web.env", b"A=1\n"),
        ("site.key", b"open sesame"),
        ("../outside", b"from above"),
    ):
        (directory / name).write_bytes(content)
    return directory


def packed(directory: Path, *texts: str | bytes, env: dict[str, str] | None = None) -> Bundle:
    paths = []
    for number, text in enumerate(texts):
        paths.append(directory / f"stack{number}.yml")
        paths[-1].write_bytes(text.encode() if isinstance(text, str) else text)
    return load(paths, stack="web", env=env or {})


def parsed(bundle: Bundle, number: int = 0) -> Any:
    return yaml.safe_load(bundle.files[bundle.stack_files[number]])


CARRIED = {
    "plain": "configs: {c: {file: «./site.conf»}}\n",
    "quoted": "configs:\n  c:\n    'file': «\"./site.conf\"» # it\n    name: c1\n",
    "block scalar": "configs:\n  c:\n    file: «>-\n      ./site.conf»\n\n    name: c1\n",
    "variable": "configs: {c: {file: «'${CONF_DIR}/site.conf'»}}\n",
    "default": "configs: {c: {file: «'${X:-./site.conf}'»}}\n",
    "anchor and alias": "x-c: &c {file: «site.conf»}\nconfigs: {c: *c, d: *c}\n",
    "scalar alias": "x-f: &f ./site.conf\nconfigs: {c: {file: «*f»}}\n",
    "scalar anchor": "configs: {c: {file: &f «./site.conf»}}\nx-f: *f\n",
    "merge": "x-c: &c {file: «site.conf»}\nconfigs: {c: {<<: *c, name: c1}}\n",
    "merge of two": "x-l: [&c {file: «site.conf»}, &d {file: d}]\nconfigs: {c: {<<: [*c, *d]}}\n",
    "the same anchor twice": "x-c: &c 1\nconfigs: {c: &c {file: «site.conf»}}\n",
    "tags": "configs: !override\n  c: {file: !reset «./site.conf»}\n",
    "several documents": "configs: {c: {file: «site.conf»}}\n---\n- 1\n",
    "bare =": "x-y: =\nconfigs: {c: {file: «site.conf»}}\n",
    "no such date": "x-y: 2026-02-30\nconfigs: {c: {file: «site.conf»}}\n",
    "no such number": "x-y: 0x\nconfigs: {c: {file: «site.conf»}}\n",
    "CRLF": "configs:\r\n  c:\r\n    file: «./site.conf»\r\n",
    "the last of two keys": "configs: {c: {file: no, file: «site.conf»}}\n",
    "JSON": '{"configs": {"c": {"file": «"site.conf"»}}}',
    "not external": "configs: {c: {file: «site.conf», external: false}}\n",
}
"""Stack files; what stands between « and » is replaced, and nothing else."""


@pytest.mark.parametrize("marked", CARRIED.values(), ids=CARRIED)
def test_a_config_s_file_is_carried_under_a_name_of_our_own(beside: Path, marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    bundle = packed(beside, text, env={"CONF_DIR": "."})
    (name,) = bundle.stack_files
    assert set(bundle.files) == {"1-site.conf", name}
    assert bundle.files["1-site.conf"] == b"listen 80"
    before, _, rest = marked.partition("«")
    assert bundle.files[name].decode() == f'{before}"1-site.conf"{rest.partition("»")[2]}'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_file_may_begin_with_a_byte_order_mark(beside: Path, encoding: str) -> None:
    raw = "configs: {c: {file: site.conf}}\nsecrets: {s: {file: site.key}}\n".encode(encoding)
    raw = codecs.BOM_UTF16_BE + raw if encoding == "utf-16-be" else raw
    bundle = packed(beside, raw)
    assert parsed(bundle)["configs"]["c"]["file"] == "1-site.conf"
    assert [secret.content for secret in bundle.secrets] == [b"open sesame"]


@pytest.mark.parametrize("named", ["{outside}", "../outside", "/etc/hostname"])
def test_a_file_of_another_place_is_carried_and_no_path_of_the_node_is_named(
    beside: Path, named: str
) -> None:
    named = named.format(outside=beside.parent / "outside")
    if not (beside / named).is_file():
        pytest.skip(f"no {named} here")
    bundle = packed(beside, f"configs: {{c: {{file: {named}}}}}\n")
    (name,) = set(bundle.files) - set(bundle.stack_files)
    assert bundle.files[name] == (beside / named).read_bytes()
    assert parsed(bundle)["configs"]["c"]["file"] == name
    assert all("/" not in name for name in bundle.files)


def test_a_home_is_that_of_who_runs_this(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(beside / "conf"))
    assert packed(beside, "configs: {c: {file: ~/x.conf}}\n").files["1-x.conf"] == b"x"


@pytest.mark.parametrize(
    "form", ["web.env", "[web.env]", "[web.env, ./conf/x.conf]", "\n- web.env"]
)
def test_a_service_s_files_of_variables_are_carried(beside: Path, form: str) -> None:
    form = form.replace("\n", "\n      ")
    text = f"services:\n  web:\n    image: nginx\n    env_file: {form}\n    init: true\n"
    bundle = packed(beside, text)
    named = parsed(bundle)["services"]["web"]["env_file"]
    names = [named] if isinstance(named, str) else named
    assert bundle.files[names[0]] == b"A=1\n"
    assert set(names) == set(bundle.files) - set(bundle.stack_files)


def test_two_files_of_one_name_stay_two(beside: Path) -> None:
    (beside / "conf" / "site.conf").write_bytes(b"another")
    bundle = packed(beside, "configs: {c: {file: site.conf}, d: {file: conf/site.conf}}\n")
    assert [bundle.files[f"{n}-site.conf"] for n in (1, 2)] == [b"listen 80", b"another"]


def test_a_secret_is_not_carried_but_told_to_be_there_already(beside: Path) -> None:
    text = (
        'version: "3.8"\nsecrets:\n  plain: {file: site.key}\n'
        "  long: {file: site.key, name: '${N}_v1', labels: {a: 1}, template_driver: golang}\n"
        "  listed: {file: site.key, labels: [a=b=c, d]}\n"
        "  theirs: {external: true}\n  made: {driver: vault}\n"
    )
    bundle = packed(beside, text, env={"N": "key"})
    found = {secret.name: secret for secret in bundle.secrets}
    assert set(found) == {"web_plain", "key_v1", "web_listed"}
    assert {secret.content for secret in bundle.secrets} == {b"open sesame"}
    assert found["key_v1"].labels == {"a": "1"}
    assert found["key_v1"].template_driver == "golang"
    assert found["web_listed"].labels == {"a": "b=c", "d": ""}
    assert all(b"sesame" not in content for content in bundle.files.values())
    assert bundle.stack_files[-1] == OVERRIDE
    assert json.loads(bundle.files[OVERRIDE]) == {
        "version": "3.8",
        "secrets": {
            "plain": {"external": True, "name": "web_plain"},
            "long": {"external": True, "name": "key_v1"},
            "listed": {"external": True, "name": "web_listed"},
        },
    }
    assert "sesame" not in repr(bundle)


def test_an_old_format_has_the_name_of_what_is_there_in_its_old_place(beside: Path) -> None:
    bundle = packed(beside, 'version: "3.1"\nsecrets: {s: {file: site.key}}\n')
    assert json.loads(bundle.files[OVERRIDE])["secrets"] == {"s": {"external": {"name": "web_s"}}}


def test_the_last_of_several_files_wins_and_paths_are_relative_to_the_first_one_s_place(
    beside: Path,
) -> None:
    bundle = packed(
        beside,
        "configs: {c: {file: not-here}}\nservices: {web: {image: a, env_file: web.env}}\n",
        "configs: {c: {file: conf/x.conf}}\nservices: {web: {env_file: web.env}}\n",
    )
    assert len(bundle.stack_files) == 2
    assert parsed(bundle, 0)["configs"]["c"]["file"] == "not-here"  # The client won't read it.
    assert bundle.files[parsed(bundle, 1)["configs"]["c"]["file"]] == b"x"
    for number in (0, 1):
        named = parsed(bundle, number)["services"]["web"]["env_file"]
        assert bundle.files[named] == b"A=1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("configs: {c: {file: nope}}", r"config c names nope, which is no file here$"),
        ("secrets: {s: {file: conf}}", r"secret s names conf, which is a directory$"),
        ("services: {w: {env_file: a.env}}", r"env_file of service w names a\.env, which is no"),
        ("configs: {c: {file: $D/x}}", r"names \$D/x, .* \(D has no value: give it with env=\)"),
        ("services: {w: {volumes: ['./data:/data']}}", r"service w mounts \./data, beside the st"),
        ("services: {w: {volumes: [{type: bind, source: ../d, target: /d}]}}", r"mounts \.\./d"),
    ],
)
def test_what_can_not_be_carried_is_told_in_one_sentence(
    beside: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        packed(beside, text)


@pytest.mark.parametrize(
    "raw",
    [b"[", b"a: " + b"[" * 500, b"configs: {c: {file: site.conf}}\nx: \xe9", b"\x00", b"*a"],
)
def test_what_is_no_yaml_is_carried_as_it_is_and_nothing_with_it(beside: Path, raw: bytes) -> None:
    bundle = packed(beside, raw)
    assert dict(bundle.files) == {bundle.stack_files[0]: raw}
    assert bundle.secrets == ()


@pytest.mark.parametrize(
    "odd",
    ["", "- a", "configs: [a]", "configs: {a: b}", "secrets: {a: }", "configs: {a: {file: }}",
     "configs: {c: {file: '$'}}", "configs: {c: {file: '${A:?no}'}}", "? [a]\n: b",
     "services: {w: {env_file: }, v: }", "services: {w: {volumes: [a, 'b:/c', '/d:/e']}}",
     "x: &a {<<: *a}\nconfigs: {c: &c {<<: *c}}"],
)  # fmt: skip
def test_what_the_client_will_refuse_is_left_to_it(beside: Path, odd: str) -> None:
    bundle = packed(beside, odd)
    assert bundle.files == {bundle.stack_files[0]: odd.encode()}


SUBSTITUTED = [
    ("$A/${A}", "1/1"), ("$$A", "$A"), ("${NO}x", "x"), ("${NO:-d}", "d"), ("${EMPTY:-d}", "d"),
    ("${EMPTY-d}", ""), ("${NO-d}", "d"), ("${A:-d}", "1"), ("$NO-x/y", "x/y"), ("$A-x/y", "1"),
    ("${A:?no}", "1"), ("${NO:?no}", None), ("${EMPTY?no}", ""), ("${NO:?a-b}", "b"),
    ("$", None), ("$1", None), ("${A", None), ("${a b}", None), ("é$A", "é1"), ("${a_1}", ""),
]  # fmt: skip
"""A text, and what `docker stack config` makes of it; None: it refuses."""


@pytest.mark.parametrize(("text", "result"), SUBSTITUTED)
def test_variables_are_replaced_as_the_client_does_it(text: str, result: str | None) -> None:
    assert substituted(text, {"A": "1", "EMPTY": ""}) == result


def test_variables_that_nothing_gives_are_told(beside: Path) -> None:
    text = f"{SERVICE}x: [$A, '${{B}}', '${{C:-c}}', '$$D', '${{E}}']\n"
    assert packed(beside, text, env={"E": ""}).unset == ("A", "B")
