"""Settings: read once from environment variables `COPYGEN_…` and passed in from there."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from copygen.errors import InvalidInput


class Settings(BaseSettings):
    """All settings. The description of each is what `copygen settings` and the README print."""

    model_config = SettingsConfigDict(
        env_prefix="COPYGEN_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(
        default=Path("~/.copygen"), description="Folder of the SQLite files and adapters."
    )
    cache: Path = Field(
        default=Path("~/.cache/copygen"),
        description="Folder of converted model weights, shared by all homes.",
    )
    database_url: str = Field(
        default="", description="SQLAlchemy URL of the store; empty: a SQLite file in the home."
    )
    model: str = Field(
        default="",
        description=(
            "A local Hugging Face folder, a GGUF file or a hub id; "
            "empty: SmolLM2-135M-Instruct from its package, with the packaged adapter."
        ),
    )
    model_sha256: str = Field(
        default="",
        description=(
            "SHA-256 that the weights must have, as `copygen models` shows it; empty: not checked."
        ),
    )
    generator: Literal["transformer", "openai"] = Field(
        default="transformer",
        description="What writes: `transformer`, a model here; `openai`, a server elsewhere.",
    )
    openai_base_url: str = Field(
        default="",
        description="Base URL of an OpenAI-compatible server; several, with commas, share the load.",
    )
    openai_model: str = Field(
        default="", description="Name of the model on that server; empty: `COPYGEN_MODEL`."
    )
    openai_api_key: SecretStr = Field(
        default=SecretStr(""), description="Key for that server, where it wants one."
    )
    openai_concurrency: int = Field(
        default=8, ge=1, le=256, description="Candidates asked of all servers at the same time."
    )
    openai_timeout: float = Field(
        default=60, gt=0, le=3600, description="Longest wait for one candidate, in seconds."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs; auto: CUDA where there is one."
    )
    threads: int = Field(
        default=0, ge=0, description="CPU threads of the model; 0: as many as there are cores."
    )
    number_format: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        default="auto",
        description=(
            "What the model computes in; auto: the fastest here at equal quality, measured once."
        ),
    )
    policy: Path | None = Field(
        default=None, description="A guardrails policy file in place of the packaged one."
    )
    host: str = Field(default="127.0.0.1", description="Address that `copygen serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of `copygen serve`.")
    secure_cookies: bool = Field(
        default=False, description="Send the login cookie over HTTPS only; set it behind HTTPS."
    )

    @field_validator("model_sha256")
    @classmethod
    def _is_sha256(cls, value: str) -> str:
        if not re.fullmatch(r"([0-9a-fA-F]{64})?", value):
            raise ValueError("64 hexadecimal digits are needed, or nothing")
        return value.lower()

    @field_validator("openai_base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        for each in _listed(value):
            url = None
            with suppress(ValidationError):
                url = TypeAdapter(HttpUrl).validate_python(each)
            if url is None or url.query is not None or url.fragment is not None:
                # It isn't quoted: it may hold a password.
                raise ValueError(
                    "http:// or https:// addresses are wanted, like http://localhost:8000/v1, "
                    "with commas between them"
                )
        return value

    @field_validator("openai_api_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError("it holds characters that no key has")
        return SecretStr(key)

    @model_validator(mode="after")
    def _names_a_server(self) -> "Settings":
        if self.generator == "openai" and not self.openai_base_urls:
            raise InvalidInput(
                "COPYGEN_OPENAI_BASE_URL: COPYGEN_GENERATOR is openai, so name the server here, "
                "like http://localhost:8000/v1.",
                field="COPYGEN_OPENAI_BASE_URL",
            )
        if self.generator == "openai" and not self.server_model:
            raise InvalidInput(
                "COPYGEN_OPENAI_MODEL: COPYGEN_GENERATOR is openai, so name the model here as the "
                "server knows it.",
                field="COPYGEN_OPENAI_MODEL",
            )
        return self

    @classmethod
    def load(cls) -> "Settings":
        """Settings from the environment, folders expanded.

        Raises:
            InvalidInput: a variable has a value that can't be used; the message names it.
        """
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"COPYGEN_{first['loc'][0]}".upper()
            problem = first["msg"].removeprefix("Value error, ")
            raise InvalidInput(f"{name}: {problem}.", field=name) from error
        if "?" in str(settings.home):
            raise InvalidInput("COPYGEN_HOME: a path without '?', please.", field="COPYGEN_HOME")
        return settings.model_copy(
            update={
                "home": settings.home.expanduser().absolute(),
                "cache": settings.cache.expanduser().absolute(),
            }
        )

    @property
    def openai_base_urls(self) -> tuple[str, ...]:
        """The servers of `openai_base_url`."""
        return _listed(self.openai_base_url)

    @property
    def server_model(self) -> str:
        """Name of the model on those servers."""
        return self.openai_model or self.model

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home / 'copygen.sqlite'}"

    @property
    def policies(self) -> Path:
        """Folder of the brands' own policies, `SLUG.yaml` each."""
        return self.home / "policies"

    @property
    def workflows_url(self) -> str:
        """SQLAlchemy URL of the workflow engine's own tables."""
        return self.database_url or f"sqlite:///{self.home / 'workflows.sqlite'}"


def _listed(value: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, value.split(","))))
