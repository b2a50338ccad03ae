"""How far versions are behind their template's recommended one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.enums import Staleness, TemplateVersionStatus
from portal.models import Template, TemplateVersion
from portal.models.deployments import Deployable


@dataclass(frozen=True)
class Distance:
    """How far a version is behind its template's recommended one.

    ``versions`` counts the published versions between, the recommended one included; ``since`` is when the first of
    them was published. Newer than recommended, or nothing recommended: up to date (AWS Proton compares with the
    template's recommended version only).
    """

    status: Staleness
    versions: int = 0
    since: datetime | None = None
    recommended: TemplateVersion | None = None

    @property
    def is_behind(self) -> bool:
        return self.status != Staleness.UP_TO_DATE

    @property
    def label(self) -> str:
        """ "up to date", "2 versions behind (minor)", "1 version behind (major)"."""
        if not self.is_behind:
            return "up to date"
        size = "major" if self.status == Staleness.BEHIND_MAJOR else "minor"
        return f"{self.versions} version{'s' if self.versions != 1 else ''} behind ({size})"


def distance(
    version: TemplateVersion | None, recommended: TemplateVersion | None, published: Sequence[TemplateVersion]
) -> Distance:
    """``published`` is every published version of the template, in any order."""
    if version is None or recommended is None:
        return Distance(Staleness.UP_TO_DATE, recommended=recommended)
    here, there = (version.major, version.minor), (recommended.major, recommended.minor)
    if here >= there:
        return Distance(Staleness.UP_TO_DATE, recommended=recommended)
    between = [row for row in published if here < (row.major, row.minor) <= there]
    since = min((row.published_at for row in between if row.published_at), default=None)
    status = Staleness.BEHIND_MAJOR if version.major < recommended.major else Staleness.BEHIND_MINOR
    return Distance(status, len(between), since, recommended)


def distance_of(target: Deployable, template: Template) -> Distance:
    """The distance of one environment, instance or pipeline."""
    rows = published_versions([template.pk]).get(template.pk, [])
    return distance(target.shown_version, rows[0] if rows else None, rows)


def distances_of(targets: Iterable[tuple[Deployable, Template]]) -> dict[str, Distance]:
    """The distance of each, by its ARN. One query, however many there are."""
    pairs = list(targets)
    published = published_versions({template.pk for _, template in pairs})
    found = {}
    for target, template in pairs:
        rows = published.get(template.pk, [])
        found[target.arn] = distance(target.shown_version, rows[0] if rows else None, rows)
    return found


def published_versions(template_ids: Iterable[int] | None = None) -> dict[int, list[TemplateVersion]]:
    """Published versions by template, the highest (recommended) first. One query."""
    rows = TemplateVersion.objects.filter(status=TemplateVersionStatus.PUBLISHED).order_by("-major", "-minor")
    rows = rows.select_related("template").defer("schema", "problems")
    if template_ids is not None:
        rows = rows.filter(template_id__in=template_ids)
    grouped: dict[int, list[TemplateVersion]] = {}
    for row in rows:
        grouped.setdefault(row.template_id, []).append(row)
    return grouped
