"""Prompts: Jinja files with front matter, strict about their variables, known by their hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, ValidationError

from copygen.errors import InvalidInput


class FrontMatter(BaseModel):
    """The head of a prompt file."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: str
    version: str
    variables: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, ready to render. `sha256` is that of the file."""

    head: FrontMatter
    sha256: str
    _template: Template

    @classmethod
    def load(cls, folder: Path, name: str) -> "Prompt":
        """Read the prompt `name` from `folder`.

        Raises:
            InvalidInput: there is no such prompt, or its file breaks a rule; the message names the
                file and the variable or key.
        """
        path = folder / f"{name}.jinja"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: the prompt can't be read.") from error
        head, body = _split(path, text)
        if head.name != name:
            raise InvalidInput(f"{path}: name is {head.name!r}; make it {name!r}, as the file's.")
        environment = _environment()
        try:
            used = meta.find_undeclared_variables(environment.parse(body))
            template = environment.from_string(body)
        except TemplateError as error:
            line = text[: len(text) - len(body)].count("\n") + (getattr(error, "lineno", 1) or 1)
            raise InvalidInput(f"{path}, line {line}: broken Jinja: {error.message}.") from error
        for variable in sorted(used.symmetric_difference(head.variables)):
            problem = "is used but not declared" if variable in used else "is declared but not used"
            raise InvalidInput(f"{path}: the variable {variable!r} {problem} in 'variables'.")
        return cls(head, hashlib.sha256(text.encode()).hexdigest(), template)

    def render(self, variables: Mapping[str, Any]) -> str:
        """The prompt's text with `variables` filled in.

        Raises:
            InvalidInput: a variable is missing or unknown; the message names it.
        """
        name = f"The prompt {self.head.name!r}"
        for variable in self.head.variables:
            if variable not in variables:
                raise InvalidInput(f"{name}: the variable {variable!r} is missing.")
        for variable in variables:
            if variable not in self.head.variables:
                raise InvalidInput(f"{name}: the variable {variable!r} is unknown.")
        try:
            return self._template.render(variables)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            # Refused by the sandbox, a filter on the wrong kind of value, an include.
            raise InvalidInput(f"{name}: {error}.") from error

    def record(self) -> dict[str, str]:
        """What the provenance keeps."""
        return {"name": self.head.name, "version": self.head.version, "sha256": self.sha256}


def _split(path: Path, text: str) -> tuple[FrontMatter, str]:
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise InvalidInput(f"{path}: must begin with front matter between two lines of '---'.")
    try:
        return FrontMatter.model_validate(yaml.safe_load(parts[1])), parts[2]
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path}: broken YAML in the front matter.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: front matter: {key}: {first['msg']}.") from error


def _environment() -> ImmutableSandboxedEnvironment:
    """Sandboxed, since an operator may bring prompts of others; not escaped, since it is no HTML."""
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["day"] = _day
    environment.filters["short_tag"] = _short_tag
    return environment


def _day(moment: datetime) -> str:
    """`Tuesday 6 October`, in the moment's own UTC offset: the day as the brief's readers have it."""
    return f"{moment:%A} {moment.day} {moment:%B}"


def _short_tag(name: str) -> str:
    """A merge tag as models write it; its fallback is added afterwards."""
    return f"{{{{ {name} }}}}"
