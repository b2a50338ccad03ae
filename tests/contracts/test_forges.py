"""What every forge promises, tried on each of them: git repositories of this machine, and GitHub's double."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioning.forges.base import Forge, Repository
from provisioning.forges.errors import Conflicted, InvalidName, Missing, Moved, NothingToMerge
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import App
from provisioning.forges.local import LocalForge
from tests.github.double import APP_ID, GitHubDouble
from tests.github.keys import PRIVATE, PUBLIC
from tests.github.store import Store

FILES = {"README.md": "# Infrastructure\n", "dev/main.tf": "one\ntwo\nthree\nfour\nfive\n"}
NOBODY = "0123456789" * 4


@dataclass
class Bench:
    """One forge with a repository, and a person who works in that repository with git."""

    forge: Forge
    repository: Repository
    person: Store
    merge: Callable[[int], object]

    @property
    def base(self) -> str:
        found = self.forge.head(self.repository, "main")
        assert found is not None
        return found

    def branch(self, name: str = "change", text: str | None = "one\nTWO\nthree\nfour\nfive\n") -> str:
        return self.forge.commit(self.repository, name, self.base, {"dev/main.tf": text}, "Change dev\n\nBecause.")


@pytest.fixture
def local(tmp_path: Path) -> Bench:
    forge = LocalForge(tmp_path / "repositories")
    repository = Repository("LOCAL", "acme/infra", "main")
    forge.create(repository, FILES)
    person = Store(tmp_path / "repositories" / "acme" / "infra.git", "acme", "infra", 1, "main")
    head = lambda number: forge.pull_request(repository, number).head  # noqa: E731
    return Bench(forge, repository, person, lambda number: forge.merge(repository, number, head(number)))


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Bench]:
    with GitHubDouble(tmp_path, app_key=PUBLIC) as double:
        person = double.repository("acme/infra", FILES)
        forge = GitHubForge(App(str(APP_ID), PRIVATE), double.url)
        yield Bench(
            forge,
            Repository("GITHUB", "acme/infra", "main"),
            person,
            lambda number: double.press_merge("acme/infra", number),
        )


@pytest.fixture(params=["local", "github"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


def test_access_says_what_is_allowed_and_what_is_missing(bench: Bench) -> None:
    found = bench.forge.access(bench.repository)
    assert (found.default_branch, found.can_write, found.problem) == ("main", True, "")
    elsewhere = Repository(bench.repository.provider, "acme/infra", "nowhere")
    assert bench.forge.access(elsewhere).problem == "There is no branch nowhere."


def test_a_repository_that_is_not_there_is_said_to_be_missing(bench: Bench) -> None:
    other = Repository(bench.repository.provider, "acme/other")
    for ask in (
        lambda: bench.forge.access(other),
        lambda: bench.forge.head(other, "main"),
        lambda: bench.forge.find_pull_request(other, "main"),
    ):
        with pytest.raises(Exception, match="acme/other") as refused:
            ask()
        assert refused.type.__name__ in ("Missing", "NoAccess")


def test_files_are_listed_and_read_at_a_commit(bench: Bench) -> None:
    tree = bench.forge.tree(bench.repository, bench.base)
    assert set(tree) == {"README.md", "dev/main.tf"}
    assert bench.forge.tree(bench.repository, bench.base, "dev") == {"dev/main.tf": tree["dev/main.tf"]}
    assert bench.forge.tree(bench.repository, bench.base, "prod") == {}
    assert bench.forge.read(bench.repository, bench.base, "README.md") == b"# Infrastructure\n"
    assert bench.forge.read(bench.repository, bench.base, "dev/main.tf") == FILES["dev/main.tf"].encode()
    assert bench.forge.read(bench.repository, bench.base, "dev/other.tf") is None
    assert bench.forge.head(bench.repository, "nowhere") is None


def test_links_are_not_files(bench: Bench) -> None:
    blob = bench.person.blob(b"/etc/passwd")
    tree = bench.person.tree(bench.base, [{"path": "dev/link", "mode": "120000", "sha": blob}])
    sha = bench.person.commit(tree, [bench.base], "A link")
    assert set(bench.forge.tree(bench.repository, sha, "dev")) == {"dev/main.tf"}
    assert bench.forge.read(bench.repository, sha, "dev/link") is None


def test_a_commit_makes_its_branch_and_holds_additions_changes_and_deletions(bench: Bench) -> None:
    changes = {"dev/main.tf": "new\n", "dev/sub/ü.tf": "ü\n", "README.md": None, "never/there": None}
    sha = bench.forge.commit(bench.repository, "proton--x", bench.base, changes, "Title\n\nBody\n")
    assert bench.forge.head(bench.repository, "proton--x") == sha
    assert set(bench.forge.tree(bench.repository, sha)) == {"dev/main.tf", "dev/sub/ü.tf"}
    assert bench.forge.read(bench.repository, sha, "dev/sub/ü.tf") == "ü\n".encode()
    found = bench.forge.commit_at(bench.repository, sha)
    assert (found.sha, found.parents, found.message) == (sha, (bench.base,), "Title\n\nBody")


def test_a_commit_that_is_repeated_finds_itself(bench: Bench) -> None:
    base = bench.base
    changes = {"dev/main.tf": "new\n", "README.md": None}
    first = bench.forge.commit(bench.repository, "change", base, changes, "Title")
    assert bench.forge.commit(bench.repository, "change", base, changes, "Title") == first
    second = bench.forge.commit(bench.repository, "change", first, {"more.tf": "more\n"}, "More")
    assert bench.forge.commit(bench.repository, "change", first, {"more.tf": "more\n"}, "More") == second
    assert bench.forge.head(bench.repository, "change") == second


def test_what_a_person_put_on_a_branch_is_never_overwritten(bench: Bench) -> None:
    base = bench.base
    bench.branch("change")
    theirs = bench.person.put("change", {"dev/main.tf": "theirs\n"})
    for parent in (base, bench.person.git("rev-parse", f"{theirs}^")):
        with pytest.raises(Moved) as moved:
            bench.forge.commit(bench.repository, "change", parent, {"dev/main.tf": "ours\n"}, "Ours")
        assert moved.value.head == theirs
    with pytest.raises(Moved):
        bench.forge.delete_branch(bench.repository, "change", base)
    assert bench.forge.head(bench.repository, "change") == theirs


def test_a_commit_can_join_another_one_in(bench: Bench) -> None:
    ours = bench.branch("template", "pure\n")
    theirs = bench.person.put("main", {"app.py": "app\n"})
    joined = bench.forge.commit(bench.repository, "template", ours, {"dev/main.tf": "pure 2\n"}, "Two", also=theirs)
    assert bench.forge.commit_at(bench.repository, joined).parents == (ours, theirs)
    assert set(bench.forge.tree(bench.repository, joined)) == {"README.md", "app.py", "dev/main.tf"}
    again = bench.forge.commit(bench.repository, "template", ours, {"dev/main.tf": "pure 2\n"}, "Two", also=theirs)
    assert again == joined


def test_branches_are_made_once_and_taken_away_once(bench: Bench) -> None:
    base, other = bench.base, bench.branch("other")
    for _ in range(2):
        bench.forge.create_branch(bench.repository, "new/one", base)
    assert bench.forge.head(bench.repository, "new/one") == base
    with pytest.raises(Moved):
        bench.forge.create_branch(bench.repository, "other", base)
    with pytest.raises(Missing):
        bench.forge.create_branch(bench.repository, "new/two", NOBODY)
    for _ in range(2):
        bench.forge.delete_branch(bench.repository, "other", other)
    assert bench.forge.head(bench.repository, "other") is None


def test_a_pull_request_says_what_it_is(bench: Bench) -> None:
    head = bench.branch()
    made = bench.forge.open_pull_request(bench.repository, "change", "Update requested", "Why: **because**")
    assert (made.number, made.state, made.branch, made.base, made.head) == (1, "open", "change", "main", head)
    assert (made.title, made.body, made.files) == ("Update requested", "Why: **because**", ("dev/main.tf",))
    assert (made.mergeable, made.checks, made.merged_at, made.merged_as) == (True, "", 0.0, "")
    assert made.url.endswith("/acme/infra/pull/1")
    assert bench.forge.find_pull_request(bench.repository, "change") == made
    assert bench.forge.pull_request(bench.repository, 1) == made
    assert bench.forge.find_pull_request(bench.repository, "other") is None
    lines = bench.forge.diff(bench.repository, 1).split("\n")
    assert [line for line in lines if line.startswith(("-two", "+TWO", "+++"))] == ["+++ b/dev/main.tf", "-two", "+TWO"]
    with pytest.raises(Missing):
        bench.forge.pull_request(bench.repository, 2)


def test_opening_a_pull_request_again_finds_the_open_one(bench: Bench) -> None:
    bench.branch()
    first = bench.forge.open_pull_request(bench.repository, "change", "One", "")
    again = bench.forge.open_pull_request(bench.repository, "change", "Two", "")
    assert (again.number, again.title) == (first.number, "One")


def test_parallel_workers_open_one_pull_request_on_one_branch(bench: Bench) -> None:
    base, found, failed = bench.base, [], []

    def work() -> None:
        try:
            bench.forge.commit(bench.repository, "change", base, {"dev/main.tf": "new\n"}, "Title")
            found.append(bench.forge.open_pull_request(bench.repository, "change", "Title", "").number)
        except Exception as error:
            failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # A worker may find that another one was faster; none makes a second branch or a second pull request.
    assert {type(error) for error in failed} <= {Moved}
    assert set(found) == {1}
    with pytest.raises(Missing):
        bench.forge.pull_request(bench.repository, 2)
    assert bench.person.git("rev-list", "--count", f"{base}..change") == "1"


def test_a_pull_request_without_a_change_is_not_opened(bench: Bench) -> None:
    bench.forge.create_branch(bench.repository, "same", bench.base)
    with pytest.raises(NothingToMerge):
        bench.forge.open_pull_request(bench.repository, "same", "Nothing", "")
    with pytest.raises(Missing):
        bench.forge.open_pull_request(bench.repository, "nowhere", "Nothing", "")


def test_a_merged_pull_request_is_merged_for_good(bench: Bench) -> None:
    head = bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "Title", "")
    bench.merge(1)
    found = bench.forge.pull_request(bench.repository, 1)
    assert (found.state, found.head, found.merged_as) == ("merged", head, bench.base)
    assert found.merged_at >= found.opened_at - 1
    assert (found.mergeable, found.files) == (None, ("dev/main.tf",))
    assert bench.forge.read(bench.repository, bench.base, "dev/main.tf") == b"one\nTWO\nthree\nfour\nfive\n"
    bench.forge.close(bench.repository, 1)
    bench.person.put("main", {"more": "more\n"})
    bench.forge.delete_branch(bench.repository, "change", head)
    later = bench.forge.pull_request(bench.repository, 1)
    assert (later.state, later.merged_as, later.files) == ("merged", found.merged_as, ("dev/main.tf",))


def test_merging_joins_what_a_person_did_meanwhile(bench: Bench) -> None:
    head = bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "Title", "")
    bench.person.put("main", {"dev/main.tf": "one\ntwo\nthree\nfour\nFIVE\n"})
    with pytest.raises(Moved):
        bench.forge.merge(bench.repository, 1, bench.base)
    merged = bench.forge.merge(bench.repository, 1, head)
    assert (merged.state, bench.forge.merge(bench.repository, 1, head)) == ("merged", merged)
    assert bench.forge.read(bench.repository, bench.base, "dev/main.tf") == b"one\nTWO\nthree\nfour\nFIVE\n"


def test_a_conflict_is_seen_and_nothing_is_merged(bench: Bench) -> None:
    head = bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "Title", "")
    theirs = bench.person.put("main", {"dev/main.tf": "one\n2\nthree\nfour\nfive\n"})
    assert bench.forge.pull_request(bench.repository, 1).mergeable is False
    with pytest.raises(Conflicted):
        bench.forge.merge(bench.repository, 1, head)
    assert bench.base == theirs


def test_a_closed_pull_request_stays_closed_and_a_new_one_can_be_opened(bench: Bench) -> None:
    bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "One", "")
    for _ in range(2):
        bench.forge.close(bench.repository, 1)
    assert bench.forge.pull_request(bench.repository, 1).state == "closed"
    assert bench.forge.open_pull_request(bench.repository, "change", "Two", "").number == 2
    found = bench.forge.find_pull_request(bench.repository, "change")
    assert found is not None and (found.number, found.state) == (2, "open")


def test_taking_the_branch_away_closes_the_pull_request(bench: Bench) -> None:
    head = bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "One", "")
    bench.forge.delete_branch(bench.repository, "change", head)
    assert bench.forge.pull_request(bench.repository, 1).state == "closed"


def test_title_text_and_comments_can_be_written_later(bench: Bench) -> None:
    bench.branch()
    bench.forge.open_pull_request(bench.repository, "change", "One", "")
    bench.forge.describe(bench.repository, 1, "Two\nlines", "New text")
    found = bench.forge.pull_request(bench.repository, 1)
    assert (found.title, found.body) == ("Two lines", "New text")
    for key in ("a", "a", "b"):
        bench.forge.comment(bench.repository, 1, "Superseded", key)
    said = (
        bench.forge.comments(bench.repository, 1)
        if isinstance(bench.forge, LocalForge)
        else [comment["body"] for pull in _pulls(bench) for comment in pull.comments]
    )
    assert [text.partition("\n")[0] for text in said] == ["Superseded", "Superseded"]


def _pulls(bench: Bench) -> list:
    return bench.person.pulls


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a//b", ".git/config", "a/.GIT/hooks/x", "-x", "a\nb", "a\\b", ""])
def test_a_file_that_leads_elsewhere_is_never_written(bench: Bench, path: str) -> None:
    with pytest.raises(InvalidName):
        bench.forge.commit(bench.repository, "change", bench.base, {path: "x"}, "Title")
    assert bench.forge.head(bench.repository, "change") is None
