"""Reads stack files as the docker client does, and collects the files that they name.

`docker stack deploy` runs on the leader, which has none of these files. So they are copied to a
directory there, under names chosen here. The copied stack file has these names in place of the old
ones; every other byte stays as it was. Nothing outside that directory is read or written there,
whatever the file says.

The rules are those of the client's loader (docker/cli, cli/compose): the first document counts, the
last of several files wins, `${…}` is replaced before a path is read, and paths are relative to the
first file's directory. What the client refuses stays in the copy: the client refuses it in its own
words.
"""

from __future__ import annotations

import codecs
import contextlib
import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.text import line

SUBSTITUTION = r"[_a-z][_a-z0-9]*(?::?[-?][^}]*)?"
VARIABLE = re.compile(
    rf"\$(?:(?P<escaped>\$)|(?P<named>{SUBSTITUTION})|\{{(?P<braced>{SUBSTITUTION})\}}|)",
    re.IGNORECASE | re.ASCII,
)
"""A variable as the client knows it (cli/compose/template); without a group it is none."""

NULL = "tag:yaml.org,2002:null"

PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""Anchor and tag before a value."""

NAMED_EXTERNALLY = {"3.1", "3.2", "3.3", "3.4"}
"""Versions of the format in which an external secret's own name stands below `external`."""

OVERRIDE = "swarmlab-secrets.json"
"""The last stack file of each deployment that has secrets; JSON is YAML."""

TRUE = {"true", "yes", "on", "y"}


@dataclass(frozen=True)
class Secret:
    """A secret that a stack file takes from a file; `name` is the one it will have in the swarm."""

    name: str
    content: bytes = field(repr=False)
    labels: Mapping[str, str]
    template_driver: str


@dataclass(frozen=True)
class Bundle:
    """The files of a deployment, and what it needs besides them.

    `stack_files`: names in that directory, in the order of their `-c`. `files`: every file's name
    there and its content. `secrets`: to be created before. `configs`: names that the client will
    create or reuse. `unset`: variables of the stack files that have no value.
    """

    stack_files: tuple[str, ...]
    files: Mapping[str, bytes] = field(repr=False)
    secrets: tuple[Secret, ...]
    configs: tuple[str, ...]
    unset: tuple[str, ...]


def load(paths: Sequence[Path], *, stack: str, env: Mapping[str, str]) -> Bundle:
    """Read stack files and the files that they name.

    `stack`: the name of the stack; `env`: values of their ``${…}``. Raises ConfigError when
    something can't be copied.
    """
    files = [_File(path, env) for path in paths]
    beside = paths[0].parent
    carried: dict[str, bytes] = {}

    def carry(file: _File, node: yaml.ScalarNode, owner: str) -> bytes | None:
        """Read what that node names; None where the client will refuse the name itself."""
        named = file.string(node)
        if not named:
            return None
        # The client takes `~` for a file's name; who writes it means the home of who runs this.
        path = beside / (Path(named).expanduser() if named.startswith("~/") else named)
        told = f"{file.path}: {line(owner)} names {line(node.value)}, which"
        try:
            if not path.is_file():
                unset = ", ".join(file.unset(node.value))
                remedy = f" ({line(unset)} has no value: give it with env=)" if unset else ""
                what = "is a directory" if path.is_dir() else "is no file here"
                raise ConfigError(f"{told} {what}{remedy}")
            return path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{told} can't be read: {error.strerror}") from error

    def new_name(path: Path) -> str:
        # Ours alone, and telling enough for the client's own complaints.
        return f"{len(carried) + 1}-{re.sub(r'[^A-Za-z0-9._-]', '_', path.name)}"

    def replace(file: _File, node: yaml.ScalarNode, owner: str) -> None:
        # What an anchor has may be named by several.
        if not file.replaces(node) and (content := carry(file, node, owner)) is not None:
            name = new_name(Path(file.string(node)))
            carried[name] = content
            file.replace(node, name)

    for file in files:
        file.refuse_relative_binds()
        for owner, node in file.env_files():
            replace(file, node, owner)
    configs = []
    for name, (file, source) in _declared(files, "configs").items():
        configs.append(file.string(source.get("name")) or f"{stack}_{name}")
        named = source.get("file")
        if isinstance(named, yaml.ScalarNode):
            replace(file, named, f"config {name}")

    secrets, external = [], {}
    for name, (file, source) in _declared(files, "secrets").items():
        named = source.get("file")
        if not isinstance(named, yaml.ScalarNode) or "driver" in source:
            continue
        content = carry(file, named, f"secret {name}")
        if content is None:
            continue
        full = file.string(source.get("name")) or f"{stack}_{name}"
        secrets.append(
            Secret(
                full,
                content,
                dict(file.pairs(source.get("labels"))),
                file.string(source.get("template_driver")),
            )
        )
        external[name] = full

    stack_files = []
    for file in files:
        stack_files.append(new_name(file.path))
        carried[stack_files[-1]] = file.carried()
    if external:
        stack_files.append(OVERRIDE)
        carried[OVERRIDE] = _override(files[0].version, external)
    unset = dict.fromkeys(name for file in files for name in file.unset(file.text))
    return Bundle(tuple(stack_files), carried, tuple(secrets), tuple(configs), tuple(unset))


