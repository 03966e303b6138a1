"""Guardrails for short marketing texts: what is wrong, where, why and by which rule.

A library of its own: it knows texts, brands and briefs as plain types and never changes a text.

    from guardrails import Guardrails, Item
    report = Guardrails().check([Item(subject="Win a free cruise!!!")])[0]
    report.verdict  # "block"
"""

from guardrails.errors import GuardrailsError, PolicyError
from guardrails.policy import Policy
from guardrails.run import Guardrails
from guardrails.types import (
    Brand,
    Brief,
    Copy,
    Finding,
    Item,
    Limits,
    MergeTag,
    Offer,
    Report,
    Segment,
)
from guardrails.waivers import Waiver

__all__ = [
    "Brand",
    "Brief",
    "Copy",
    "Finding",
    "Guardrails",
    "GuardrailsError",
    "Item",
    "Limits",
    "MergeTag",
    "Offer",
    "Policy",
    "PolicyError",
    "Report",
    "Segment",
    "Waiver",
]
