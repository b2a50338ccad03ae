"""Copy what the pages use of the third-party packages from static/node_modules to static/vendor."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

FILES = (
    "@tabler/core/dist/css/tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js",
    "echarts/dist/echarts.simple.min.js",
)
SOURCE_MAP = re.compile(r"\n?(/\*|//)[#@] sourceMappingURL=[^\n]*")
TAG = re.compile(r"{%.*?%}")
QUOTED = re.compile(r"""["']([a-z0-9]+(?:-[a-z0-9]+)*)["']""")
NAMED_ICON = re.compile(r"""\bicon(?: |\()["']([a-z0-9-]+)["']""")
BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
OUTLINE = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        packages = settings.BASE_DIR / "static" / "node_modules"
        vendor = settings.BASE_DIR / "static" / "vendor"
        vendor.mkdir(exist_ok=True)
        for name in FILES:
            text = (packages / name).read_text(encoding="utf-8")
            (vendor / Path(name).name).write_text(SOURCE_MAP.sub("", text), encoding="utf-8")
        (vendor / "icons.svg").write_text(sprite(packages / "@tabler" / "icons" / "icons", sources()), encoding="utf-8")


def sources() -> list[tuple[Path, str]]:
    """Every file that may name an icon, and the parts of it where it would: tags in pages, all of the code."""
    pages = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
    portal = settings.BASE_DIR / "portal"
    code = sorted(path for part in ("web", "templatetags") for path in (portal / part).rglob("*.py"))
    return [(path, "\n".join(TAG.findall(path.read_text(encoding="utf-8")))) for path in pages] + [
        (path, path.read_text(encoding="utf-8")) for path in code
    ]


def sprite(icons: Path, texts: list[tuple[Path, str]]) -> str:
    """One SVG with a symbol for each icon in use, named as Tabler names it; "star-filled" is the filled star.

    An icon is in use when its name stands in quotes anywhere in ``texts``: most names reach a page through a table.
    Raises CommandError when a name is drawn directly and there is no such icon.
    """
    symbols: dict[str, str] = {}
    missing = []
    for path, text in texts:
        missing += [f"{path}: {name}" for name in NAMED_ICON.findall(text) if not _file(icons, name).exists()]
        for name in QUOTED.findall(text):
            if name not in symbols and _file(icons, name).exists():
                symbols[name] = _symbol(icons, name)
    if missing:
        raise CommandError("no such icon: " + ", ".join(missing))
    body = "\n".join(symbols[name] for name in sorted(symbols))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'


def _file(icons: Path, name: str) -> Path:
    if name.endswith("-filled"):
        return icons / "filled" / f"{name.removesuffix('-filled')}.svg"
    return icons / "outline" / f"{name}.svg"


def _symbol(icons: Path, name: str) -> str:
    found = BODY.search(_file(icons, name).read_text(encoding="utf-8"))
    if found is None:
        raise CommandError(f"{_file(icons, name)} is not an SVG")
    lines = (line.strip() for line in found.group(1).splitlines())
    body = "".join(line for line in lines if line and 'd="M0 0h24v24H0z"' not in line)
    paint = 'fill="currentColor"' if name.endswith("-filled") else OUTLINE
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{body}</symbol>'
