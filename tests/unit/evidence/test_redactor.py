"""A secret is shown by its name, in whatever form a program printed it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.evidence.redactor import LONGEST_PIECE, SHORTEST, Redactor
from pytest_swarmlab.model import Event
from pytest_swarmlab.run.hiding import hide_secrets

SECRET = 'p/a&s "s" é+word'  # noqa: S105 - nobody's


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.hide("db_password", SECRET + "\n")
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"{SECRET}\n".encode()).decode(),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET, safe=""),
        repr(SECRET)[1:-1],
        shlex.quote(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_every_form_of_a_value_is_replaced_by_its_name(redactor: Redactor, form: str) -> None:
    said = redactor.text(f"before {form} after")
    assert form.strip('"') not in said
    assert "‹secret db_password›" in said
    assert (said[:6], said[-5:]) == ("before", "after")


@pytest.mark.parametrize("user", ["", "a", "ab", "app", "root"])
@pytest.mark.parametrize("after", ["", ":", "@db:5432/x"])
def test_a_value_is_found_in_base64_whatever_stands_around_it(
    redactor: Redactor, user: str, after: str
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        said = redactor.text(encode(f"{user}{SECRET}{after}".encode()).decode())
        assert "‹secret db_password›" in said
        assert len(said.replace("‹secret db_password›", "")) <= 8 + len(user + after) * 4 // 3


def test_what_is_too_short_to_be_hidden_is_told() -> None:
    redactor = Redactor()
    assert not redactor.hide("pin", "12345")
    assert not redactor.hide("pin", b" 12345\n")
    assert redactor.hide("pin", "123456")
    assert redactor.hide("nothing", b"")
    assert redactor.hide("key", bytes(range(128, 140)))


def test_each_line_of_a_key_is_hidden() -> None:
    redactor = Redactor()
    redactor.hide("key", "-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEH\n")
    assert redactor.text("MIGHAgEAMBMGByqGSM49") == "‹secret key›"


def test_what_stands_around_every_key_is_nobody_s_secret() -> None:
    redactor = Redactor()
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"
    redactor.hide("site.key", key)
    assert redactor.text(key) == "‹secret site.key›\n"
    other = key.replace("MIIEvQIBADANBg", "MIIEowIBAAKCAQ")
    assert redactor.text(other) == other


def test_binary_values_are_hidden_as_what_is_printed_of_them() -> None:
    redactor = Redactor()
    redactor.hide("blob", b"\xff\xfe\x00\x01binary")
    assert "secret blob" in redactor.text(base64.b64encode(b"\xff\xfe\x00\x01binary").decode())


def test_a_secret_within_another_does_not_show_the_rest_of_it() -> None:
    redactor = Redactor()
    redactor.hide("short", "password")
    redactor.hide("long", "password-and-more")
    assert redactor.text("password-and-more") == "‹secret long›"


def test_what_is_too_short_to_be_told_from_a_word_is_left() -> None:
    redactor = Redactor()
    redactor.hide("byte", "x" * (SHORTEST - 1))
    assert redactor.text("xxxxx") == "xxxxx"


def test_data_are_cleaned_to_the_bottom_and_keys_are_kept(redactor: Redactor) -> None:
    redactor.hide("other", "seconds")
    data = {"seconds": 1.5, "argv": ["a", {"b": (SECRET, None, True)}], "error": ValueError(SECRET)}
    assert redactor.data(data) == {
        "seconds": 1.5,
        "argv": ["a", {"b": ["‹secret db_password›", None, True]}],
        "error": "‹secret db_password›",
    }


def test_a_file_is_rewritten_only_if_it_must_be(redactor: Redactor, tmp_path: Path) -> None:
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    clean.write_bytes(b"\xff nothing\r\n")
    dirty.write_bytes(b"\xff " + SECRET.encode() + b"\r\n")
    before = clean.stat().st_mtime_ns
    redactor.file(clean)
    redactor.file(dirty)
    assert clean.stat().st_mtime_ns == before
    assert dirty.read_bytes() == b"\xff \xe2\x80\xb9secret db_password\xe2\x80\xba\r\n"


def test_a_recorder_never_writes_a_secret_and_no_listener_hears_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.redactor.hide("db_password", SECRET)
    heard: list[Event] = []
    recorder.listen(heard.append)
    recorder.record("command", argv=["mysql", f"--password={SECRET}"], stdout=SECRET)
    recorder.close()
    assert SECRET not in (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert heard[0].data["argv"] == ["mysql", "--password=‹secret db_password›"]


@pytest.mark.parametrize("longrepr", [f"assert {SECRET!r} == ''", ("f.py", 1, f"said {SECRET}")])
def test_neither_a_failure_nor_captured_output_shows_it(
    redactor: Redactor, longrepr: object
) -> None:
    redactor.hide("other", SECRET)
    report = SimpleNamespace(
        longrepr=longrepr,
        longreprtext=str(longrepr),
        sections=[("Captured stdout call", f"it is {SECRET}")],
        user_properties=[("url", f"http://x:{quote(SECRET)}@db"), ("port", 5432)],
        wasxfail=f"reason: {SECRET}",
    )
    hide_secrets(report, redactor)  # type: ignore[arg-type]
    assert SECRET not in str(report.longrepr)
    assert "secret db_password" in str(report.longrepr)
    assert report.sections == [("Captured stdout call", "it is ‹secret db_password›")]
    assert report.user_properties == [("url", "http://x:‹secret db_password›@db"), ("port", 5432)]
    assert report.wasxfail == "reason: ‹secret db_password›"


ODD = """it's "odd" <&> 100% $HOME \\ `x` é/+😀"""
"""A value that everything quotes in its own way."""


