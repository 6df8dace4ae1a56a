"""The operator's list of WUZAPI servers."""

import pytest

from realtime_bridge.shared.environment import ConfigurationError, Environment
from realtime_bridge.wuzapi.channels import allowed_servers, normalise


def test_spellings_of_one_server_are_one() -> None:
    """Case of the host, a final slash and white space make no difference."""
    words = "http://WuzAPI:8080/, https://wa.example.com/base/ http://wuzapi:8080"
    assert allowed_servers(Environment({"CROSSFADE_WUZAPI_URLS": words})) == {
        "http://wuzapi:8080",
        "https://wa.example.com/base",
    }


def test_without_the_variable_no_server_may_be_named() -> None:
    """The default is to call nobody."""
    assert allowed_servers(Environment({})) == frozenset()


@pytest.mark.parametrize(
    "url",
    ["", "wuzapi:8080", "ftp://wuzapi", "http://", "http://u:p@wuzapi", "http://w/?a=1", "http://w/#x", "http://w:x/"],
)
def test_an_unusable_url_is_refused(url: str) -> None:
    """What cannot be a base URL has no spelling, and is named as a mistake of the operator's."""
    assert normalise(url) == ""
    if url:
        with pytest.raises(ConfigurationError, match="CROSSFADE_WUZAPI_URLS"):
            allowed_servers(Environment({"CROSSFADE_WUZAPI_URLS": url}))
