"""Rule packs: what the law asks of a line, as data. One YAML file a theme, strictly read.

How a pattern is written: a regular expression on normalised text, without regard to case, that
matches whole words. A space stands for white space or hyphens; `<name>` for one of the pack's
`terms`. Repeats are bounded (`{0,3}` in place of `*` and `+`), so that matching stays linear in
the length of the text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guardrails.errors import PolicyError
from guardrails.types import Brief, FieldName, Intent, Severity

PACKS = resources.files("guardrails") / "policies" / "packs"

ALL = "all"
"""Stands for every sector, or every jurisdiction."""

NEAR = 80
"""Characters between a find and words that make it harmless."""

MAX_REPEAT = 120
"""Longest repeat in a pattern; nested repeats multiply."""

TERMS = {
    "gap": r"[^.!?]{0,40}",
    "near": r"[^.!?]{0,20}",
    "money": r"[$£€₹]\s?\d[\d,.]{0,11}[km]?|\d[\d,.]{0,11}\s?(dollars?|pounds|euros?|quid|bucks)",
    "number": r"\d{1,7}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve",
    "weekday": r"(mon|tues|wednes|thurs|fri|satur|sun)day",
    "warning": r"scams?|scammers?|fraud(sters?)?|bogus|hoax(es)?|phishing|myths?",
}
"""Terms that every pack has: `gap` and `near` stay within a sentence."""

# fmt: off
EVERYDAY = frozenset((
    "the", "you", "your", "our", "for", "and", "with", "are", "get", "all", "now", "more", "new",
    "has", "have", "that", "this", "from", "not", "one", "day", "week", "here", "what", "can",
    "will", "over", "just", "only",
))
# fmt: on
"""Words that hardly narrow a search down."""

Kind = Literal["block", "review", "evidence", "disclose"]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

_SPACE = r"[\s\-]{1,3}"
_MAYBE_SPACE = r"[\s\-]{0,3}"
_REFERENCE = re.compile(r"\(\?P=\w+\)")
_TERM = re.compile(r"(?<!\?P)<([a-z_]+)>")
_SPACE_IN_CLASS = re.compile(r"(?<!\\)\[[^\]]* ")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_parse = import_module("re._parser").parse


class Strict(BaseModel):
    """Base of all parts of a pack: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Needs(Strict):
    """What bears a claim; any one is enough, but an `ends_on` that contradicts the brief decides.

    In `facts`, `(?P=name)` is what the rule's pattern matched in its group of that name: numbers
    from one to twelve stand for their words too.
    """

    offer: Sequence[Literal["text", "code", "ends", "terms"]] = Field(
        default=(), description="Fields of the brief's offer, any of which is enough."
    )
    ends_on: str | None = Field(
        default=None, description="Group that names the weekday on which the offer must end."
    )
    facts: Sequence[Text] = Field(
        default=(), description="Patterns, any of which the brief's own words must match."
    )
    text: Sequence[Text] = Field(
        default=(), description="Patterns, any of which the subject or preview must match."
    )


class Example(Strict):
    """A line that a rule must or must not find, with a brief where it takes one."""

    text: Text
    brief: Brief | None = None


class Rule(Strict):
    """One thing that the law forbids, or allows only with something beside it."""

    id: Text
    kind: Kind
    patterns: Sequence[Text] = Field(min_length=1)
    jurisdictions: Sequence[Text] = Field(min_length=1)
    sectors: Sequence[Text] = Field(min_length=1)
    source: Text = Field(description="Statute or code, with its section.")
    why: Text = Field(description="One sentence for a marketer.")
    fix: str = Field(default="", description="What to write instead.")
    intents: Sequence[Intent] = Field(
        default=(), description="The brief's intents for which the rule holds; none is all."
    )
    intent_unknown: Literal["stated", "review"] = Field(
        default="review",
        description="Severity of a rule that names intents, where the brief names none.",
    )
    fields: Sequence[FieldName] = ("subject", "preview")
    unless: Sequence[Text] = Field(
        default=(), description="Patterns of harmless uses: a find that overlaps one is none."
    )
    unless_near: Sequence[Text] = Field(
        default=(), description="Patterns that make a find within `NEAR` characters harmless."
    )
    negatable: bool = Field(
        default=True, description="Whether a 'not' or 'never' just before makes it harmless."
    )
    needs: Needs | None = None
    severity: Severity | None = Field(
        default=None, description="Of a claim that is not borne; review where it is left out."
    )
    passing: Sequence[Example | Text] = Field(min_length=1, alias="pass")
    failing: Sequence[Example | Text] = Field(min_length=1, alias="fail")

    @property
    def stated(self) -> Severity:
        """The severity of what the rule finds, where nothing softens it."""
        if self.kind in ("evidence", "disclose"):
            return self.severity or "review"
        return "block" if self.kind == "block" else "review"


