"""From settings to what writes: the generator, the guardrails, the prompts."""

from pathlib import Path

from copygen.errors import InvalidInput
from copygen.generation import weights
from copygen.generation.transformer import TransformerGenerator
from copygen.resources import data_folder
from copygen.services.writing import Writer
from copygen.settings import Settings
from guardrails import Guardrails, GuardrailsError, Policy


def make_guardrails(policy: Path | None) -> Guardrails:
    """The guardrails of the policy file, or of the packaged one.

    Raises:
        InvalidInput: the policy, or a rule pack that it needs, can't be used.
    """
    try:
        return Guardrails(Policy.load(policy))
    except GuardrailsError as error:
        raise InvalidInput(str(error), field="COPYGEN_POLICY") from error


def make_writer(settings: Settings) -> Writer:
    """The writer that `settings` describe, its model loaded."""
    guardrails = make_guardrails(settings.policy)
    if settings.model_sha256:
        weights.resolve(settings.model, settings.cache, settings.model_sha256)
    generator = TransformerGenerator(
        settings.model, settings.cache, settings.device, settings.threads
    )
    return Writer(generator, guardrails, data_folder("prompts"))
