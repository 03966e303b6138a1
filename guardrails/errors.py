"""Errors of the guardrails.

GuardrailsError
├── PolicyError        a policy or rule pack can't be used as it stands
└── EmbeddingsError    the sentence-embedding weights are missing or not the pinned ones
"""


class GuardrailsError(Exception):
    """Base of all errors of the guardrails; its text names the cause and the fix."""


class PolicyError(GuardrailsError):
    """A policy or rule pack can't be used as it stands."""


class EmbeddingsError(GuardrailsError):
    """The sentence-embedding weights are missing or not the pinned ones."""
