"""python -m tests.forges.local_worker DIRECTORY COUNT   Opens and merges pull requests until all are merged."""

import random
import sys

from provisioning.engines.base import EngineUnavailable
from provisioning.forges.base import Repository
from provisioning.forges.errors import Conflicted, ForgeRefused, Moved, NothingToMerge
from provisioning.forges.local import LocalForge

REPOSITORY = Repository("LOCAL", "acme/infra")


def work(directory: str, count: int) -> None:
    forge = LocalForge(directory)
    for number in random.sample(range(count), count):
        for _ in range(200):
            try:
                if deliver(forge, f"change/{number}", number):
                    break
            except (Moved, NothingToMerge, Conflicted, EngineUnavailable):
                continue


def deliver(forge: LocalForge, branch: str, number: int) -> bool:
    """One change, as an engine makes it: look, then the next thing that is missing. True when it is merged."""
    found = forge.find_pull_request(REPOSITORY, branch)
    if found is None:
        if forge.head(REPOSITORY, branch) is None:
            base = forge.head(REPOSITORY, "main") or ""
            forge.commit(REPOSITORY, branch, base, {f"files/{number}": f"{number}\n"}, f"Change {number}")
        forge.open_pull_request(REPOSITORY, branch, f"Change {number}", "")
        return False
    if found.state == "open":
        forge.merge(REPOSITORY, found.number, found.head)
    elif found.state == "closed":
        raise ForgeRefused("nobody closes here")
    return found.state == "merged"


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
