"""Who judges a run: the emulator and the liar's ledger. The product's own rows only say what it claims."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.faults.arena import Arena
from tests.faults.work import Accepted, Work

GONE = "DELETE_COMPLETE"


@dataclass(frozen=True)
class Stack:
    """One stack that the emulator has."""

    arn: str
    environment: str  # ARN of the environment that its tag names
    status: str
    revision: int  # 0 while it has no output


def stacks(arena: Any, accounts: Iterable[str]) -> list[Stack]:
    """Every live stack of ours in those accounts, asked of the emulator itself."""
    import boto3

    if not isinstance(arena, Arena):  # an AWS in this very process
        return list(arena.seen())
    found = []
    for account in accounts:
        client = boto3.client(
            "cloudformation",
            endpoint_url=arena.upstream,
            aws_access_key_id=account,
            aws_secret_access_key="embedded",
            region_name="us-east-1",
        )
        for page in client.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
                outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
                if stack["StackStatus"] != GONE and stack["StackName"].startswith("AWSProton-"):
                    found.append(
                        Stack(
                            stack["StackId"],
                            tags.get("proton:environment", ""),
                            stack["StackStatus"],
                            int(float(outputs.get("Revision", 0))),
                        )
                    )
    return found


def newest(accepted: Iterable[Accepted]) -> dict[str, Accepted]:
    """The last accepted request of each environment."""
    return {entry.arn: entry for entry in sorted(accepted, key=lambda entry: entry.at)}


def harm(arena: Arena, work: Work) -> dict[str, float]:
    """What a row counts as harm of ``verdict``."""
    found = verdict(arena, work)
    return {name: found[name] for name in ("lost", "doubled", "stuck")}


def verdict(arena: Arena, work: Work) -> dict[str, Any]:
    """lost: the newest accepted request of an environment was not carried out, as the emulator sees it. doubled:
    environments with more than one live stack, and operations that were begun twice for one deployment. stuck: what
    neither ended nor asks for a person. Only for runs in which nothing is supposed to fail or to be cancelled.
    """
    seen = stacks(arena, work.accounts)
    live = Counter(stack.environment for stack in seen)
    revisions = {stack.environment: stack.revision for stack in seen}
    lost = 0
    for arn, entry in newest(work.accepted).items():
        if entry.kind == "delete":
            lost += live[arn] != 0
        else:
            lost += live[arn] == 0 or revisions[arn] != entry.revision
    operations = Counter((op.stack, op.kind, op.token) for op in arena.liar.operations)
    return {
        "accepted": len(work.accepted),
        "lost": lost,
        "doubled": sum(count > 1 for count in live.values()) + sum(count > 1 for count in operations.values()),
        "stuck": work.running(),
    }
