"""Recipes: what they may say, and what makes another disk of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest

from pytest_swarmlab.contents import STACKS
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.images.builder import detail
from pytest_swarmlab.images.files import tree_files
from pytest_swarmlab.images.recipe import (
    RECIPES,
    ImageConfig,
    ImageOrigin,
    load_own_kernel,
    load_plan,
)

IMAGE = """
reference = "redis:7"
suite = "trixie"
packages = ["redis-server"]
"""


BASED = """
reference = "shop:1"
base = "nginx:alpine"
own = true
"""


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    """A copy of the stacks' sources, to be changed."""
    copy = tmp_path / "stacks"
    shutil.copytree(STACKS, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    return copy


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """A copy of the package's recipes, to be spoilt."""
    copy = tmp_path / "recipes"
    shutil.copytree(RECIPES, copy)
    return copy


def test_the_packages_own_recipes_are_good() -> None:
    plan = load_plan("stand-in")
    assert {image.reference: image.config.stop_signal for image in plan.images} == {
        "ecommerce/frontend:latest": "",
        "ecommerce/orders:latest": "",
        "ecommerce/products:latest": "",
        "ecommerce/users:latest": "",
        "myapi:latest": "",
        "mysql:8.0": "SIGTERM",
        "nginx:alpine": "SIGQUIT",
        "oliver006/redis_exporter:v1.69.0": "",
        "postgres:15-alpine": "SIGINT",
        "prom/alertmanager:v0.28.1": "",
        "prom/blackbox-exporter:v0.26.0": "",
        "prom/node-exporter:v1.9.0": "",
        "prom/prometheus:v2.53.3": "",
        "prometheuscommunity/postgres-exporter:v0.17.1": "",
        "rabbitmq:3-management-alpine": "",
        "redis:7-alpine": "",
        "swarmlab/monitoring:trixie": "",
        "wordpress:latest": "SIGWINCH",
    }
    assert plan.node.root.tree is not None
    assert len(plan.key) == 16


def test_the_key_is_the_same_every_time(recipes: Path) -> None:
    assert load_plan("stand-in", recipes=recipes).key == load_plan("stand-in").key


@pytest.mark.parametrize("recipe", ["node.toml", "kernel-debian.toml", "nginx-alpine.toml"])
def test_a_changed_recipe_changes_the_key(recipes: Path, recipe: str) -> None:
    before = load_plan("stand-in", recipes=recipes).key
    path = recipes / recipe
    path.write_text(path.read_text(encoding="utf-8") + "\n# other\n", encoding="utf-8")
    assert load_plan("stand-in", recipes=recipes).key != before


def test_a_changed_file_changes_the_key(recipes: Path) -> None:
    before = load_plan("stand-in", recipes=recipes).key
    (recipes / "nginx-alpine/usr/share/nginx/html/index.html").write_bytes(b"other")
    assert load_plan("stand-in", recipes=recipes).key != before


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("orders/orders/app.py", True),
        ("users/build", True),
        ("frontend/src/App.jsx", True),
        # What tools make of the sources, and what a stack file mounts.
        ("frontend/dist/index.html", False),
        ("products/node_modules/pg/index.js", False),
        ("gateway/nginx.conf", False),
        ("users/service_test.go", False),
        ("orders/tests/test_api.py", False),
        ("products/test/app.test.js", False),
    ],
)
def test_a_changed_source_changes_the_keys(stacks: Path, file: str, counts: bool) -> None:
    before = load_plan("stand-in", stacks=stacks)
    assert before.key == load_plan("stand-in").key
    path = stacks / "ecommerce" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as content:
        content.write(b"\n")
    after = load_plan("stand-in", stacks=stacks)
    assert (after.key != before.key) is counts
    assert (after.container_key != before.container_key) is counts


def test_a_source_keeps_its_mode(stacks: Path) -> None:
    stage = load_plan("stand-in", stacks=stacks).stage
    assert stage is not None
    modes = {place: mode for _, place, mode in stage.sources}
    assert modes["ecommerce/users/build"] == 0o755
    assert modes["ecommerce/users/main.go"] == 0o644
    (stacks / "ecommerce/users/build").chmod(0o644)
    assert load_plan("stand-in", stacks=stacks).key != load_plan("stand-in").key


def test_sources_that_are_not_there_are_named(stacks: Path) -> None:
    shutil.rmtree(stacks / "ecommerce/orders/orders")
    with pytest.raises(ConfigError) as error:
        load_plan("stand-in", stacks=stacks)
    assert str(error.value) == (
        "recipe build-stage.toml: no file of the stacks is 'ecommerce/orders/orders/*.py'"
    )


def test_an_image_brings_its_base_and_nothing_is_built_for_those_that_copy_nothing() -> None:
    plan = load_plan("stand-in", images=["ecommerce/frontend:latest"])
    assert [image.reference for image in plan.images] == [
        "ecommerce/frontend:latest",
        "nginx:alpine",
    ]
    assert plan.stage is not None
    assert load_plan("stand-in", images=["nginx:alpine"]).stage is None


