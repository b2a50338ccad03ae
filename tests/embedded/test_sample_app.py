"""The sample repository that `make run` makes."""

import subprocess
import sys

import pytest

from portal import forges
from portal.embedded import demo, sample_app
from portal.enums import Role
from portal.models import Repository
from tests.factories import rows


@pytest.mark.django_db
def test_the_sample_repository_is_made_and_linked_once(local_forge):
    platform = rows.person("pat", Role.PLATFORM)
    assert [demo.make_repository(platform), demo.make_repository(platform)] == ["", ""]
    row = Repository.objects.get()
    _, there = forges.forge(row.provider, row.name)
    head = local_forge.head(there, "main")
    assert (row.name, set(local_forge.tree(there, head))) == (sample_app.NAME, set(sample_app.FILES))


@pytest.mark.django_db
def test_without_git_the_demo_goes_on_and_says_so(local_forge, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    said = demo.make_repository(rows.person("pat", Role.PLATFORM))
    assert ("git is not installed" in said, Repository.objects.count()) == (True, 0)


def test_the_tests_of_the_sample_application_pass(tmp_path):
    for path, text in sample_app.FILES.items():
        (tmp_path / path).write_text(text)
    done = subprocess.run([sys.executable, "-m", "unittest", "-q"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Ran 2 tests" in done.stderr) == (0, True), done.stderr
