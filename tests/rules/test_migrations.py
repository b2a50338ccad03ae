"""Migrations run while processes of the version before still serve: they only add what these can ignore."""

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

TAKES_AWAY = (migrations.RemoveField, migrations.DeleteModel, migrations.RenameField, migrations.RenameModel)


def unsafe(name: str, operations: list[migrations.operations.base.Operation]) -> list[str]:
    """What the version before would stumble over. A migration called "…_removal_…" is for what it no longer uses."""
    found = []
    for operation in operations:
        if isinstance(operation, TAKES_AWAY) and "_removal_" not in name:
            found.append(f"{name}: {operation.describe()}")
        if isinstance(operation, migrations.AddField):
            field = operation.field
            fills_itself = field.null or field.many_to_many or field.db_default is not NOT_PROVIDED
            if not fills_itself:
                found.append(f"{name}: {operation.describe()}: old processes insert rows without it (null, db_default)")
    return found


@pytest.mark.parametrize(
    ("name", "operation", "count"),
    [
        ("0002_colour", migrations.AddField("team", "colour", models.CharField(max_length=9)), 1),
        ("0002_colour", migrations.AddField("team", "colour", models.CharField(max_length=9, db_default="")), 0),
        ("0002_colour", migrations.AddField("team", "colour", models.CharField(max_length=9, null=True)), 0),
        ("0002_colour", migrations.RemoveField("team", "description"), 1),
        ("0003_removal_of_colour", migrations.RemoveField("team", "description"), 0),
        ("0002_colour", migrations.RenameField("team", "description", "text"), 1),
    ],
)
def test_what_is_unsafe_beside_the_version_before(name, operation, count):
    assert len(unsafe(name, [operation])) == count


def test_every_migration_is_safe_beside_the_version_before():
    ours = {
        name: migration
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app == "portal" and not migration.initial
    }
    assert [finding for name, migration in sorted(ours.items()) for finding in unsafe(name, migration.operations)] == []
