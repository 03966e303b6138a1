"""Policies of brands: each may have one of its own, stricter than the policy of all."""

from pathlib import Path

from copygen.errors import InvalidInput
from guardrails import Brand, Guardrails, GuardrailsError, Policy


def for_brand(guardrails: Guardrails, folder: Path | None, brand: Brand) -> Guardrails:
    """`guardrails` under the brand's own policy, `SLUG.yaml` in `folder`, where there is one.

    Raises:
        InvalidInput: it is laxer than the policy of `guardrails`, or can't be used.
    """
    path = folder / f"{brand.slug}.yaml" if folder else None
    if path is None or not path.exists():
        return guardrails
    try:
        return guardrails.under(Policy.load(path), brand)
    except GuardrailsError as error:
        raise InvalidInput(str(error), field="policy") from error
