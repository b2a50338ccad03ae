"""The sprite of icons in use."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management.base import CommandError

from portal.management.commands.vendor_static import sprite

SVG = """<svg class="x"
  viewBox="0 0 24 24">
  <path stroke="none" d="M0 0h24v24H0z" fill="none" />
  <path d="M1 1" />
</svg>"""


@pytest.fixture
def icons(tmp_path):
    for name in ("outline/star.svg", "outline/server-2.svg", "outline/unused.svg", "filled/star.svg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SVG)
    return tmp_path


def test_the_sprite_holds_each_icon_in_use_once(icons):
    texts = [
        (Path("a.html"), '{% icon "star" %}{% include "ui/empty.html" with icon_name="server-2" %}'),
        (Path("b.py"), 'LOOKS = {1: ("star", "good")}; icon("star-filled")'),
    ]
    found = ElementTree.fromstring(sprite(icons, texts))
    assert [(symbol.get("id"), symbol.get("fill"), len(symbol)) for symbol in found] == [
        ("server-2", "none", 1),
        ("star", "none", 1),
        ("star-filled", "currentColor", 1),
    ]


def test_a_name_that_is_no_icon_is_refused_with_its_file(icons):
    with pytest.raises(CommandError, match=r"no such icon: a\.html: starr"):
        sprite(icons, [(Path("a.html"), '{% icon "starr" %}')])