@pytest.mark.parametrize(
    ("base", "accepted"),
    [("nginx:alpine", True), ("mongo:8", False), ("ecommerce/frontend:latest", False)],
)
def test_a_base_is_an_image_with_a_recipe_and_none_itself(
    recipes: Path, base: str, accepted: bool
) -> None:
    (recipes / "shop.toml").write_text(BASED.replace("nginx:alpine", base), encoding="utf-8")
    if accepted:
        load_plan("stand-in", recipes=recipes)
        return
    with pytest.raises(ConfigError) as error:
        load_plan("stand-in", recipes=recipes)
    assert str(error.value) == (
        f"recipe shop.toml: its base {base} must be an image that a recipe makes, and have no"
        " base itself"
    )


@pytest.mark.parametrize(
    "file", ["node.toml", "nginx-alpine.toml", "container/usr/local/lib/swarmlab/init-container"]
)
def test_the_container_has_a_key_of_its_own(recipes: Path, file: str) -> None:
    before = load_plan("stand-in", recipes=recipes)
    key = before.container_key
    assert key == load_plan("stand-in").container_key != before.key
    path = recipes / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# other\n", encoding="utf-8")
    after = load_plan("stand-in", recipes=recipes)
    assert after.container_key != key
    assert (after.key == before.key) is file.startswith("container")


def test_a_container_has_no_kernel_of_its_own(recipes: Path) -> None:
    before = load_plan("stand-in", recipes=recipes).container_key
    path = recipes / "kernel-debian.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# other\n", encoding="utf-8")
    assert load_plan("stand-in", recipes=recipes).container_key == before


@pytest.mark.parametrize("file", ["kernel-own.toml", "kernel-own/usr/src/swarmlab/options"])
def test_the_own_kernel_has_a_key_of_its_own(recipes: Path, file: str) -> None:
    disk, kernel = load_plan("stand-in", recipes=recipes), load_own_kernel(recipes=recipes)
    path = recipes / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# other\n", encoding="utf-8")
    assert load_plan("stand-in", recipes=recipes).key == disk.key
    assert load_own_kernel(recipes=recipes).key != kernel.key == load_own_kernel().key


def test_the_kernels_differ_in_what_a_node_must_know() -> None:
    own, debian = load_own_kernel(), load_plan("stand-in").kernel
    assert (own.name, own.card, own.modules, own.preload) == ("own", "vector", "", "")
    assert (debian.name, debian.card) == ("debian", "tuntap")
    assert debian.modules
    assert debian.preload
    assert {word for word in own.words if word.startswith("seccomp=")} == {"seccomp=auto"}


def test_a_card_that_no_kernel_has_is_refused(recipes: Path) -> None:
    path = recipes / "kernel-own.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"vector"', '"wifi"'), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="card 'wifi' is none of tuntap, vector"):
        load_own_kernel(recipes=recipes)


def test_a_changed_mode_changes_the_key(recipes: Path) -> None:
    before = load_plan("stand-in", recipes=recipes).key
    (recipes / "node/usr/local/lib/swarmlab/init").chmod(0o644)
    assert load_plan("stand-in", recipes=recipes).key != before


def test_a_moved_file_changes_the_key(recipes: Path) -> None:
    before = load_plan("stand-in", recipes=recipes).key
    html = recipes / "nginx-alpine/usr/share/nginx/html"
    (html / "50x.html").rename(html / "51x.html")
    assert load_plan("stand-in", recipes=recipes).key != before


def test_origin_and_selection_change_the_key(recipes: Path) -> None:
    (recipes / "redis-7.toml").write_text(IMAGE, encoding="utf-8")
    both = load_plan("stand-in", recipes=recipes, images=["nginx:alpine", "redis:7"])
    one = load_plan("stand-in", recipes=recipes, images=["redis:7"])
    pulled = load_plan("registry", recipes=recipes, images=["nginx:alpine", "redis:7"])
    assert [image.reference for image in both.images] == ["nginx:alpine", "redis:7"]
    assert [image.reference for image in one.images] == ["redis:7"]
    assert len({both.key, one.key, pulled.key}) == 3


def test_an_own_image_is_built_whatever_the_origin(recipes: Path) -> None:
    (recipes / "redis-7.toml").write_text(IMAGE + "own = true", encoding="utf-8")
    wanted = ["nginx:alpine", "redis:7"]
    for origin in get_args(ImageOrigin):
        plan = load_plan(origin, recipes=recipes, images=wanted)
        assert [plan.made_of(image) for image in plan.images] == [origin, "own"]


