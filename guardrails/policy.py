"""Policies: which checks run, which of them must run, with which options and severities."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.errors import PolicyError
from guardrails.profanity.lexicon import BASE
from guardrails.types import Severity

POLICIES = resources.files("guardrails") / "policies"

DEFAULT = "default"
"""What `extends` names the packaged policy."""

ALL = "all"
"""Stands for every rule of a check."""


class CheckPolicy(BaseModel):
    """How one check is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    demanded: bool = Field(
        default=False,
        description="Whether a text is blocked where the check has nothing to judge by.",
    )
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="Options of the check itself, over its own defaults."
    )
    severities: Mapping[str, Severity] = Field(
        default_factory=dict, description="Severity of all findings of a rule, over the check's."
    )
    exceptions: Sequence[str] = Field(
        default=(), description="Rules of which exceptions may cover what blocks; `all` is each."
    )


class PolicyFile(BaseModel):
    """A policy, with all that it takes over from the ones it extends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    timeout_s: float = Field(default=60.0, gt=0, description="Longest time for one check's batch.")
    checks: Mapping[str, CheckPolicy]


class _Source(PolicyFile):
    """A policy as it stands in its YAML file."""

    checks: Mapping[str, CheckPolicy] = Field(default_factory=dict)
    extends: str | None = Field(
        default=None, description="`default`, or the path of a policy, from this one's folder on."
    )
    without: Sequence[str] = Field(
        default=(), description="Checks of the policy it extends that are left out."
    )
    own_packs: Sequence[str] = Field(
        default=(),
        description="Rule packs beside the packaged ones: paths from this file's folder on.",
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and the SHA-256 of all that decides: the policy itself, rule packs, trained heads.

    `path` is its file, `places` the file of each key, and `packs` holds the contents of its own
    rule packs by their files.
    """

    file: PolicyFile
    sha256: str
    path: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    packs: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """Read the policy at `path`, or the default one, and those it extends.

        Raises:
            PolicyError: a file can't be read, is no policy, or has unknown keys; or the files
                extend each other in a circle.
        """
        merged: dict[str, Any] = {"checks": {}}
        places: dict[str, str] = {}
        packs: dict[str, bytes] = {}
        chain = _chain(_default() if path is None else path)
        for source, raw in reversed(chain):
            _merge(merged, raw, source)
            places.update(dict.fromkeys(_keys(raw), str(source)))
            packs.update(_packs(raw, source))
        file = PolicyFile.model_validate(merged)
        return cls(file, _hash(file, packs), str(chain[0][0]), places, packs)

    def place(self, key: str) -> str:
        """Where `key` stands, or would: the policy's file and the key, to begin a message with."""
        return f"Policy {self.places.get(key) or self.path or self.file.name}: {key}"


def _default() -> Traversable:
    return POLICIES / "default.yaml"


def _chain(source: Path | Traversable) -> list[tuple[Path | Traversable, dict[str, Any]]]:
    """The policy at `source`, the one it extends, and so on, as they stand in their files."""
    chain = [(source, _read(source))]
    while (named := chain[-1][1].get("extends")) is not None:
        last = chain[-1][0]
        following = _default() if named == DEFAULT else Path(str(last)).parent / named
        for seen, _ in chain:
            if isinstance(following, Path) and following.resolve() == Path(str(seen)).resolve():
                raise PolicyError(
                    f"Policy {last}: extends: {named} extends this one in its turn. "
                    "Take one `extends` of the circle out."
                )
        if not following.is_file():
            raise PolicyError(
                f"Policy {last}: extends: there is no {following}. Write `{DEFAULT}`, or the path "
                "of a policy from this one's folder on."
            )
        chain.append((following, _read(following)))
    return chain


def _read(source: Path | Traversable) -> dict[str, Any]:
    try:
        raw = yaml.load(source.read_bytes(), Loader=_Loader)  # noqa: S506, a safe loader
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise PolicyError(f"Policy {source}: can't be read: {error}") from error
    try:
        _Source.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise PolicyError(f"Policy {source}: {place}: {first['msg']}.") from error
    return dict(raw)


class _Loader(yaml.SafeLoader):
    """Takes no key twice: the first of two would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands there twice; take one out")
        return super().construct_mapping(node, deep)


def _merge(merged: dict[str, Any], raw: Mapping[str, Any], source: Path | Traversable) -> None:
    """Put `raw` over `merged`: keys replace keys; options and severities do so one by one."""
    checks = merged["checks"]
    for index, name in enumerate(raw.get("without") or ()):
        if name not in checks:
            raise PolicyError(
                f"Policy {source}: without.{index}: {name!r} is none of the checks of the policy "
                f"it extends: {', '.join(checks) or 'it extends none'}."
            )
        del checks[name]
    for name, entry in (raw.get("checks") or {}).items():
        before = checks.setdefault(name, {})
        for key, value in entry.items():
            before[key] = before.get(key, {}) | value if isinstance(value, dict) else value
    merged.update({key: raw[key] for key in ("name", "version", "timeout_s") if key in raw})


def _packs(raw: Mapping[str, Any], source: Path | Traversable) -> Iterator[tuple[str, bytes]]:
    """The rule packs that a policy brings along: file and content."""
    for name in raw.get("own_packs") or ():
        path = Path(str(source)).parent / name
        try:
            yield str(path), path.read_bytes()
        except OSError as error:
            raise PolicyError(
                f"Policy {source}: own_packs: {path} can't be read ({error.strerror}). Write the "
                "path of a rule pack from this policy's folder on."
            ) from error


def _keys(raw: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """All keys of `raw`, with those above them: `checks.legal.options`."""
    for key, value in raw.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{before}{key}.")


def _hash(policy: PolicyFile, packs: Mapping[str, bytes]) -> str:
    """SHA-256 over the policy, its own packs, and every data file that the checks read."""
    # Not sorted: checks run, and so find, in the order that the policy gives them.
    digest = hashlib.sha256(json.dumps(policy.model_dump(mode="json")).encode())
    for content in packs.values():
        digest.update(hashlib.sha256(content).digest())
    root = resources.files("guardrails")
    with resources.as_file(root) as folder:
        files = [*folder.glob("policies/packs/*.yaml"), *folder.glob("data/*.safetensors")]
        files += folder.glob("data/*.txt")
        for path in sorted(files):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    package, name = BASE
    digest.update((resources.files(package) / name).read_bytes())
    return digest.hexdigest()