def _override(version: str, external: Mapping[str, str]) -> bytes:
    """A stack file that declares these secrets as external."""
    content: dict[str, Any] = {"version": version} if version else {}
    content["secrets"] = {
        name: {"external": {"name": full}}
        if version in NAMED_EXTERNALLY
        else {"external": True, "name": full}
        for name, full in external.items()
    }
    return json.dumps(content).encode()


def _declared(files: Sequence[_File], kind: str) -> dict[str, tuple[_File, dict[str, yaml.Node]]]:
    """Each config or secret that is not external, as the last file that has it declares it."""
    found = {}
    for file in files:
        for name, node in mapping(file.root.get(kind)).items():
            found[name] = (file, mapping(node))
    return {
        name: (file, source)
        for name, (file, source) in found.items()
        if not file.is_external(source.get("external"))
    }


class _File:
    """One stack file: its text, what stands in it, and what of its text is to be replaced."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self._env = env
        self._replaced: dict[tuple[int, int], str] = {}
        try:
            self._raw = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error
        self.text, root = "", None
        # What is no YAML is carried as it is, and nothing that it may name: so the client says what
        # is wrong with it, and finds no file that it could make a secret of.
        with contextlib.suppress(UnicodeDecodeError, yaml.YAMLError, RecursionError):
            text = decoded(self._raw)
            loader = _Composer(text)
            root = loader.get_node() if loader.check_node() else None
            self.text = text
        self.root = mapping(root)
        version = self.root.get("version")
        self.version = version.value if isinstance(version, yaml.ScalarNode) else ""

    def env_files(self) -> Iterator[tuple[str, yaml.ScalarNode]]:
        """Every service's files of variables: the service, the YAML node with a file's name."""
        for name, service in mapping(self.root.get("services")).items():
            node = mapping(service).get("env_file")
            for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                if isinstance(each, yaml.ScalarNode):
                    yield f"env_file of service {name}", each

    def refuse_relative_binds(self) -> None:
        """Raise ConfigError for a mount of a directory beside the stack file: no node has it."""
        for name, service in mapping(self.root.get("services")).items():
            volumes = mapping(service).get("volumes")
            for node in volumes.value if isinstance(volumes, yaml.SequenceNode) else []:
                if isinstance(node, yaml.ScalarNode):
                    source, mounted, _ = (self.text_of(node) or "").partition(":")
                    bound = bool(mounted) and source.startswith(".")
                else:
                    long = mapping(node)
                    source = self.string(long.get("source"))
                    bound = self.string(long.get("type")) == "bind" and source.startswith(".")
                if bound:
                    raise ConfigError(
                        f"{self.path}: service {line(name)} mounts {line(source)}, beside the stack"
                        " file, and no node has it: name an absolute path of the nodes, or make it"
                        " a config"
                    )

    def is_external(self, node: yaml.Node | None) -> bool:
        """Whether a declaration's `external` says yes."""
        return isinstance(node, yaml.MappingNode) or self.string(node).lower() in TRUE

    def pairs(self, node: yaml.Node | None) -> Iterator[tuple[str, str]]:
        """Labels, in either form: a mapping, or a list of KEY=VALUE."""
        if isinstance(node, yaml.SequenceNode):
            for each in node.value:
                key, _, value = self.string(each).partition("=")
                yield key, value
        for key, each in mapping(node).items():
            yield key, self.string(each)

    def string(self, node: yaml.Node | None) -> str:
        """A value as text, its variables replaced; "" where there is none."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == NULL:
            return ""
        return self.text_of(node) or ""

    def text_of(self, node: yaml.ScalarNode) -> str | None:
        """The same; None where the client will refuse the variables in it."""
        return substituted(node.value, self._env)

    def unset(self, text: str) -> list[str]:
        """Variables in a text without a default that nothing gives a value."""
        found = [match["named"] or match["braced"] for match in VARIABLE.finditer(text)]
        names = [name for name in found if name and not re.search("[-?]", name)]
        return sorted({name for name in names if name not in self._env})

    def replaces(self, node: yaml.ScalarNode) -> bool:
        """Whether what stands there is replaced already."""
        return (node.start_mark.index, node.end_mark.index) in self._replaced

    def replace(self, node: yaml.ScalarNode, name: str) -> None:
        """Have that name stand in the carried copy where this node's value stands."""
        self._replaced[node.start_mark.index, node.end_mark.index] = name

    def carried(self) -> bytes:
        """The file's content with what was replaced in it, as UTF-8."""
        if not self.text:
            return self._raw
        parts, place = [], 0
        for (start, end), name in sorted(self._replaced.items()):
            old = self.text[start:end]
            before = PROPERTIES.match(old)
            # A block scalar ends with its line.
            after = old[len(old.rstrip()) :]
            parts += [self.text[place:start], before[0] if before else "", json.dumps(name), after]
            place = end
        return "".join([*parts, self.text[place:]]).removeprefix("\ufeff").encode()


