"""The lock files against pyproject.toml."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
LOCKS = {"requirements.lock": ("embedded",), "requirements-dev.lock": ("embedded", "dev")}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def locked(lock: str) -> dict[str, str]:
    pairs = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {normalised(name): version for name, version in pairs}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_locked(lock: str) -> None:
    """A dependency that is added without `ops/lock` would be missing on a fresh machine."""
    table = project()
    extras = [name for extra in LOCKS[lock] for name in table["optional-dependencies"][extra]]
    wanted = [*table["dependencies"], *extras]
    assert {normalised(name) for name in wanted} <= set(locked(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_hashes_everything(lock: str) -> None:
    """A lock works with any mirror, and accepts only what was locked."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_both_locks_hold_the_same_versions() -> None:
    """The development lock serves for running, too."""
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= development.items()


@pytest.mark.parametrize("python", ["3.11.0", "3.11.2", "3.12.0", "3.13.0", "3.14.0"])
def test_a_lock_serves_every_python(python: str) -> None:
    """What a package needs only on another Python than the one that wrote the lock is locked, too."""
    environment = {"python_full_version": python, "python_version": python.rsplit(".", 1)[0], "extra": ""}
    versions = locked("requirements-dev.lock")
    for distribution in importlib.metadata.distributions():
        if normalised(distribution.name) in versions:
            for text in distribution.requires or ():
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate(environment):
                    assert normalised(requirement.name) in versions, f"{distribution.name} needs {text}"
