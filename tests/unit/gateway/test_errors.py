"""The tree of failures and its drawing."""

from collections.abc import Iterator

from gateway import errors
from gateway.errors import ProblemError


def _all(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _all(child)


def test_the_drawn_tree_is_the_tree() -> None:
    """Every class is drawn, and every leaf with its code."""
    drawing = errors.__doc__ or ""
    for kind in _all(ProblemError):
        line = next((line for line in drawing.splitlines() if kind.__name__ in line.split()), "")
        assert line, kind
        if not kind.__subclasses__():
            assert kind.code in line.split(), kind


def test_codes_are_stable_words_and_never_shared() -> None:
    """A client switches on `code`: one meaning each, and only of letters and underscores."""
    leaves = [kind for kind in _all(ProblemError) if not kind.__subclasses__()]
    codes = [kind.code for kind in leaves]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
