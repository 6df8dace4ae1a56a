"""Schemas for announcing and confirming files."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.domain.attachments import MAX_BYTES
from gateway.v1.schemas.fields import Body, Whole, not_blank


def _content_type(value: object) -> object:
    """Without parameters, in lower case: what the list of allowed types has."""
    return value.partition(";")[0].strip().lower() if isinstance(value, str) else value


def _allowed(content_type: str) -> str:
    if content_type not in MAX_BYTES:
        raise PydanticCustomError("not_allowed", "Send one of {types}.", {"types": ", ".join(sorted(MAX_BYTES))})
    return content_type


class CreateAttachment(Body):
    file_name: Annotated[str, StringConstraints(pattern=r'^[^/\\\x00-\x1f\x7f"]{1,200}$'), AfterValidator(not_blank)]
    content_type: Annotated[str, BeforeValidator(_content_type), AfterValidator(_allowed)]
    size_bytes: Annotated[int, Field(ge=1), Whole]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        most = MAX_BYTES[self.content_type]
        if self.size_bytes > most:
            words = {"max": most, "kind": self.content_type}
            raise PydanticCustomError("too_large", "Send at most {max} bytes of {kind}.", words)
        return self
