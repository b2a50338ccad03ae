"""The words that every page is written in: icons, badges, times, buttons. Built in, so nothing needs loading."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import template
from django.forms import CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template.context import RequestContext
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from portal.web.looks import look
from provisioning.problems import Problem

register = template.Library()
_FENCED = re.compile(r"^(`{3,})[a-z]*\n(.*?)^\1$\n?", re.DOTALL | re.MULTILINE)  # text, fence, code, text, …
_CODE = re.compile(r"`([^`\n]+)`")
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f<>\"']+")

UNITS = (
    (86_400 * 365, "year"),
    (86_400 * 30, "month"),
    (86_400 * 7, "week"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
)


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of the sprite. Decoration, unless ``label`` says what it means."""
    href = f"{static('vendor/icons.svg')}#{name}"
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html('<svg class="icon {}" {} focusable="false"><use href="{}"></use></svg>', css, spoken, href)


@register.simple_tag
def status(value: str, word: str = "") -> SafeString:
    """A badge for any enum's value: icon, word and colour. ``word`` replaces the usual one."""
    if not value:
        return mark_safe("")
    shown = look(value)
    spin = "icon-spin" if shown.icon == "loader-2" else ""
    return format_html(
        '<span class="tag tag-{}">{}{}</span>', shown.tone, icon(shown.icon, css=spin), word or shown.label
    )


def ago(seconds: float) -> str:
    """ "just now", "3 minutes ago", "2 days ago"; "in 5 minutes" for what is still to come."""
    for size, unit in UNITS:
        count = int(abs(seconds) // size)
        if count:
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now"


@register.simple_tag
def since(at: datetime | None, missing: str = "—") -> SafeString:
    """A time relative to now; the exact one (UTC) in its title."""
    if not at:  # a template gives "" for what is not there
        return format_html('<span class="text-secondary">{}</span>', missing)
    at = at.astimezone(timezone.get_default_timezone())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        ago((timezone.now() - at).total_seconds()),
    )


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as "4 s", "3 min 20 s", "2 h 5 min"; "" for None. Takes a timedelta, too."""
    if seconds is None:
        return ""
    total = int(seconds.total_seconds() if hasattr(seconds, "total_seconds") else seconds)
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@register.simple_tag
def version_badge(version: Any, recommended: bool = False) -> SafeString:
    """A version's number ("2.1" or a TemplateVersion); with a star where it is the recommended one; "—" for None."""
    if version is None or version == "":
        return mark_safe('<span class="text-secondary">—</span>')
    number = getattr(version, "number", version)
    draft = mark_safe(' <span class="version-note">draft</span>') if getattr(version, "status", "") == "DRAFT" else ""
    star = icon("star-filled", label="recommended") if recommended else ""
    return format_html('<span class="version">{}{}{}</span>', number, draft, star)


@register.simple_tag
def distance(value: Any) -> SafeString:
    """How far something is behind its template's recommended version: word, number and since when."""
    shown = look(value.status)
    text = getattr(value, "label", "") or shown.label
    badge = format_html('<span class="tag tag-{}">{}{}</span>', shown.tone, icon(shown.icon), text)
    if value.since is None or value.status == "UP_TO_DATE":
        return badge
    return format_html('{} <span class="distance-since">since {}</span>', badge, since(value.since))


@register.simple_tag
def copy_button(text: str = "", target: str = "", label: str = "Copy") -> SafeString:
    """Copies ``text``, or the text of the element whose id is ``target``. Shown only where scripts run."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" data-copy-from="{}" {} hidden>{}{}</button>',
        text,
        target,
        format_html('aria-label="{}" title="{}"', label, label),
        icon("copy", css="copy-icon"),
        icon("check", css="copied-icon"),
    )


@register.simple_tag
def copy(text: str) -> SafeString:
    """Monospaced text with a copy button."""
    return _copyable(text, format_html("<code>{}</code>", text))


@register.simple_tag
def output_value(text: str) -> SafeString:
    """The same; what is an address of the web is a link."""
    if not _WEB_ADDRESS.fullmatch(text):
        return copy(text)
    link = format_html('<a class="text-break" href="{}" rel="noopener noreferrer"><code>{}</code></a>', text, text)
    return _copyable(text, link)


def _copyable(text: str, shown: SafeString) -> SafeString:
    return format_html('<span class="copyable">{}{}</span>', shown, copy_button(text=str(text), label=f"Copy {text}"))


@register.filter
def pull_text(text: str) -> SafeString:
    """The text of a pull request as far as the portal itself writes Markdown: blocks of code, and words of it."""
    texts = _FENCED.split(text)
    return format_html_join("", "{}", ((_drawn(index % 3, part),) for index, part in enumerate(texts)))


def _drawn(kind: int, text: str) -> SafeString | str:
    """Of what splitting leaves: text, a fence, code."""
    if kind == 2:
        return format_html('<pre tabindex="0">{}</pre>', text)
    if kind == 1 or not text.strip():
        return ""
    words = ((word if index % 2 == 0 else format_html("<code>{}</code>", word),) for index, word in _words(text))
    return format_html('<div class="pull-words">{}</div>', format_html_join("", "{}", words))


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Plain and marked as code in turns."""
    return enumerate(_CODE.split(text.strip("\n")))