class Pack(Strict):
    """The rules of one theme, the sectors it brings with their aliases, and its terms."""

    name: Text
    about: Text
    sectors: Mapping[str, Sequence[Text]] = Field(
        default_factory=dict, description="Sectors by name, each with its aliases."
    )
    terms: Mapping[str, Text] = Field(
        default_factory=dict, description="Pieces of patterns, by the name that stands for them."
    )
    rules: Sequence[Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, and what a text must hold for it to match: a literal of each set, in lower case.

    The sets stand rarest first; a text that lacks one need not be searched.
    """

    pattern: re.Pattern[str]
    literals: tuple[frozenset[str], ...]


class CompiledRule:
    """A rule ready to match.

    Raises:
        PolicyError: a pattern can't be used; the message names file, rule and key.
    """

    def __init__(self, rule: Rule, pack: Pack, file: str) -> None:
        self.rule = rule
        self.pack = pack.name
        place = f"Rule pack {file}: rule {rule.id}"
        self._place, self._terms = place, TERMS | dict(pack.terms)
        needs = rule.needs or Needs()
        if (rule.needs is None) == (rule.kind in ("evidence", "disclose")):
            raise PolicyError(f"{place}: needs: evidence and disclose rules have it, others don't.")
        if rule.severity and rule.needs is None:
            raise PolicyError(f"{place}: severity: only evidence and disclose rules have it.")
        self.patterns = [self._pattern(each) for each in rule.patterns]
        groups = {group for each in self.patterns for group in each.pattern.groupindex}
        if needs.ends_on is not None and needs.ends_on not in groups:
            raise PolicyError(f"{place}: needs.ends_on: no pattern has a group {needs.ends_on!r}.")
        self.unless = self._alternation(rule.unless, "unless")
        self.unless_near = self._alternation(rule.unless_near, "unless_near")
        self.text = self._alternation(needs.text, "needs.text")
        self.facts = [self._source(each, "needs.facts")[0] for each in needs.facts]

    def _pattern(self, pattern: str) -> "Pattern":
        source, tree = self._source(pattern, "patterns")
        return Pattern(self._compile(source, "patterns"), _required(tree))

    def _alternation(self, patterns: Sequence[str], key: str) -> re.Pattern[str] | None:
        sources = [self._source(each, key)[0] for each in patterns]
        return self._compile("|".join(sources), key) if sources else None

    def _compile(self, source: str, key: str) -> re.Pattern[str]:
        try:
            return re.compile(source, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise PolicyError(f"{self._place}: {key}: {error} in {source!r}.") from error

    def _source(self, pattern: str, key: str) -> tuple[str, Any]:
        """`pattern` as a regular expression, terms and spaces written out, and as it is parsed."""

        def term(match: re.Match[str]) -> str:
            if match[1] not in self._terms:
                raise PolicyError(f"{self._place}: {key}: <{match[1]}> is none of the terms.")
            return f"(?:{self._terms[match[1]]})"

        expanded = _TERM.sub(term, _TERM.sub(term, pattern))
        if _SPACE_IN_CLASS.search(expanded):
            raise PolicyError(f"{self._place}: {key}: {pattern!r}: write \\s for a space in [].")
        spaced = expanded.replace(" ?", _MAYBE_SPACE).replace(" ", _SPACE)
        source = rf"(?<!\w)(?:{spaced})(?!\w)"
        # A back-reference in `needs.facts` is filled in when the rule has matched.
        probe = _REFERENCE.sub("x", source) if key == "needs.facts" else source
        try:
            tree = _parse(probe)
            longest = _longest_repeat(tree)
        except (re.error, OverflowError, RecursionError) as error:
            raise PolicyError(f"{self._place}: {key}: {pattern!r}: {error}.") from error
        if longest > MAX_REPEAT:
            raise PolicyError(
                f"{self._place}: {key}: {pattern!r}: repeats up to {longest} times; "
                f"write {{0,n}}, at most {MAX_REPEAT} with nested ones multiplied."
            )
        return source, tree


class Library:
    """All packs, compiled, and the sectors they know. `own` are packs beside the packaged ones.

    Raises:
        PolicyError: two rules have one id, or a rule names a sector that no pack has.
    """

    def __init__(self, packs: Mapping[str, Pack], own: Mapping[str, Pack] | None = None) -> None:
        # Apart, so that an alias of a pack of one's own takes no word away from a packaged one.
        self._aliases = [_aliases(packs.values()), _aliases((own or {}).values())]
        packs = {**packs, **(own or {})}
        self.rules = [
            CompiledRule(rule, pack, file) for file, pack in packs.items() for rule in pack.rules
        ]
        known = {sector for pack in packs.values() for sector in pack.sectors}
        seen: set[str] = set()
        for file, pack in packs.items():
            for rule in pack.rules:
                if rule.id in seen:
                    raise PolicyError(f"Rule pack {file}: rule {rule.id}: id: it is there twice.")
                seen.add(rule.id)
                for sector in rule.sectors:
                    if sector != ALL and sector not in known:
                        raise PolicyError(
                            f"Rule pack {file}: rule {rule.id}: sectors: no pack has {sector!r}."
                        )

    def sectors(self, text: str) -> frozenset[str]:
        """The sectors that `text`, a brand's own word for its trade, names; none if unknown.

        A longer alias takes its words away from shorter ones: a food bank is no bank.
        """
        found: set[str] = set()
        for aliases in self._aliases:
            words: list[str | None] = [*_words(text)]
            for alias, sectors in aliases.items():
                for start in range(len(words) - len(alias) + 1):
                    if tuple(words[start : start + len(alias)]) == alias:
                        found |= sectors
                        words[start : start + len(alias)] = [None] * len(alias)
        return frozenset(found)


def _aliases(packs: Iterable[Pack]) -> dict[tuple[str, ...], set[str]]:
    """The sectors that each alias of `packs` stands for, the longest alias first."""
    found: dict[tuple[str, ...], set[str]] = {}
    for pack in packs:
        for sector, aliases in pack.sectors.items():
            for alias in (sector, *aliases):
                found.setdefault(_words(alias), set()).add(sector)
    return dict(sorted(found.items(), key=lambda each: -len(each[0])))


def load(folder: Path | None = None, own: Mapping[str, bytes] | None = None) -> Library:
    """Read the packs in `folder`, or the packaged ones, and those of `own`: contents by file.

    Raises:
        PolicyError: a pack can't be read or used; the message names the file, the rule and the key.
    """
    root = PACKS if folder is None else folder
    files = sorted(
        (each for each in root.iterdir() if each.name.endswith(".yaml")), key=lambda each: each.name
    )
    if not files:
        raise PolicyError(f"Rule packs: {root} holds no .yaml file. Install the package again.")
    return Library(
        {each.name: _read(each.name, each.read_bytes()) for each in files},
        {file: _read(file, content) for file, content in (own or {}).items()},
    )


def _read(file: str, content: bytes) -> Pack:
    try:
        raw = yaml.load(content, Loader=_LOADER)  # noqa: S506, both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"Rule pack {file}: can't be read: {error}") from error
    try:
        return Pack.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise PolicyError(f"Rule pack {file}: {_place(raw, first['loc'])}: {first['msg']}.") from (
            error
        )


def _place(raw: Any, location: tuple[int | str, ...]) -> str:
    """Where in the pack: the rule by its id where it has one, and the key."""
    if len(location) < 2 or location[0] != "rules":
        return ".".join(str(part) for part in location) or "the whole file"
    index = location[1]
    rule = raw["rules"][index]
    name = rule.get("id") if isinstance(rule, dict) else None
    key = ".".join(str(part) for part in location[2:]) or "the whole rule"
    return f"rule {name or f'number {int(index) + 1}'}: {key}"


def _words(text: str) -> tuple[str, ...]:
    """Words in lower case and the singular: 'Energy-Suppliers' is ('energy', 'supplier')."""
    return tuple(_singular(word) for word in re.findall(r"[^\W_]+", text.lower()))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _longest_repeat(tree: Any) -> int:
    """The most times that anything in the parsed pattern may repeat, nested repeats multiplied."""
    longest = 1
    for operation, argument in tree:
        name = str(operation)
        inner = max((_longest_repeat(each) for each in _children(argument)), default=1)
        times = int(argument[1]) if name.endswith("REPEAT") else 1
        longest = max(longest, max(times, 1) * inner)
    return longest


def _children(argument: Any) -> Iterator[Any]:
    """The parsed patterns inside an operation's argument."""
    if hasattr(argument, "data"):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for each in argument:
            yield from _children(each)


def _required(tree: Any) -> tuple[frozenset[str], ...]:
    """Sets of literals of each of which any text that matches holds one, rarest first."""
    found: list[frozenset[str]] = []
    run = ""
    for operation, argument in [*tree, ("END", None)]:
        name = str(operation)
        if name == "LITERAL":
            run += chr(argument).lower()
            continue
        if run:
            found.append(frozenset({run}))
            run = ""
        if name == "SUBPATTERN":
            found += _required(argument[-1])
        elif name.endswith("REPEAT") and argument[0] > 0:
            found += _required(argument[2])
        elif name == "BRANCH":
            branches = [_required(each) for each in argument[1]]
            if all(branches):
                found.append(frozenset().union(*(each[0] for each in branches)))
    return tuple(sorted(set(found), key=_commonness))


def _commonness(literals: frozenset[str]) -> tuple[int, int, list[str]]:
    """How readily a set is met by chance: short literals and everyday words are everywhere."""
    shortest = min(1 if each in EVERYDAY else len(each) for each in literals)
    return -shortest, len(literals), sorted(literals)