def test_modes_are_those_that_git_keeps(tmp_path: Path) -> None:
    for name, mode in (("program", 0o700), ("text", 0o600)):
        (tmp_path / name).write_bytes(b"")
        (tmp_path / name).chmod(mode)
    seen = [(place, mode) for _, place, mode in tree_files(tmp_path)]
    assert seen == [("program", 0o755), ("text", 0o644)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reference = ", "is not valid TOML"),
        (IMAGE.replace("suite", "suit"), "'suite' is missing"),
        (IMAGE + 'colour = "red"', "unknown key 'colour'"),
        (IMAGE + 'variant = "huge"', "variant 'huge' is none of"),
        (IMAGE + 'commands = ["ls -l"]', "'commands' must be a list of argument lists"),
        (IMAGE + 'commands = [["ls", 1]]', "'commands' must hold strings only"),
        (IMAGE + 'delete = ["/etc"]', "'/etc' must be a path inside the root"),
        (IMAGE + 'delete = ["var/../../etc"]', "must be a path inside the root"),
        (IMAGE + '[links]\n"/bin/x" = "y"', "'/bin/x' must be a path inside the root"),
        (IMAGE + 'own = "yes"', "'own' must be true or false, not 'yes'"),
        (IMAGE + "[config]\nexpose = [80]", "redis-7.toml [config]: 'expose' must hold strings"),
        (IMAGE + "[config.env]\nA = 1", "env.A must be a string, not 1"),
        (IMAGE.replace('["redis-server"]', '"redis"'), "'packages' must be a list of strings"),
        (IMAGE.replace('suite = "trixie"', 'base = "nginx:alpine"'), "'suite' is missing"),
        (IMAGE + 'base = "nginx:alpine"', "'base' and 'suite' exclude each other"),
        (IMAGE + '[copied]\n"src/x" = "/srv"', "'/srv' must be a path inside the root"),
        (IMAGE + '[copied]\n"../x" = "srv"', "'../x' must be a path inside the root"),
    ],
)
def test_a_bad_recipe_is_named_with_its_fault(recipes: Path, text: str, said: str) -> None:
    (recipes / "redis-7.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_plan("stand-in", recipes=recipes)
    assert said in str(error.value)
    assert "redis-7.toml" in str(error.value)


def test_a_disk_without_room_is_refused(recipes: Path) -> None:
    node = recipes / "node.toml"
    text = node.read_text(encoding="utf-8").replace("size_gib = 12", "size_gib = 0")
    node.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="'size_gib' must be more than 0"):
        load_plan("stand-in", recipes=recipes)


def test_an_image_without_recipe_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no recipe makes the image mongo:8: there are .*myapi"):
        load_plan("stand-in", images=["mongo:8"])


def test_an_unknown_origin_is_refused() -> None:
    with pytest.raises(ConfigError, match="use stand-in or registry"):
        load_plan("elsewhere")  # type: ignore[arg-type]


def test_the_configuration_becomes_instructions() -> None:
    config = ImageConfig(
        entrypoint=("/start", "--now"),
        cmd=("say", 'a "b" $c'),
        env={"HOME": "/root"},
        expose=("80/tcp",),
        volumes=("/data",),
        labels={"a": "1"},
        stop_signal="SIGQUIT",
        user="nginx",
        workdir="/srv",
    )
    assert config.changes({"b": "2"}) == [
        'ENTRYPOINT ["/start", "--now"]',
        'CMD ["say", "a \\"b\\" $c"]',
        'ENV HOME="/root"',
        "EXPOSE 80/tcp",
        'VOLUME ["/data"]',
        "STOPSIGNAL SIGQUIT",
        "USER nginx",
        "WORKDIR /srv",
        'LABEL a="1"',
        'LABEL b="2"',
    ]


def test_further_tags_are_of_the_same_repository_and_change_the_key(recipes: Path) -> None:
    (recipes / "shop.toml").write_text(BASED, encoding="utf-8")
    before = load_plan("stand-in", recipes=recipes, images=["shop:1"])
    assert before.images[-1].references == ("shop:1",)
    (recipes / "shop.toml").write_text(BASED + 'tags = ["1.0", "new"]', encoding="utf-8")
    after = load_plan("stand-in", recipes=recipes, images=["shop:1"])
    assert after.images[-1].references == ("shop:1", "shop:1.0", "shop:new")
    assert after.key != before.key


def test_what_differs_from_the_official_image_is_told(recipes: Path) -> None:
    (recipes / "redis-7.toml").write_text(IMAGE + 'note = "no disk"', encoding="utf-8")
    (image,) = load_plan("stand-in", recipes=recipes, images=["redis:7"]).images
    assert detail(image, {"redis-server": "7.0", "libc6": "2"}, {"golang-go": "1.24"}) == (
        "Debian trixie: redis-server 7.0; no disk"
    )


def test_what_an_image_was_built_with_is_told() -> None:
    plan = load_plan("stand-in", images=["ecommerce/orders:latest", "ecommerce/users:latest"])
    told = [detail(image, {}, {"golang-go": "1.24"}) for image in plan.images[:2]]
    assert told == [
        "based on myapi:latest; from sources with Debian's golang-go 1.24",
        "from sources with Debian's golang-go 1.24",
    ]
