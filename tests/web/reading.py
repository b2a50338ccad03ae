"""Reading pages in tests."""

import re


def values(page: str, name: str) -> list[str]:
    """The values of the inputs of this name."""
    tags = [tag for tag in re.findall(r"<input [^>]*>", page) if f'name="{name}"' in tag]
    return [found[1] for tag in tags if (found := re.search(r' value="([^"]*)"', tag))]
