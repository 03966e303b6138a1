"""Briefs and brands as people write them: strict about keys, and clear about what is wrong."""

import difflib
import re
import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

import guardrails.types as plain
from copygen.errors import InvalidInput

TAG = re.compile(r"\{\{([^{}|]*)(?:\|[^{}]*)?\}\}")
"""A merge tag, written short (`{{ first_name }}`) or with its fallback. Its name may be any text:
one that no segment has is to be told, and not to be passed over."""

MAX_VALUES = 20_000
"""Most values in a file, aliases counted wherever they stand."""

MAX_FILE_BYTES = 256 * 1024
"""Longest brief or brand file; a hand-written one is far below it."""


def _one_line(value: Any) -> Any:
    """White space folded: a line break would read as a new field of the prompt."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError("holds a control character or half a character; take it out")
    return value


def _without_braces(value: str) -> str:
    if "{" in value or "}" in value:
        raise ValueError("holds a brace, which would end its merge tag; take it out")
    return value


def _date_and_time(value: Any) -> Any:
    """Numbers are no dates: 20261006 would read as seconds since 1970."""
    if not isinstance(value, datetime) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d", str(value)):
        raise ValueError("must be a date, a time and a time zone, as 2026-10-06T23:59:00+01:00")
    return value


def _of_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year < 3000:
        raise ValueError("must be between the years 2000 and 2999")
    return value


Line = Annotated[
    str,
    BeforeValidator(_one_line),
    StringConstraints(min_length=1, max_length=400),
    AfterValidator(_printable),
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)]
TagName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
STRICT = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class MergeTag(plain.MergeTag):
    """A value that the campaign tool fills in; the fallback is what readers without it see."""

    model_config = STRICT
    fallback: Annotated[Line, AfterValidator(_without_braces)]
    longest: Annotated[
        str,
        BeforeValidator(_one_line),
        StringConstraints(max_length=200),
        AfterValidator(_printable),
    ] = ""


class Segment(plain.Segment):
    """A named audience."""

    model_config = STRICT
    name: Slug
    description: Line
    merge_tags: Mapping[TagName, MergeTag] = Field(default_factory=dict, max_length=20)


class Offer(plain.Offer):
    """What the campaign gives."""

    model_config = STRICT
    text: Line
    code: (
        Annotated[str, StringConstraints(pattern=r"^\S{2,40}$"), AfterValidator(_printable)] | None
    ) = None
    ends: (
        Annotated[AwareDatetime, BeforeValidator(_date_and_time), AfterValidator(_of_our_time)]
        | None
    ) = None
    terms: Line | None = None


class Limits(plain.Limits):
    """Longest texts, in characters. Below the lower bounds no sentence fits."""

    model_config = STRICT
    subject: int = Field(default=50, ge=20, le=200)
    preview: int = Field(default=90, ge=30, le=300)


class Brief(plain.Brief):
    """What one campaign says."""

    model_config = STRICT
    campaign: Slug
    brand: Slug
    intent: plain.Intent
    product: Line
    summary: Line
    offer: Offer | None = None
    facts: tuple[Line, ...] = Field(min_length=1, max_length=40)
    cta: Line
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] = "en"
    segments: tuple[Segment, ...] = Field(min_length=1, max_length=100)
    variants: int = Field(default=4, ge=1, le=50, description="Variants per segment.")
    limits: Limits = Limits()
    must_avoid: tuple[Line, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _names_and_tags(self) -> "Brief":
        names = [segment.name for segment in self.segments]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"segments: {twice[0]!r} stands there twice; rename one")
        for field, text in self.texts():
            for tag in map(str.strip, TAG.findall(text)):
                for segment in self.segments:
                    if tag not in segment.merge_tags:
                        raise ValueError(
                            f"{field}: the merge tag {{{{ {tag} }}}} is unknown to the segment "
                            f"{segment.name!r}; add it to its merge_tags, with a fallback, "
                            "or take it out"
                        )
        return self

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text that a variant may draw on, with the name of its field."""
        yield from [("product", self.product), ("summary", self.summary), ("cta", self.cta)]
        for index, fact in enumerate(self.facts):
            yield f"facts.{index}", fact
        if self.offer is not None:
            yield "offer.text", self.offer.text
            yield "offer.terms", self.offer.terms or ""


class Brand(plain.Brand):
    """Who speaks, and how."""

    model_config = STRICT
    slug: Slug
    name: Line
    voice: Annotated[
        str,
        BeforeValidator(_one_line),
        StringConstraints(min_length=1, max_length=2000),
        AfterValidator(_printable),
    ]
    on_voice: tuple[Line, ...] = Field(default=(), max_length=200)
    off_voice: tuple[Line, ...] = Field(default=(), max_length=200)
    banned_phrases: tuple[Line, ...] = Field(default=(), max_length=200)
    preferred: Mapping[Line, Line] = Field(default_factory=dict, max_length=200)
    sector: Line
    jurisdictions: tuple[
        Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z]{2,3})?$")], ...
    ] = Field(min_length=1, max_length=60)


