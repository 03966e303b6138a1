"""The checks, one a file. Each file holds its own passing and failing examples."""

from collections.abc import Callable, Mapping
from typing import Any

from guardrails.checks import (
    brand_voice,
    deliverability,
    display,
    duplicates,
    format,
    grounding,
    intent,
    language,
    legal,
    merge_tags,
    personal_data,
    phrases,
    profanity,
)
from guardrails.embeddings import Embedder
from guardrails.errors import GuardrailsError, PolicyError
from guardrails.policy import ALL, CheckPolicy, Policy
from guardrails.types import Adjustable, Brand, Check

Options = Mapping[str, Any]

CHECKS: dict[str, Callable[[Options, Embedder], Check]] = {
    "format": lambda options, _: format.Format(**options),
    "merge_tags": lambda options, _: merge_tags.MergeTags(**options),
    "display": lambda options, _: display.Display(**options),
    "deliverability": lambda options, _: deliverability.Deliverability(**options),
    "duplicates": lambda options, _: duplicates.Duplicates(**options),
    "profanity": lambda options, _: profanity.Profanity(**options),
    "phrases": lambda options, _: phrases.Phrases(**options),
    "personal_data": lambda options, _: personal_data.PersonalData(**options),
    "language": lambda options, _: language.Language(**options),
    "legal": lambda options, _: legal.Legal(**options),
    "grounding": lambda options, _: grounding.Grounding(**options),
    "intent": lambda options, embedder: intent.IntentCheck(embedder, **options),
    "brand_voice": lambda options, embedder: brand_voice.BrandVoice(embedder, **options),
}
"""Each check by its name, made from its options and the shared embedder."""


def build(
    policy: Policy, embedder: Embedder, ready: Mapping[str, Check] | None = None
) -> list[Check]:
    """The checks that `policy` names, in its order; those in `ready` are taken as they are.

    Raises:
        PolicyError: an unknown check, option or rule, or a check that can't be made. The message
            names the file and the key.
    """
    checks = []
    for name, entry in policy.file.checks.items():
        if name not in CHECKS:
            known = ", ".join(sorted(CHECKS))
            raise PolicyError(f"{policy.place(f'checks.{name}')} is unknown. Known: {known}.")
        check = (ready or {}).get(name) or _make(policy, name, entry.options, embedder)
        _know_rules(policy, check, entry)
        checks.append(check)
    return checks


def _make(policy: Policy, name: str, options: Options, embedder: Embedder) -> Check:
    if options:
        _know_options(policy, _make(policy, name, {}, embedder), options)
    own = {"own": policy.packs} if name == legal.Legal.name and policy.packs else {}
    try:
        return CHECKS[name]({**options, **own}, embedder)
    except TypeError as error:
        raise PolicyError(f"{policy.place(f'checks.{name}.options')}: {error}") from error
    except GuardrailsError as error:
        key = "own_packs" if own else f"checks.{name}"
        raise PolicyError(f"{policy.place(key)}: {error}") from error


def _know_options(policy: Policy, check: Check, options: Options) -> None:
    """Hold `options` to those of the check.

    Raises:
        PolicyError: there is no such option, or it can't have such a value.
    """
    known = check.options(Brand()) if isinstance(check, Adjustable) else {}
    for name, given in options.items():
        place = policy.place(f"checks.{check.name}.options.{name}")
        if name not in known:
            raise PolicyError(f"{place} is unknown. Known: {', '.join(sorted(known)) or 'none'}.")
        if isinstance(known[name].value, frozenset):
            if not (isinstance(given, list) and all(isinstance(each, str) for each in given)):
                raise PolicyError(f"{place}: it is {given!r}; write a list of names.")
            continue
        least, most = known[name].least, known[name].most
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not least <= given <= most:
            raise PolicyError(
                f"{place}: it is {given!r}; write a number from {least:g} to {most:g}."
            )


def _know_rules(policy: Policy, check: Check, entry: CheckPolicy) -> None:
    """Hold the rules that `entry` names to those of the check.

    Raises:
        PolicyError: there is no such rule.
    """
    for key, named in [("severities", entry.severities), ("exceptions", entry.exceptions)]:
        for rule in named:
            if rule not in check.rules and (key, rule) != ("exceptions", ALL):
                known = ", ".join(sorted(check.rules))
                place = policy.place(f"checks.{check.name}.{key}")
                raise PolicyError(f"{place}: {rule!r} is no rule of it. Known: {known}.")
