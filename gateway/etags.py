"""A version has one strong ETag for each form in which it is shown; a change may name any of them."""

HTML = "-html"


def with_html(etag: str) -> str:
    """Return the tag of what is shown with its safe form: other bytes, so another strong tag (RFC 9110 §8.8.1)."""
    return f'{etag[:-1]}{HTML}"'


def version_of(tag: str) -> str:
    """Return the ETag of the version that an opaque tag names, in whichever form it was seen."""
    return f'"{tag.removesuffix(HTML)}"'
