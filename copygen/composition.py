"""From settings to what writes: the generator, the guardrails, the prompts."""

from pathlib import Path

from copygen.errors import InvalidInput
from copygen.generation.generator import Sampling
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
    """The writer that `settings` describe, its model loaded where it is a local one."""
    guardrails = make_guardrails(settings.policy)
    prompts = data_folder("prompts")
    # Imported here since each one needs libraries that the other doesn't.
    if settings.generator == "openai":
        from copygen.generation.openai import OpenAIGenerator

        server = OpenAIGenerator(
            settings.openai_base_urls,
            settings.server_model,
            settings.openai_api_key.get_secret_value(),
            concurrency=settings.openai_concurrency,
            timeout_s=settings.openai_timeout,
        )
        return Writer(server, guardrails, prompts, Sampling(top_k=0), settings.policies)
    from copygen.generation.transformer import TransformerGenerator

    local = TransformerGenerator(
        settings.model,
        settings.cache,
        settings.device,
        settings.threads,
        settings.number_format,
        settings.model_sha256,
    )
    return Writer(local, guardrails, prompts, policies=settings.policies)
