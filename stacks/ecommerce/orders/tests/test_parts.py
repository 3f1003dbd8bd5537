"""Settings, logs, and the answers of the products service."""

from __future__ import annotations

import io
import json
import logging
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from orders import catalogue, logs
from orders.settings import Unusable, number, secret


def test_a_secrets_file_goes_before_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    env = {"URL": "of the environment", "URL_FILE": str(file)}

    assert secret("URL", env) == "of the file"
    assert secret("URL", {"URL": "of the environment"}) == "of the environment"
    for wrong in ({}, {"URL": ""}, {"URL_FILE": str(tmp_path / "none"), "URL": "hunter2"}):
        with pytest.raises(Unusable) as refused:
            secret("URL", wrong)
        assert "URL" in str(refused.value)
        assert "hunter2" not in str(refused.value)


def test_numbers_have_bounds() -> None:
    assert number("N", 3, 60, {}) == 3
    assert number("N", 3, 60, {"N": "0.5"}) == 0.5
    for wrong in ("-1", "61", "x", "nan"):
        with pytest.raises(Unusable):
            number("N", 3, 60, {"N": wrong})


def test_a_log_line_is_json_and_tells_an_exceptions_class_alone() -> None:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logs.Lines())
    log = logging.Logger("orders.part")
    log.addHandler(handler)

    try:
        raise ValueError("hunter2")
    except ValueError:
        log.exception("It failed\nin two lines.", extra={"fields": {"code": 503}})

    line = json.loads(said.getvalue())
    assert said.getvalue().count("\n") == 1
    assert (line["service"], line["level"], line["code"]) == ("orders", "error", 503)
    assert line["exception"] == "ValueError"
    assert "hunter2" not in said.getvalue()


class Answers:
    """In the place of `urlopen`: gives one answer after the other, or raises it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, url: str, **_: float) -> Any:
        self.asked.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


GOOD = b'{"products": [{"id": 1, "price_cents": 1250, "name": "Mug"}]}'


def test_prices_are_asked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(ConnectionRefusedError(), GOOD)
    monkeypatch.setattr(urllib.request, "urlopen", answers)

    assert catalogue.prices("http://products", [1, 2]) == {1: 1250}
    assert answers.asked == ["http://products/products?ids=1,2"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"products": [{"id": 1}]}',
        b'{"products": [{"id": 1, "price_cents": 0}]}',
        b'{"products": [{"id": 1, "price_cents": -5}]}',
        b'{"products": [{"id": 1, "price_cents": 1.5}]}',
        b'{"products": [{"id": "1", "price_cents": 5}]}',
        TimeoutError(),
    ],
)
def test_a_price_that_is_none_sells_nothing(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", Answers(answer, answer))

    with pytest.raises(catalogue.Unavailable):
        catalogue.prices("http://products", [1])