class _Composer(yaml.SafeLoader):
    """Composes YAML nodes and constructs no values: no value and no tag can raise an error.

    Where an alias stands for a scalar, the node's place is the alias's.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)  # The latest of one name counts.
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent) and isinstance(node, yaml.ScalarNode):
            node = copy.copy(node)
            node.start_mark, node.end_mark = event.start_mark, event.end_mark
        return node


def decoded(raw: bytes) -> str:
    """A YAML file's text: UTF-16 where it begins so, else UTF-8."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding)
    return raw.decode()


def mapping(node: yaml.Node | None, within: frozenset[int] = frozenset()) -> dict[str, yaml.Node]:
    """Key → value of a mapping, with what `<<` merges into it; empty for anything else."""
    if not isinstance(node, yaml.MappingNode) or id(node) in within:
        return {}
    own: dict[str, yaml.Node] = {}
    merged: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.tag == "tag:yaml.org,2002:merge":
            every = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for each in every:
                merged = mapping(each, within | {id(node)}) | merged
        else:
            own[key.value] = value
    return merged | own


def substituted(text: str, env: Mapping[str, str]) -> str | None:
    """The text with its variables replaced, as the client does it; None where it refuses to."""
    refused = False

    def value(match: re.Match[str]) -> str:
        nonlocal refused
        if match["escaped"]:
            return "$"
        words = match["named"] or match["braced"]
        if not words:
            refused = True
            return ""
        # In this order, and wherever it stands: an error's text may hold a hyphen.
        for sign in (":-", "-", ":?", "?"):
            name, found, rest = words.partition(sign)
            if not found:
                continue
            given = env.get(name)
            if given is None or (sign.startswith(":") and not given):
                refused |= sign.endswith("?")
                return rest
            return given
        return env.get(words, "")

    replaced = VARIABLE.sub(value, text)
    return None if refused else replaced
