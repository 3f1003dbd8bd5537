"""An image on top of another: what is asked of the engine, and that nothing of it is left."""

from __future__ import annotations

import io
from typing import Any

import pytest
from docker.errors import APIError

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import SilentReport
from pytest_swarmlab.images.engine import Engine


class Api:
    """An engine with the containers that it has now; it commits, or refuses to."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.containers: dict[str, bytes] = {}
        self.commits: list[tuple[str, bytes, str, str, list[str]]] = []
        self.tags: list[tuple[str, str, str]] = []
        self.refusal = refusal
        self._base = ""

    def create_container(self, base: str) -> dict[str, str]:
        self._base = base
        self.containers["c1"] = b""
        return {"Id": "c1"}

    def put_archive(self, container: str, place: str, tar: Any) -> None:
        assert place == "/"
        self.containers[container] = tar.read()

    def commit(self, container: str, *, repository: str, tag: str, changes: list[str]) -> None:
        if self.refusal:
            raise self.refusal
        held = self.containers[container]
        self.commits.append((self._base, held, repository, tag, changes))

    def tag(self, image: str, repository: str, tag: str) -> None:
        if self.refusal:
            raise self.refusal
        self.tags.append((image, repository, tag))

    def remove_container(self, container: str) -> None:
        del self.containers[container]


def test_files_are_added_to_the_base_without_running_it() -> None:
    api: Any = Api()
    engine = Engine(api, SilentReport())
    engine._add_layer(io.BytesIO(b"tar"), "shop/pages:1", ['CMD ["serve"]'], "nginx:alpine")
    assert api.commits == [("nginx:alpine", b"tar", "shop/pages", "1", ['CMD ["serve"]'])]
    assert api.containers == {}


def test_nothing_is_left_when_the_engine_refuses() -> None:
    api: Any = Api(APIError("no such change"))
    with pytest.raises(APIError):
        Engine(api, SilentReport())._add_layer(io.BytesIO(), "shop:1", [], "nginx:alpine")
    assert api.containers == {}


def test_an_image_gets_another_reference_or_says_why_not() -> None:
    api: Any = Api()
    Engine(api, SilentReport()).tag("sha256:1", "shop/pages:1.0.0")
    assert api.tags == [("sha256:1", "shop/pages", "1.0.0")]
    api.refusal = APIError("invalid tag")
    with pytest.raises(BuildError, match="can't tag sha256:1 as shop/pages:-: invalid tag"):
        Engine(api, SilentReport()).tag("sha256:1", "shop/pages:-")
