"""The tree of failures."""

from collections.abc import Iterator

from gateway.errors import ProblemError


def _all(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _all(child)


def test_codes_are_stable_words_and_never_shared() -> None:
    """A client switches on `code`: one meaning each, and only of letters and underscores."""
    leaves = [kind for kind in _all(ProblemError) if not kind.__subclasses__()]
    codes = [kind.code for kind in leaves]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
