"""Schemas for making and changing WhatsApp channels."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from gateway.v1.schemas.fields import Body, Changes, ChannelName, Text128, Text255
from realtime_bridge.wuzapi.channels import normalise


def _not_api(name: str) -> str:
    if name == "api":
        raise PydanticCustomError("not_allowed", "Choose another name: api stands for conversations without a channel.")
    return name


# In its one spelling; what has none stays as it is, and is on no list.
BaseUrl = Annotated[Text255, AfterValidator(lambda url: normalise(url) or url)]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]  # it travels in an HTTP header
HmacKey = Annotated[str, StringConstraints(min_length=32, max_length=255)]  # 32 is WUZAPI's own minimum


class CreateChannel(Body):
    kind: Literal["wuzapi"] = "wuzapi"
    name: Annotated[ChannelName, AfterValidator(_not_api)]
    base_url: BaseUrl
    token: HeaderText = Field(repr=False)
    hmac_key: HmacKey | None = Field(None, repr=False)
    provider_user_id: Text128 | None = None
    enabled: bool = True


class ChangeChannel(Changes):
    base_url: BaseUrl | None = None
    token: HeaderText | None = Field(None, repr=False)
    hmac_key: HmacKey | None = Field(None, repr=False)
    provider_user_id: Text128 | None = None
    enabled: bool | None = None
