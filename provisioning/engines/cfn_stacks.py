"""CloudFormation as the engine sees it: stacks, change sets and the calls on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from provisioning.engines import aws_errors
from provisioning.outputs import Output

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

CAPABILITIES: Any = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
MAX_PAGES = 50  # of a hundred events each
_NO_CHANGES = ("didn't contain changes", "no updates are to be performed", "no changes")


@dataclass(frozen=True)
class Stack:
    id: str
    name: str
    status: str
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()

    @property
    def moving(self) -> bool:
        """Whether an operation runs. REVIEW_IN_PROGRESS is none: such a stack waits for its change set."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class ChangeSet:
    id: str
    stack: str  # ARN
    status: str
    execution: str
    reason: str = ""

    @property
    def executed(self) -> bool:
        return self.execution.startswith("EXECUTE_")

    @property
    def pending(self) -> bool:
        return self.status in ("CREATE_PENDING", "CREATE_IN_PROGRESS", "DELETE_PENDING", "DELETE_IN_PROGRESS")

    @property
    def empty(self) -> bool:
        """Whether it failed because there is nothing to change."""
        return self.status == "FAILED" and any(part in self.reason.lower() for part in _NO_CHANGES)


class Stacks:
    """Reads go through a client that may repeat them, mutating calls through one that never does."""

    def __init__(self, reader: "CloudFormationClient", writer: "CloudFormationClient"):
        self._reader = reader
        self._writer = writer

    def find(self, name_or_arn: str) -> Stack | None:
        """The stack, or None when there is none or it was deleted."""
        try:
            found = self._reader.describe_stacks(StackName=name_or_arn)["Stacks"][0]
        except ClientError as error:
            if aws_errors.kind(error) == "absent":
                return None
            raise
        if found["StackStatus"] == "DELETE_COMPLETE":
            return None
        return Stack(
            id=found["StackId"],
            name=found["StackName"],
            status=found["StackStatus"],
            reason=found.get("StackStatusReason", ""),
            tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
            outputs=tuple(
                Output(output["OutputKey"], output["OutputValue"], output.get("Description", ""))
                for output in found.get("Outputs", [])
            ),
        )

    def change_set(self, name: str, stack: Stack) -> ChangeSet | None:
        """The change set of that name on this very stack, or None."""
        try:
            found = self._reader.describe_change_set(ChangeSetName=name, StackName=stack.name)
        except ClientError as error:
            if aws_errors.code(error) == "ChangeSetNotFound" or aws_errors.kind(error) == "absent":
                return None
            raise
        if found["StackId"] != stack.id or found["Status"] == "DELETE_COMPLETE":
            return None
        return ChangeSet(
            id=found["ChangeSetId"],
            stack=found["StackId"],
            status=found["Status"],
            execution=found["ExecutionStatus"],
            reason=found.get("StatusReason", ""),
        )

    def change_set_names(self, stack: Stack) -> tuple[str, ...]:
        pages = self._reader.get_paginator("list_change_sets").paginate(StackName=stack.name)
        return tuple(
            summary["ChangeSetName"]
            for page in pages
            for summary in page["Summaries"]
            if summary.get("StackId", stack.id) == stack.id and summary.get("Status") != "DELETE_COMPLETE"
        )

    def changes(self, change_set: str) -> Iterator[Mapping[str, Any]]:
        """The resource changes of a change set, by ARN."""
        for page in self._reader.get_paginator("describe_change_set").paginate(ChangeSetName=change_set):
            for change in page.get("Changes", []):
                if "ResourceChange" in change:
                    yield change["ResourceChange"]

    def events(self, stack: str) -> Iterator[Mapping[str, Any]]:
        """Raw events of a stack, newest first, read page by page as they are asked for."""
        pages = self._reader.get_paginator("describe_stack_events").paginate(
            StackName=stack, PaginationConfig={"MaxItems": MAX_PAGES * 100}
        )
        for page in pages:
            yield from page["StackEvents"]

    def validation_errors(self, **of: str) -> list[Mapping[str, Any]]:
        """What CloudFormation's own checks before a deployment found, oldest first: of a StackName or a
        ChangeSetName. Nothing where a role was not given cloudformation:DescribeEvents, which is younger than most."""
        question: Any = {**of, "Filters": {"FailedEvents": True}}
        try:
            pages = list(self._reader.get_paginator("describe_events").paginate(**question))
        except ClientError as error:
            if aws_errors.kind(error) in ("denied", "refused", "absent"):
                return []
            raise
        found = [event for page in pages for event in page["OperationEvents"]]
        return [event for event in reversed(found) if event.get("ValidationStatusReason")]

    def create_change_set(
        self, *, stack: str, name: str, kind: str, token: str, template: Mapping[str, str], tags: Mapping[str, str]
    ) -> tuple[str, str]:
        """The ARNs of the stack and of the change set. ``kind`` is CREATE or UPDATE; ``stack`` a name or an ARN;
        ``template`` the argument that carries it (TemplateBody or TemplateURL)."""
        wanted: dict[str, Any] = {
            "StackName": stack,
            "ChangeSetName": name,
            "ChangeSetType": kind,
            "ClientToken": token,
            "Capabilities": CAPABILITIES,
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **template,
        }
        answer = self._writer.create_change_set(**wanted)
        return answer["StackId"], answer["Id"]

    def execute(self, change_set: str, *, token: str) -> None:
        """By ARN: once the stack was changed by anything else, CloudFormation refuses."""
        self._writer.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token)

    def delete_change_set(self, change_set: str) -> None:
        self._writer.delete_change_set(ChangeSetName=change_set)

    def cancel_update(self, stack: str, *, token: str) -> None:
        self._writer.cancel_update_stack(StackName=stack, ClientRequestToken=token)

    def delete(self, stack: str, *, token: str) -> None:
        """By ARN, which is unique per incarnation: a stack made later under the same name is safe."""
        if not stack.startswith("arn:"):
            raise ValueError(f"{stack}: a stack is deleted by its ARN only")
        self._writer.delete_stack(StackName=stack, ClientRequestToken=token)
