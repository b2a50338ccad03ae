# ruff: noqa: SIM905
"""GitHub's JSON. Each function makes the whole object that the published description asks for."""

import base64
from datetime import UTC, datetime
from typing import Any

from tests.github.store import Pull, Store

_REPOSITORY_URLS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments"
    " downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels"
    " languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags"
    " teams trees"
).split()
_USER_URLS = (
    "avatar events followers following gists html organizations received_events repos starred subscriptions"
).split()


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Shapes:
    def __init__(self, base: str, started: float):
        self.base = base
        self.started = started

    def user(self, login: str) -> dict[str, Any]:
        url = f"{self.base}/users/{login}"
        urls = {f"{name}_url": f"{url}/{name}" for name in _USER_URLS}
        plain = {"login": login, "id": 7, "node_id": "U_7", "gravatar_id": "", "type": "User", "site_admin": False}
        return {**plain, "url": url, **urls}

    def repository(self, store: Store) -> dict[str, Any]:
        url = f"{self.base}/repos/{store.full_name}"
        page = f"{self.base}/{store.full_name}"
        counts = (
            "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count"
            " network_count subscribers_count"
        ).split()
        return {
            "id": store.id,
            "node_id": f"R_{store.id}",
            "name": store.name,
            "full_name": store.full_name,
            "owner": self.user(store.owner),
            "private": True,
            "html_url": page,
            "url": url,
            "description": None,
            "fork": False,
            "homepage": None,
            "language": None,
            "license": None,
            "mirror_url": None,
            "default_branch": store.default_branch,
            "archived": False,
            "disabled": False,
            "visibility": "private",
            "topics": [],
            "clone_url": f"{page}.git",
            "git_url": f"git://127.0.0.1/{store.full_name}.git",
            "ssh_url": f"git@127.0.0.1:{store.full_name}.git",
            "svn_url": page,
            "pushed_at": at(self.started),
            "created_at": at(self.started),
            "updated_at": at(self.started),
            **{f"has_{name}": False for name in ("issues", "projects", "wiki", "pages", "discussions", "downloads")},
            **{f"{name}_url": f"{url}/{name}" for name in _REPOSITORY_URLS},
            **dict.fromkeys(counts, 0),
        }

    def full_repository(self, store: Store, *, push: bool) -> dict[str, Any]:
        rights = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
        return {**self.repository(store), "permissions": rights}

    def ref(self, store: Store, branch: str) -> dict[str, Any]:
        url = f"{self.base}/repos/{store.full_name}/git"
        sha = store.head(branch)
        return {
            "ref": f"refs/heads/{branch}",
            "node_id": "REF_1",
            "url": f"{url}/refs/heads/{branch}",
            "object": {"sha": sha, "type": "commit", "url": f"{url}/commits/{sha}"},
        }

    def commit(self, store: Store, sha: str) -> dict[str, Any]:
        url = f"{self.base}/repos/{store.full_name}/git"
        tree, parents, when, message = store.git("log", "-1", "--format=%T%n%P%n%ct%n%B", sha).split("\n", 3)
        person = {"name": "octo-app[bot]", "email": "octo-app@example.com", "date": at(float(when))}
        return {
            "sha": sha,
            "node_id": "C_1",
            "url": f"{url}/commits/{sha}",
            "html_url": f"{self.base}/{store.full_name}/commit/{sha}",
            "author": person,
            "committer": person,
            "message": message.rstrip("\n"),
            "tree": {"sha": tree, "url": f"{url}/trees/{tree}"},
            "parents": [
                {"sha": one, "url": f"{url}/commits/{one}", "html_url": f"{self.base}/{store.full_name}/commit/{one}"}
                for one in parents.split()
            ],
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        }

    def full_commit(self, store: Store, sha: str) -> dict[str, Any]:
        git = self.commit(store, sha)
        url = f"{self.base}/repos/{store.full_name}/commits/{sha}"
        inner = {key: git[key] for key in ("author", "committer", "message", "tree", "verification", "url")}
        return {
            "sha": sha,
            "node_id": "C_1",
            "url": url,
            "html_url": git["html_url"],
            "comments_url": f"{url}/comments",
            "commit": {**inner, "comment_count": 0},
            "author": self.user("octo-app"),
            "committer": self.user("octo-app"),
            "parents": git["parents"],
        }

    def tree(self, store: Store, sha: str, *, recursive: bool) -> dict[str, Any]:
        url = f"{self.base}/repos/{store.full_name}/git"
        arguments = ("ls-tree", "-z", "-l", *(("-r", "-t") if recursive else ()), sha)
        entries = []
        for line in store.git(*arguments).split("\0")[:-1]:
            about, _, path = line.partition("\t")
            mode, kind, found, size = about.split()
            entry = {"path": path, "mode": mode, "type": kind, "sha": found, "url": f"{url}/{kind}s/{found}"}
            entries.append({**entry, "size": int(size)} if kind == "blob" else entry)
        tree = store.git("rev-parse", f"{sha}^{{tree}}")
        return {"sha": tree, "url": f"{url}/trees/{tree}", "tree": entries, "truncated": False}

    def blob(self, store: Store, sha: str) -> dict[str, Any]:
        content = store.content(sha)
        return {
            "sha": sha,
            "node_id": "B_1",
            "size": len(content),
            "url": f"{self.base}/repos/{store.full_name}/git/blobs/{sha}",
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        }

    def simple_pull(self, store: Store, pull: Pull) -> dict[str, Any]:
        url = f"{self.base}/repos/{store.full_name}/pulls/{pull.number}"
        page = f"{self.base}/{store.full_name}/pull/{pull.number}"
        issue = f"{self.base}/repos/{store.full_name}/issues/{pull.number}"
        head = pull.head_sha or store.head(pull.head) or "0" * 40
        base = pull.base_sha or store.head(pull.base) or "0" * 40
        links = {
            "self": url,
            "html": page,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{url}/comments/1",
            "commits": f"{url}/commits",
            "statuses": f"{url}/statuses",
        }

        def end(branch: str, sha: str) -> dict[str, Any]:
            return {
                "label": f"{store.owner}:{branch}",
                "ref": branch,
                "sha": sha,
                "user": self.user(store.owner),
                "repo": self.repository(store),
            }

        return {
            "id": 1000 + pull.number,
            "node_id": f"PR_{pull.number}",
            "number": pull.number,
            "url": url,
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "commits_url": links["commits"],
            "comments_url": links["comments"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "statuses_url": links["statuses"],
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "body": pull.body or None,
            "user": self.user("octo-app"),
            "labels": [],
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "created_at": at(pull.created_at),
            "updated_at": at(pull.created_at),
            "closed_at": at(pull.closed_at) if pull.closed_at else None,
            "merged_at": at(pull.merged_at) if pull.merged_at else None,
            "merge_commit_sha": pull.merge_commit_sha,
            "head": end(pull.head, head),
            "base": end(pull.base, base),
            "_links": {name: {"href": target} for name, target in links.items()},
            "author_association": "NONE",
            "auto_merge": None,
            "draft": False,
        }

    def pull(self, store: Store, pull: Pull) -> dict[str, Any]:
        mergeable = None
        head = store.head(pull.head)
        if pull.state == "open" and head:
            mergeable = store.merged_tree(store.head(pull.base) or "", head) is not None
        files = store.changed(pull)
        return {
            **self.simple_pull(store, pull),
            "merged": bool(pull.merged_at),
            "merged_by": self.user("octo-person") if pull.merged_at else None,
            "mergeable": mergeable,
            "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
            "maintainer_can_modify": False,
            "comments": len(pull.comments),
            "review_comments": 0,
            "commits": 1,
            "additions": sum(file["additions"] for file in files),
            "deletions": sum(file["deletions"] for file in files),
            "changed_files": len(files),
        }

    def files(self, store: Store, pull: Pull) -> list[dict[str, Any]]:
        page = f"{self.base}/{store.full_name}"
        return [
            {
                **file,
                "blob_url": f"{page}/blob/{file['filename']}",
                "raw_url": f"{page}/raw/{file['filename']}",
                "contents_url": f"{self.base}/repos/{store.full_name}/contents/{file['filename']}",
            }
            for file in store.changed(pull)
        ]

    def comment(self, store: Store, pull: Pull, number: int, body: str, when: float) -> dict[str, Any]:
        issue = f"{self.base}/repos/{store.full_name}/issues/{pull.number}"
        return {
            "id": number,
            "node_id": f"IC_{number}",
            "url": f"{issue}/comments/{number}",
            "html_url": f"{self.base}/{store.full_name}/pull/{pull.number}#issuecomment-{number}",
            "issue_url": issue,
            "body": body,
            "user": self.user("octo-app"),
            "created_at": at(when),
            "updated_at": at(when),
            "author_association": "NONE",
        }

    def check_runs(self, store: Store, sha: str) -> dict[str, Any]:
        runs: list[dict[str, Any]] = [
            {
                "id": number,
                "node_id": f"CR_{number}",
                "head_sha": sha,
                "external_id": "",
                "name": name,
                "url": f"{self.base}/repos/{store.full_name}/check-runs/{number}",
                "html_url": f"{self.base}/{store.full_name}/runs/{number}",
                "details_url": f"{self.base}/{store.full_name}/runs/{number}",
                "status": status,
                "conclusion": conclusion,
                "started_at": at(self.started),
                "completed_at": at(self.started) if conclusion else None,
                "output": {
                    "title": None,
                    "summary": None,
                    "text": None,
                    "annotations_count": 0,
                    "annotations_url": f"{self.base}/repos/{store.full_name}/check-runs/{number}/annotations",
                },
                "check_suite": {"id": 1},
                "app": None,
                "pull_requests": [],
            }
            for number, (name, status, conclusion) in enumerate(store.checks.get(sha, []), start=1)
        ]
        return {"total_count": len(runs), "check_runs": runs}

    def installation(self, number: int, app_id: int, owner: str, permissions: dict[str, str]) -> dict[str, Any]:
        return {
            "id": number,
            "app_id": app_id,
            "app_slug": "octo-app",
            "account": self.user(owner),
            "target_id": 7,
            "target_type": "Organization",
            "repository_selection": "selected",
            "access_tokens_url": f"{self.base}/app/installations/{number}/access_tokens",
            "repositories_url": f"{self.base}/installation/repositories",
            "html_url": f"{self.base}/organizations/{owner}/settings/installations/{number}",
            "permissions": permissions,
            "events": ["pull_request", "push"],
            "single_file_name": None,
            "created_at": at(self.started),
            "updated_at": at(self.started),
            "suspended_by": None,
            "suspended_at": None,
        }
