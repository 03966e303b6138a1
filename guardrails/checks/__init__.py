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
from guardrails.errors import PolicyError
from guardrails.policy import PolicyFile
from guardrails.types import Check

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


def build(policy: PolicyFile, embedder: Embedder) -> list[Check]:
    """The checks that `policy` names, in the order it names them.

    Raises:
        PolicyError: an unknown check or an unknown option.
    """
    checks = []
    for name, entry in policy.checks.items():
        if name not in CHECKS:
            known = ", ".join(sorted(CHECKS))
            raise PolicyError(f"Policy {policy.name}: checks.{name} is unknown. Known: {known}.")
        try:
            checks.append(CHECKS[name](entry.options, embedder))
        except TypeError as error:
            raise PolicyError(f"Policy {policy.name}: checks.{name}.options: {error}") from error
    return checks
