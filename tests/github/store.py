"""The double's memory: one bare git repository each, and what GitHub keeps beside it."""

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "octo-app[bot]",
    "GIT_AUTHOR_EMAIL": "octo-app@example.com",
    "GIT_COMMITTER_NAME": "GitHub",
    "GIT_COMMITTER_EMAIL": "noreply@example.com",
}


@dataclass
class Pull:
    number: int
    title: str
    body: str
    head: str
    base: str
    created_at: float
    state: str = "open"
    head_sha: str = ""  # kept once it is closed
    base_sha: str = ""
    merged_at: float = 0.0
    closed_at: float = 0.0
    merge_commit_sha: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)


class Store:
    def __init__(self, path: Path, owner: str, name: str, number: int, default_branch: str):
        self.git_dir = path
        self.owner, self.name, self.id, self.default_branch = owner, name, number, default_branch
        self.pulls: list[Pull] = []
        self.checks: dict[str, list[tuple[str, str, str | None]]] = {}  # sha -> name, status, conclusion
        self.git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(path))

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def git(self, *arguments: str, text: bytes = b"", code: bool = False, index: str = "") -> Any:
        command = ["git", f"--git-dir={self.git_dir}", *arguments]
        environment = {**_ENVIRONMENT, "GIT_INDEX_FILE": index} if index else _ENVIRONMENT
        done = subprocess.run(command, input=text, capture_output=True, env=environment, check=False)
        if code:
            return done.returncode, done.stdout.decode(errors="replace")
        if done.returncode:
            raise LookupError(done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace").rstrip("\n")

    def head(self, branch: str) -> str | None:
        code, found = self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", code=True)
        return found.strip() if code == 0 else None

    def kind(self, sha: str) -> str:
        code, found = self.git("cat-file", "-t", sha, code=True)
        return found.strip() if code == 0 else ""

    def blob(self, content: bytes) -> str:
        return str(self.git("hash-object", "-w", "--stdin", text=content))

    def content(self, sha: str) -> bytes:
        command = ["git", f"--git-dir={self.git_dir}", "cat-file", "blob", sha]
        return subprocess.run(command, capture_output=True, env=_ENVIRONMENT, check=True).stdout

    def tree(self, base: str | None, entries: list[dict[str, Any]]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            index = os.path.join(folder, "index")
            if base:
                self.git("read-tree", base, index=index)
            lines = []
            for entry in entries:
                sha = self.blob(entry["content"].encode()) if "content" in entry else entry["sha"]
                if sha is None:
                    if not self.git("ls-files", "--", entry["path"], index=index):
                        raise LookupError("GitRPC::BadObjectState")
                    lines.append(f"0 {'0' * 40}\t{entry['path']}")
                else:
                    lines.append(f"{entry['mode']} {sha}\t{entry['path']}")
            self.git("update-index", "-z", "--index-info", text="".join(f"{x}\0" for x in lines).encode(), index=index)
            return str(self.git("write-tree", index=index))

    def commit(self, tree: str, parents: list[str], message: str) -> str:
        ends = [argument for parent in parents for argument in ("-p", parent)]
        return str(self.git("commit-tree", *ends, tree, text=message.encode()))

    def contains(self, branch_head: str, sha: str) -> bool:
        return bool(self.git("merge-base", "--is-ancestor", sha, branch_head, code=True)[0] == 0)

    def merged_tree(self, base: str, head: str) -> str | None:
        code, printed = self.git("merge-tree", "--write-tree", "--no-messages", base, head, code=True)
        return printed.strip() if code == 0 else None

    def put(self, branch: str, files: dict[str, str | None], message: str = "By hand") -> str:
        """A person's commit on a branch, made from the default branch when it is new."""
        at = self.head(branch) or self.head(self.default_branch)
        entries: list[dict[str, Any]] = [
            {"path": path, "mode": "100644", **({"sha": None} if text is None else {"content": text})}
            for path, text in files.items()
        ]
        sha = self.commit(self.tree(at, entries), [at] if at else [], message)
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def ends(self, pull: Pull) -> tuple[str, str]:
        """Merge base and head of a pull request."""
        head = pull.head_sha or self.head(pull.head) or ""
        base = pull.base_sha or self.head(pull.base) or ""
        return str(self.git("merge-base", base, head)), head

    def changed(self, pull: Pull) -> list[dict[str, Any]]:
        base, head = self.ends(pull)
        words = {"A": "added", "M": "modified", "D": "removed"}
        found = []
        listed = self.git("diff", "--no-renames", "--name-status", "-z", base, head).split("\0")
        for letter, path in zip(listed[0:-1:2], listed[1::2], strict=False):
            added, gone, _ = self.git("diff", "--no-renames", "--numstat", base, head, "--", path).split("\t")
            patch = self.git("diff", "--no-renames", base, head, "--", path)
            at = base if letter == "D" else head
            found.append(
                {
                    "filename": path,
                    "status": words[letter],
                    "additions": int(added),
                    "deletions": int(gone),
                    "changes": int(added) + int(gone),
                    "sha": self.git("rev-parse", f"{at}:{path}"),
                    "patch": patch[patch.find("@@") :],
                }
            )
        return found
