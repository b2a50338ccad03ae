"""A policy to paste, as a page shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PolicyDocument:
    """``id`` is its DOM id and the name of its file; ``where`` says where it belongs."""

    id: str
    title: str
    where: str
    text: str