def check_brand(brief: Brief, brand: Brand) -> None:
    """Hold a brief to its brand.

    Raises:
        InvalidInput: it names another one.
    """
    if brief.brand != brand.slug:
        raise InvalidInput(
            f"brand: the brief names {brief.brand!r} and the brand's slug is {brand.slug!r}; "
            "make them the same.",
            field="brand",
        )


Document = TypeVar("Document", bound=BaseModel)


def load(kind: type[Document], path: Path) -> Document:
    """Read a YAML file as a `kind`.

    Raises:
        InvalidInput: it can't be read, is broken, or breaks a rule; the message names the file,
            the line and the field.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB.")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidInput(f"{path}: there is no such file.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not UTF-8. Save it as UTF-8 text.") from error
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read ({error.strerror}).") from error
    return parse(kind, text, str(path))


def parse(kind: type[Document], text: str, name: str) -> Document:
    """Read YAML `text` as a `kind`; `name` stands for it in messages.

    Raises:
        InvalidInput: as for `load`.
    """
    try:
        raw, lines = _Reader().read(text)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1  # type: ignore[union-attr]
        raise InvalidInput(f"{name}, line {line}: broken YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"{name}: broken YAML: {error}.") from error
    if not isinstance(raw, dict):
        raise InvalidInput(f"{name}: must hold keys and values, as `campaign: autumn-knitwear`.")
    return validate(kind, raw, name, lines)


def validate(
    kind: type[Document],
    raw: Any,
    name: str,
    lines: Mapping[tuple[Hashable, ...], int] | None = None,
) -> Document:
    """Check `raw` as a `kind`.

    Raises:
        InvalidInput: it breaks a rule; the message names the field and, where `lines` has it,
            the line.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems = [
            (_line(each["loc"], lines or {}), *describe(each, kind))
            for each in told(error.errors())[:5]
        ]
        text = "\n".join(f"{name}{where}: {message}" for where, _, message in problems)
        raise InvalidInput(text, field=problems[0][1]) from error


def _line(location: tuple[Hashable, ...], lines: Mapping[tuple[Hashable, ...], int]) -> str:
    """Where in its file a field stands, as far as it is there."""
    line = next(
        (
            lines[location[:size]]
            for size in range(len(location), 0, -1)
            if location[:size] in lines
        ),
        None,
    )
    return f", line {line}" if line else ""


def told(errors: Sequence[Any]) -> list[Any]:
    """`errors` of pydantic without what only follows from others: a list whose items all have
    mistakes counts as empty."""
    return [
        each
        for each in errors
        if each["type"] != "too_short"
        or not any(
            len(other["loc"]) > len(each["loc"]) and other["loc"][: len(each["loc"])] == each["loc"]
            for other in errors
        )
    ]


def describe(error: Any, kind: type[BaseModel] | None = None) -> tuple[str, str]:
    """The field of a pydantic error (of a `kind`, where that is known), and what is wrong."""
    location = [part for part in error["loc"] if part != "[key]"]
    field = ".".join(str(part) for part in location)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _keys(location[:-1], kind)
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        hint = hint or (f" Known keys: {', '.join(known)}." if known else " Take it out.")
        return field, f"{field}: unknown key.{hint}"
    if error["type"] == "missing":
        message = "is missing; add it"
    elif error["type"] == "too_short" and location[-1] in ("facts", "segments", "jurisdictions"):
        message = "is empty; write at least one"
    elif error["type"] in ("greater_than_equal", "less_than_equal"):
        message = f"{message[0].lower()}{message[1:]}, not {error['input']!r}"
    return field, f"{field}: {message}." if field else f"{message}."


def _keys(location: list[Any], kind: type[BaseModel] | None) -> list[str]:
    """Names of the keys that are known at `location`."""
    for part in reversed(location):
        if part in _PARTS:
            return list(_PARTS[part].model_fields)
    return list(kind.model_fields) if kind else []


_PARTS: dict[str, type[BaseModel]] = {
    "brief": Brief,
    "brand": Brand,
    "segments": Segment,
    "offer": Offer,
    "limits": Limits,
    "merge_tags": MergeTag,
}


class _Reader:
    """YAML to plain values, all scalars text or None, with the line of every key and item.

    Types are the schema's business: `code: 0123` is no octal number, `language: no` no falsehood.
    """

    def read(self, text: str) -> tuple[Any, dict[tuple[Hashable, ...], int]]:
        """The values of `text`, and where each stands in it."""
        self.values = 0
        self.lines: dict[tuple[Hashable, ...], int] = {}
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return (None if node is None else self._value(node, ())), self.lines

    def _value(self, node: yaml.Node, path: tuple[Hashable, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.values += 1
        if (
            len(path) > 10 or self.values > MAX_VALUES
        ):  # Aliases can hold each other by the million.
            raise yaml.YAMLError("too many values, or nested too deep")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(each, (*path, index)) for index, each in enumerate(node.value)]
        plain_null = node.tag == "tag:yaml.org,2002:null"
        return None if plain_null else node.value

    def _mapping(self, node: yaml.MappingNode, path: tuple[Hashable, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be a word", problem_mark=key.start_mark
                )
            if key.value in values:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} stands there twice", problem_mark=key.start_mark
                )
            self.lines[(*path, key.value)] = key.start_mark.line + 1
            values[key.value] = self._value(value, (*path, key.value))
        return values
