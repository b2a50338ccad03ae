"""How the usage dashboard says its numbers: figures, the chart's values, the table of counts, CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.queries.usage import Summary, UsageFilters, UsageRow, VersionUse


@dataclass(frozen=True)
class Figure:
    """One number at the top; ``url`` leads to the rows behind it."""

    label: str
    number: str
    note: str
    icon: str
    tone: str
    meaning: str
    url: str
    chosen: bool


def _share(part: int, total: int) -> str:
    return f"{part * 100 // total} % of {total}" if total else ""


def figures(counts: Summary, filters: UsageFilters) -> list[Figure]:
    """Counts in the scope that is chosen; the state is what each of them chooses."""
    percent = counts.percent_up_to_date

    def figure(state: str, label: str, number: Any, note: str, icon: str, tone: str, meaning: str) -> Figure:
        url = (filters.as_query(state=state) or "?") + "#rows"
        return Figure(label, str(number), note, icon, tone, meaning, url, filters.state == state)

    return [
        figure(
            "", "Deployed", counts.total, "in this scope", "", "",
            "Environments, service instances and pipelines in the scope chosen above.",
        ),
        figure(
            "UP_TO_DATE", "Up to date", "—" if percent is None else f"{percent} %",
            f"{counts.up_to_date} of {counts.total}", "circle-check", "good",
            "Runs its template's recommended version (the highest published one), or a newer draft. Rounded down.",
        ),
        figure(
            "BEHIND_MINOR", "Behind, minor", counts.behind_minor, _share(counts.behind_minor, counts.total),
            "arrow-up", "warn" if counts.behind_minor else "",
            "The recommended major version, but a lower minor. An update takes the same inputs.",
        ),
        figure(
            "BEHIND_MAJOR", "Behind, major", counts.behind_major, _share(counts.behind_major, counts.total),
            "arrow-big-up", "bad" if counts.behind_major else "",
            "A lower major version than the recommended one. An update may ask for new inputs.",
        ),
        figure(
            "FAILED", "Failing", counts.failed, "last deployment failed", "circle-x", "bad" if counts.failed else "",
            "The last deployment failed, whichever version runs. Counted beside the other states.",
        ),
        figure(
            "IN_PROGRESS", "In progress", counts.in_progress, "deploying now", "loader-2",
            "busy" if counts.in_progress else "", "A deployment is running. Counted beside the other states.",
        ),
    ]  # fmt: skip


def template_key(use: Any) -> str:
    return f"{use.template.kind}/{use.template.name}"


def chart(uses: Sequence[VersionUse], filters: UsageFilters) -> list[dict[str, Any]]:
    """For charts.js: templates with their versions, the lowest first, each with its count and the link to its rows."""
    found: dict[str, dict[str, Any]] = {}
    for use in reversed(uses):
        bar = found.setdefault(template_key(use), {"name": use.template.name, "versions": []})
        bar["versions"].append(
            {
                "number": use.version.number,
                "count": use.total,
                "state": str(use.distance.status),
                "url": filters.as_query(template=template_key(use), version=use.version.number) + "#rows",
            }
        )
    return list(found.values())[::-1]


@dataclass(frozen=True)
class Cell:
    count: int
    url: str


@dataclass(frozen=True)
class MatrixRow:
    """One version's line: ``first`` is the number of lines of its template where a template begins, else 0."""

    use: VersionUse
    first: int
    cells: tuple[Cell, ...]
    total: Cell


def matrix_table(uses: Sequence[VersionUse], accounts: Sequence[str], filters: UsageFilters) -> list[MatrixRow]:
    """Lines for ``accounts``, in their order."""
    lines: dict[int, int] = {}
    for use in uses:
        lines[use.template.pk] = lines.get(use.template.pk, 0) + 1
    seen: set[int] = set()
    found = []
    for use in uses:
        key, number = template_key(use), use.version.number
        cells = tuple(
            Cell(
                use.by_account.get(account, 0),
                filters.as_query(template=key, version=number, account=account) + "#rows",
            )
            for account in accounts
        )
        total = Cell(use.total, filters.as_query(template=key, version=number) + "#rows")
        found.append(MatrixRow(use, 0 if use.template.pk in seen else lines[use.template.pk], cells, total))
        seen.add(use.template.pk)
    return found


COLUMNS = (
    "type", "name", "template_kind", "template", "version", "recommended_version", "state", "versions_behind",
    "behind_since", "deployment_status", "account_id", "account_name", "region", "team", "deployed_at", "arn",
)  # fmt: skip


def _safe(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t"} else text


def as_csv(rows: Iterable[UsageRow], names: Mapping[str, str]) -> str:
    """All of ``rows``, times in ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        behind = row.distance
        cells = (
            row.type, row.name, row.template.kind, row.template.name, row.version and row.version.number,
            behind.recommended and behind.recommended.number, behind.status, behind.versions,
            behind.since and behind.since.isoformat(timespec="seconds"), row.status, row.account_id,
            names.get(row.account_id, ""), row.region, row.team,
            row.deployed_at and row.deployed_at.isoformat(timespec="seconds"), row.arn,
        )  # fmt: skip
        writer.writerow([_safe(cell) for cell in cells])
    return out.getvalue()