@pytest.mark.parametrize(
    "form",
    [
        shlex.join(["mysql", f"--password={ODD}"]),
        re.sub("%..", lambda found: found[0].lower(), quote(f"x={ODD}")),
        json.dumps({"stdout": json.dumps({"password": ODD})}),
        json.dumps({"stdout": json.dumps({"password": ODD}, ensure_ascii=False)}),
        repr(["a", f"{ODD} and more"]),
        repr(ODD.encode()),
        html.escape(ODD),
        html.escape(json.dumps({"said": ODD})),
        json.dumps({"page": html.escape(ODD)}),
        html.escape(html.escape(ODD)),
        html.escape(f"said {ODD}").replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        base64.encodebytes(b"root:" + 4 * b"0123456789" + ODD.encode()).decode(),
        'export PASSWORD="it\'s \\"odd\\" <&> 100% \\$HOME \\\\ \\`x\\` é/+\N{GRINNING FACE}"',
    ],
)
def test_a_value_is_found_however_it_is_quoted(form: str) -> None:
    redactor = Redactor()
    redactor.hide("odd", ODD)
    said = redactor.text(form)
    assert "‹secret odd›" in said
    for piece in ("odd", "HOME", "100"):
        assert piece not in said.replace("‹secret odd›", "")


LONG = "".join(f"{n:x}" for n in range(40))


@pytest.mark.parametrize("cut", range(len(LONG) + 1))
def test_of_a_value_that_is_cut_in_two_one_half_is_hidden_at_least(cut: int) -> None:
    redactor = Redactor()
    redactor.hide("long", LONG)
    one, two = redactor.text(f"it is {LONG[:cut]}"), redactor.text(f"{LONG[cut:]} it was")
    shown = one.removeprefix("it is ") + two.removesuffix(" it was")
    assert "‹secret long›" in shown
    assert len(shown.replace("‹secret long›", "")) < LONGEST_PIECE