@register.filter
def pointer_id(pointer: str) -> str:
    """The DOM id of the field whose name is this JSON pointer: letters, digits and "-" only, one id per pointer."""
    return "f" + re.sub(r"[^A-Za-z0-9/_]", lambda match: f"-{ord(match[0]):x}-", pointer).replace("/", "--")


@register.filter
def place(problem: Problem | dict[str, Any]) -> str:
    """Where a problem is: "infrastructure/main.yaml:12", or ""."""
    value = problem if isinstance(problem, dict) else vars(problem)
    return ":".join(str(part) for part in (value.get("file"), value.get("line")) if part)


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """This page's query string with changes; None or "" takes a member out. Always starts over at the first page."""
    values = context["request"].GET.copy()
    for name, value in {"page": None, **changes}.items():
        values.pop(name, None)
        if value not in (None, ""):
            values[name] = value
    return f"?{values.urlencode()}" if values else "?"


@register.simple_tag
def hint(text: str, label: str = "What this means") -> SafeString:
    """A definition, shown on hover and on focus."""
    return format_html(
        '<span class="hint" tabindex="0" role="note" aria-label="{}: {}" data-hint="{}">{}</span>',
        label,
        text,
        text,
        icon("help-circle"),
    )


@register.simple_tag
def action(label: str, href: str, icon_name: str = "", style: str = "", ask: str = "") -> SafeString:
    """A link that looks like a button. ``ask`` ("an admin") shows it disabled, with whom to ask."""
    picture = icon(icon_name) if icon_name else ""
    css = f"btn btn-{style}" if style else "btn"
    if ask:
        return format_html(
            '<span class="btn disabled-action hint" role="link" aria-disabled="true" tabindex="0" '
            'data-hint="Ask {}" aria-label="{}: ask {}">{}{}</span>',
            ask,
            label,
            ask,
            picture,
            label,
        )
    return format_html('<a class="{}" href="{}">{}{}</a>', css, href, picture, label)


@register.filter
def said(value: Any) -> str:
    """A value in words: mappings as "key: value", lists with commas, true and false as they are typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {said(one)}" for name, one in value.items())
    return ", ".join(said(one) for one in value) if isinstance(value, list) else str(value)


@register.filter
def as_json(value: Any) -> str:
    """JSON for a data attribute, which escapes it: htmx drops script elements from the parts that it swaps."""
    return json.dumps(value)


@register.filter
def lines(text: str) -> list[str]:
    """The lines of a file, for a listing with numbers."""
    return text.splitlines()


@register.filter
def get(mapping: dict[Any, Any], key: Any) -> Any:
    """A value by a key that is itself a variable; "" where there is none."""
    return mapping.get(key, "")


@register.inclusion_tag("ui/field.html")
def field(bound: Any) -> dict[str, Any]:
    """One field of a fixed form: label, help, control, problems."""
    widget = bound.field.widget
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return {"field": bound, "look": "choices"}
    return {"field": bound, "look": "tick" if isinstance(widget, CheckboxInput) else "line"}


@register.inclusion_tag("ui/summary.html")
def summary(form: Any) -> dict[str, Any]:
    """Every problem of a fixed form, each a link to its field. app.js moves the focus here."""
    problems = []
    for name, texts in form.errors.items():
        bound = form[name] if name in form.fields else None
        where = (bound.id_for_label or bound.auto_id, bound.label) if bound else ("", "")
        problems += [(*where, text) for text in texts]
    return {"problems": problems}
