"""Schema for changing an account."""

from pydantic import Field

from gateway.v1.schemas.fields import Changes


class ChangeAccount(Changes):
    content_html: bool = Field(
        default=False, description="Whether what people write goes out with its safe HTML form, on every way."
    )
