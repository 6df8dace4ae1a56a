"""The facts of a running stack, also those that an `up` of another version has written."""

import json
from pathlib import Path

import pytest

from ops.embedded.ready import FILE_NAME, read_ready
from ops.errors import OpsError
from tests.stack_facts import READY


def test_what_up_wrote_is_read(tmp_path: Path) -> None:
    """Every field."""
    READY.write(tmp_path)
    assert read_ready(tmp_path) == READY


@pytest.mark.parametrize("name", sorted(json.loads(READY.to_json())))
def test_facts_of_an_older_up_say_to_restart_it(tmp_path: Path, name: str) -> None:
    """Whatever it did not write yet: one sentence, which names the command."""
    READY.write(tmp_path)
    facts = json.loads((tmp_path / FILE_NAME).read_text())
    del facts[name]
    (tmp_path / FILE_NAME).write_text(json.dumps(facts))
    with pytest.raises(OpsError, match=rf"another version \({name} is missing\): .* restart \./ops/up"):
        read_ready(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"users": 1}', "null"])
def test_what_is_no_facts_at_all_is_said_to_be_unreadable(tmp_path: Path, text: str) -> None:
    """The same sentence, and no traceback."""
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(OpsError, match=r"restart \./ops/up"):
        read_ready(tmp_path)
