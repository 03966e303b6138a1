"""Policies: which checks run, which of them must run, and with which options."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.errors import PolicyError
from guardrails.profanity.lexicon import BASE

POLICIES = resources.files("guardrails") / "policies"


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


class PolicyFile(BaseModel):
    """A policy as it stands in its YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    timeout_s: float = Field(default=60.0, gt=0, description="Longest time for one check's batch.")
    checks: Mapping[str, CheckPolicy]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and the SHA-256 of all that decides: its file, the rule packs, the trained heads."""

    file: PolicyFile
    sha256: str

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """Read the policy at `path`, or the default one.

        Raises:
            PolicyError: the file can't be read, is no policy, or has unknown keys.
        """
        source = POLICIES / "default.yaml" if path is None else path
        try:
            content = source.read_bytes()
            raw = yaml.safe_load(content)
        except (OSError, yaml.YAMLError) as error:
            raise PolicyError(f"Policy {source}: can't be read: {error}") from error
        try:
            file = PolicyFile.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise PolicyError(f"Policy {source}: {place}: {first['msg']}.") from error
        return cls(file, _hash(content))


def _hash(policy: bytes) -> str:
    """SHA-256 over the policy and every data file that the checks read, by sorted name."""
    digest = hashlib.sha256(policy)
    root = resources.files("guardrails")
    with resources.as_file(root) as folder:
        files = [*folder.glob("policies/**/*.yaml"), *folder.glob("data/*.safetensors")]
        files += folder.glob("data/*.txt")
        for path in sorted(files):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    package, name = BASE
    digest.update((resources.files(package) / name).read_bytes())
    return digest.hexdigest()