def test_a_value_of_sixteen_characters_is_never_shown_in_two_halves() -> None:
    redactor = Redactor()
    redactor.hide("sixteen", "0f1e2d3c4b5a6978")
    assert redactor.text("0f1e2d3c") == "‹secret sixteen›"
    assert redactor.text("4b5a6978") == "‹secret sixteen›"
    redactor.hide("fifteen", "zyxwvutsrqponml")
    assert redactor.text("zyxwvut|srqponml") == "zyxwvut|‹secret fifteen›"


def test_what_pytest_shortens_in_the_middle_is_hidden_on_both_sides() -> None:
    from _pytest._io.saferepr import saferepr

    redactor = Redactor()
    value = "".join(f"{n:x}" for n in range(200))
    redactor.hide("long", value)
    said = redactor.text(f"value = {saferepr(value)}")
    assert said == "value = '‹secret long›...‹secret long›'"


def test_no_piece_is_looked_for_that_tells_nothing() -> None:
    redactor = Redactor()
    redactor.hide("zeros", "0" * 40)
    redactor.hide("digits", "3141592653589793")
    assert redactor.text("0000000000 58979323") == "0000000000 58979323"


def test_how_a_url_begins_is_nobody_s_secret_and_all_after_it_is() -> None:
    redactor = Redactor()
    redactor.hide("db_url", "postgresql://user:pass@postgres:5432/ecommerce")
    assert redactor.text("postgresql-15 15.18") == "postgresql-15 15.18"
    for shown in ("postgresql://user:pa…", "postgresql%3A%2F%2Fuser%3Apa"):
        assert "user" not in redactor.text(shown)


def test_what_stands_for_a_secret_is_not_searched_for_another() -> None:
    redactor = Redactor()
    redactor.hide("db_password_for_all", "one two three")
    redactor.hide("other", "secret db_password_for")
    assert redactor.text("one two three") == "‹secret db_password_for_all›"


def test_a_large_value_costs_no_more_than_its_ends() -> None:
    redactor = Redactor()
    value = hashlib.shake_128(b"").digest(511_999)
    redactor.hide("large", value)
    assert sum(map(len, redactor._pieces.values())) < 50_000
    assert redactor.text(value.hex()[-40:]) == "‹secret large›"


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=10, max_size=40
).filter(lambda value: len(value.strip()) >= 10)

ONCE: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "percent": quote,
    "form": quote_plus,
    "Python": repr,
    "Python's bytes": lambda value: repr(value.encode()),
    "shell": lambda value: shlex.join(["x", f"--password={value}"]),
    "HTML": html.escape,
    "hex": lambda value: value.encode().hex(),
}  # fmt: skip
AGAIN: dict[str, Callable[[str], str]] = {"plain": str, "json": json.dumps, "HTML": html.escape}


@given(VALUES, st.sampled_from(sorted(ONCE)), st.sampled_from(sorted(AGAIN)), st.text(max_size=9))
def test_no_value_is_found_in_any_form_of_it(
    value: str, once: str, again: str, around: str
) -> None:
    redactor = Redactor()
    redactor.hide("it", value)
    form = AGAIN[again](ONCE[once](value))
    said = redactor.text(f"{around}{form}{around}")
    assert "‹secret it›" in said
    assert value.strip() not in said.replace("‹secret it›", "")
    assert form.strip("'\" ") not in said


@given(VALUES, st.binary(max_size=7), st.binary(max_size=7), st.booleans())
def test_no_value_is_found_in_base64_between_any_bytes(
    value: str, before: bytes, after: bytes, url: bool
) -> None:
    redactor = Redactor()
    redactor.hide("it", value)
    encode, decode = (
        (base64.urlsafe_b64encode, base64.urlsafe_b64decode)
        if url
        else (base64.b64encode, base64.b64decode)
    )
    said = redactor.text(encode(before + value.encode() + after).decode())
    assert "‹secret it›" in said
    for left in said.split("‹secret it›"):
        for at in range(4):
            cut = left[at : at + (len(left) - at) // 4 * 4]
            assert value.encode() not in decode(cut)
