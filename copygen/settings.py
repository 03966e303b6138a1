"""Settings: read once from environment variables `COPYGEN_…` and passed in from there."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from copygen.errors import InvalidInput


class Settings(BaseSettings):
    """All settings. The description of each is what `copygen settings` and the README print."""

    model_config = SettingsConfigDict(env_prefix="COPYGEN_", extra="ignore", frozen=True)

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
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs; auto: CUDA where there is one."
    )
    threads: int = Field(
        default=0, ge=0, description="CPU threads of the model; 0: as many as there are cores."
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
            raise InvalidInput(
                f"{name}: {first['msg'].removeprefix('Value error, ')}.", field=name
            ) from error
        if "?" in str(settings.home):
            raise InvalidInput("COPYGEN_HOME: a path without '?', please.", field="COPYGEN_HOME")
        return settings.model_copy(
            update={
                "home": settings.home.expanduser().absolute(),
                "cache": settings.cache.expanduser().absolute(),
            }
        )

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home / 'copygen.sqlite'}"

    @property
    def workflows_url(self) -> str:
        """SQLAlchemy URL of the workflow engine's own tables."""
        return self.database_url or f"sqlite:///{self.home / 'workflows.sqlite'}"
