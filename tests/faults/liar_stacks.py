"""Stacks that take time and end as the test wishes, over an emulator whose stacks are ready at once.

An accepted operation is only written down at first: DescribeStacks shows it in progress, and the emulator hears of it
when its time has passed. So a cancelled or failed operation never happened there, and what the emulator has is always
what a real account would have. Stack names must be unique over all accounts and regions of one liar.
"""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, SubElement

from tests.faults.liar_wire import NAMESPACE, Call, Refusal, Reply, Upstream, answer, get, members, now, put

UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "REVIEW_IN_PROGRESS"}
FAILURES = {
    "create": {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"},
    "update": {"UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"},
    "delete": {"DELETE_FAILED"},
    "continue": {"UPDATE_ROLLBACK_FAILED"},
}
CAUSE = "the liar was told that this fails"
_NUMBERS = itertools.count(1)


@dataclass
class Script:
    """How operations of one kind on stacks whose name matches ``pattern`` go: ``times`` of them end in ``end``."""

    pattern: str
    kind: str  # create, update, delete, continue
    end: str = ""  # "" is success
    seconds: float | None = None
    times: int = 1_000_000


@dataclass
class Operation:
    """One thing that an account did to a stack: what a duplicate would show up in."""

    stack: str  # ARN
    name: str
    kind: str
    token: str
    change_set: str
    started: float
    until: float
    call: Call  # what the emulator will hear
    fails: str = ""  # the end state it was scripted to
    ended: float = 0.0
    end: str = ""
    rolling_back: bool = False
    applied: bool = False  # the emulator heard of it


@dataclass
class Overlay:
    """What the liar says of one stack instead of the emulator. ``status`` "" is the emulator's own."""

    arn: str
    name: str
    status: str = ""
    reason: str = ""
    running: Operation | None = None
    events: list[dict[str, str]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  # change sets that a later operation made worthless
    executions: dict[str, str] = field(default_factory=dict)  # execution status by change set


class StacksOverTime:
    """``handle`` answers what it must answer itself, and passes the rest on. Times are seconds."""

    def __init__(self, upstream: Upstream, seconds: float):
        self.upstream = upstream
        self.seconds = seconds
        self.scripts: list[Script] = []
        self.operations: list[Operation] = []
        self.lock = threading.RLock()
        self._overlays: dict[str, Overlay] = {}
        self._names: dict[str, str] = {}  # name: ARN of the incarnation that was made last
        self._change_sets: dict[str, str] = {}  # ARN: ARN of its stack
        self._tokens: dict[tuple[str, str], tuple[str, Reply]] = {}

    def handle(self, action: str, call: Call) -> Reply:
        special: Callable[[Call], Reply] | None = getattr(self, f"_{action}", None)
        return special(call) if special else self.upstream.ask(call)

    def stack_of(self, form: dict[str, str]) -> str:
        """The ARN of the stack that a call is about; the name itself when nobody made it through us."""
        reference = form.get("StackName", "") or self._change_sets.get(form.get("ChangeSetName", ""), "")
        return self._names.get(reference, reference)

    def over(self, arn: str) -> bool:
        """Whether something was done to the stack, and is over."""
        with self.lock:
            overlay = self._overlays.get(arn)
            return overlay is not None and overlay.running is None and any(o.stack == arn for o in self.operations)

    def script(
        self, pattern: str, kind: str, end: str = "", *, seconds: float | None = None, times: int = 10**6
    ) -> None:
        """The next ``times`` operations of that kind end so. Later scripts go first."""
        if end and end not in FAILURES[kind]:
            raise ValueError(f"a {kind} cannot end in {end}")
        with self.lock:
            self.scripts.insert(0, Script(pattern, kind, end, seconds, times))

    # Time

    def tick(self) -> None:
        """Ends what is due. Called again and again by the liar's clock."""
        with self.lock:
            due = [o.running for o in self._overlays.values() if o.running and o.running.until <= time.time()]
            for operation in due:
                self._due(operation)

    def _due(self, operation: Operation) -> None:
        overlay = self._overlays[operation.stack]
        if operation.rolling_back:
            return self._end(operation, operation.fails or "UPDATE_ROLLBACK_COMPLETE")
        if operation.fails:
            return self._fail(operation)
        if operation.kind == "continue":
            return self._end(operation, "UPDATE_ROLLBACK_COMPLETE")
        if not operation.applied:
            operation.applied = True
            reply = self.upstream.ask(operation.call)
            if not reply.good:
                self._event(
                    overlay, "", "UPDATE_FAILED", f"the emulator refused: {reply.body[:300]!r}", operation.token
                )
                return self._end(
                    operation, "UPDATE_ROLLBACK_COMPLETE" if operation.kind == "update" else "CREATE_FAILED"
                )
        status = self.status_upstream(operation.stack, operation.call)
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            return None
        return self._end(operation, status)

    def _fail(self, operation: Operation) -> None:
        overlay = self._overlays[operation.stack]
        verb = operation.kind.upper()
        self._event(overlay, "Queue", f"{verb}_FAILED", CAUSE, operation.token)
        if "ROLLBACK" not in operation.fails:
            return self._end(operation, operation.fails)
        operation.rolling_back = True
        operation.until = time.time() + self.seconds / 2
        overlay.status = "ROLLBACK_IN_PROGRESS" if operation.kind == "create" else "UPDATE_ROLLBACK_IN_PROGRESS"
        self._event(overlay, overlay.name, overlay.status, CAUSE, operation.token)
        return None

    def _end(self, operation: Operation, status: str) -> None:
        overlay = self._overlays[operation.stack]
        operation.ended, operation.end = time.time(), status
        overlay.running = None
        overlay.status = "" if operation.applied else status
        overlay.reason = "" if operation.applied else CAUSE
        good = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        if operation.change_set:
            overlay.executions[operation.change_set] = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"
        if not operation.applied:
            self._event(overlay, overlay.name, status, CAUSE, operation.token)

    def status_upstream(self, arn: str, like: Call) -> str:
        reply = self.upstream.ask(_like(like, {"Action": "DescribeStacks", "StackName": arn}))
        return reply.text("StackStatus") if reply.good else "DELETE_COMPLETE"

    def _event(self, overlay: Overlay, resource: str, status: str, reason: str, token: str) -> None:
        of_stack = resource == overlay.name
        overlay.events.append(
            {
                "StackId": overlay.arn,
                "StackName": overlay.name,
                "EventId": f"liar-{next(_NUMBERS)}",
                "LogicalResourceId": resource,
                "PhysicalResourceId": overlay.arn if of_stack else "",
                "ResourceType": "AWS::CloudFormation::Stack" if of_stack else "AWS::SQS::Queue",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": now(),
                "ClientRequestToken": token,
            }
        )

    # What changes something

    def _CreateChangeSet(self, call: Call) -> Reply:
        with self.lock:
            form = call.form
            overlay = self._overlays.get(self.stack_of(form))
            known = self._same_token(form, form.get("ClientToken", ""), "CreateChangeSet")
            if known:
                return known
            if overlay is not None and overlay.status != "DELETE_COMPLETE":
                shown = overlay.status or self.status_upstream(overlay.arn, call)
                if shown not in UPDATABLE and shown != "DELETE_COMPLETE":
                    raise Refusal("ValidationError", f"Stack:{overlay.arn} is in {shown} state and can not be updated.")
            reply = self.upstream.ask(call)
            if reply.good:
                arn, change_set = reply.text("StackId"), reply.text("Id")
                name = arn.split("/")[1]
                self._names[name] = arn
                self._change_sets[change_set] = arn
                self._overlays.setdefault(arn, Overlay(arn, name))
                self._remember(form, form.get("ClientToken", ""), "CreateChangeSet", reply)
            return reply

    def _ExecuteChangeSet(self, call: Call) -> Reply:
        with self.lock:
            form = call.form
            arn = self.stack_of(form)
            overlay = self._overlays.get(arn)
            if overlay is None:
                return self.upstream.ask(call)
            token = form.get("ClientRequestToken", "")
            known = self._same_token(form, token, "ExecuteChangeSet")
            if known:
                return known
            change_set = self._change_set_arn(overlay, form["ChangeSetName"])
            execution = overlay.executions.get(change_set, "AVAILABLE")
            if change_set in overlay.gone:
                raise Refusal("ChangeSetNotFound", f"ChangeSet [{change_set}] does not exist", 404)
            if execution != "AVAILABLE" or overlay.running:
                raise Refusal("InvalidChangeSetStatus", f"ChangeSet [{change_set}] is in {execution} status")
            found = self.upstream.ask(_like(call, {"Action": "DescribeChangeSet", "ChangeSetName": change_set}))
            if not found.good or found.text("ExecutionStatus") != "AVAILABLE":
                return self.upstream.ask(call)  # it refuses in its own words
            before = self.status_upstream(arn, call)
            kind = "create" if before == "REVIEW_IN_PROGRESS" else "update"
            self._start(overlay, kind, token, call, change_set)
            reply = answer("ExecuteChangeSet")
            self._remember(form, token, "ExecuteChangeSet", reply)
            return reply

    def _DeleteStack(self, call: Call) -> Reply:
        with self.lock:
            form = call.form
            overlay = self._overlays.get(self.stack_of(form))
            if overlay is None:
                return self.upstream.ask(call)
            shown = overlay.status or self.status_upstream(overlay.arn, call)
            if shown in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
                return answer("DeleteStack")
            token = form.get("ClientRequestToken", "")
            known = self._same_token(form, token, "DeleteStack")
            if known:
                return known
            if overlay.running:
                raise Refusal(
                    "ValidationError", f"Stack [{overlay.name}] cannot be deleted while in status {overlay.status}"
                )
            self._start(overlay, "delete", token, call, "")
            reply = answer("DeleteStack")
            self._remember(form, token, "DeleteStack", reply)
            return reply

    def _CancelUpdateStack(self, call: Call) -> Reply:
        with self.lock:
            form = call.form
            overlay = self._overlays.get(self.stack_of(form))
            running = overlay.running if overlay else None
            if overlay is None or running is None or running.applied or overlay.status != "UPDATE_IN_PROGRESS":
                raise Refusal("ValidationError", "CancelUpdateStack cannot be called from current stack status")
            running.rolling_back, running.until = True, time.time() + self.seconds / 2
            running.token = form.get("ClientRequestToken", "")
            overlay.status = "UPDATE_ROLLBACK_IN_PROGRESS"
            self._event(overlay, overlay.name, overlay.status, "User Initiated", running.token)
            return answer("CancelUpdateStack")

    def _ContinueUpdateRollback(self, call: Call) -> Reply:
        with self.lock:
            overlay = self._overlays.get(self.stack_of(call.form))
            if overlay is None or overlay.status != "UPDATE_ROLLBACK_FAILED":
                raise Refusal("ValidationError", "ContinueUpdateRollback cannot be called from current stack status")
            self._start(overlay, "continue", call.form.get("ClientRequestToken", ""), call, "")
            return answer("ContinueUpdateRollback")

    def _start(self, overlay: Overlay, kind: str, token: str, call: Call, change_set: str) -> None:
        seconds, end = self.seconds, ""
        for script in self.scripts:
            if script.kind == kind and script.times > 0 and re.search(script.pattern, overlay.name):
                script.times -= 1
                seconds, end = self.seconds if script.seconds is None else script.seconds, script.end
                break
        started = time.time()
        operation = Operation(
            overlay.arn, overlay.name, kind, token, change_set, started, started + seconds, call, fails=end
        )
        self.operations.append(operation)
        overlay.running = operation
        verb = "UPDATE_ROLLBACK" if kind == "continue" else kind.upper()
        overlay.status, overlay.reason = f"{verb}_IN_PROGRESS", "User Initiated"
        overlay.gone |= {
            other for other, arn in self._change_sets.items() if arn == overlay.arn and other != change_set
        }
        if change_set:
            overlay.executions[change_set] = "EXECUTE_IN_PROGRESS"
        self._event(overlay, overlay.name, overlay.status, "User Initiated", token)

    def _change_set_arn(self, overlay: Overlay, reference: str) -> str:
        if reference.startswith("arn:"):
            return reference
        matching = [arn for arn, of in self._change_sets.items() if of == overlay.arn and f"/{reference}/" in arn]
        return matching[-1] if matching else reference

    def _same_token(self, form: dict[str, str], token: str, action: str) -> Reply | None:
        """A repeat with the token of an earlier call: the same call has its answer again, another one is refused."""
        found = self._tokens.get((self.stack_of(form), token)) if token else None
        if found is None:
            return None
        if found[0] == _fingerprint(form):
            return found[1]
        if json.loads(found[0])["Action"] == action:
            raise Refusal("TokenAlreadyExistsException", f"A client request token already exists: {token}")
        return None

    def _remember(self, form: dict[str, str], token: str, action: str, reply: Reply) -> None:
        if token:
            self._tokens[self.stack_of(form), token] = _fingerprint(form), reply

    # What only looks

    def _DescribeStacks(self, call: Call) -> Reply:
        reply = self.upstream.ask(call)
        if not reply.good:
            return reply
        tree = reply.tree
        with self.lock:
            for member in members(tree, "Stacks"):
                overlay = self._overlays.get(get(member, "StackId"))
                if overlay is not None and overlay.status:
                    put(member, "StackStatus", overlay.status)
                    put(member, "StackStatusReason", overlay.reason)
        return reply.but(tree)

    def _DescribeStackEvents(self, call: Call) -> Reply:
        with self.lock:
            arn = self.stack_of(call.form)
            overlay = self._overlays.get(arn)
            own = list(overlay.events) if overlay else []
        reply = self.upstream.ask(_like(call, {"Action": "DescribeStackEvents", "StackName": arn}))
        if not reply.good or not own:
            return reply
        tree = reply.tree
        into = tree.find(f".//{{{NAMESPACE}}}StackEvents")
        assert into is not None
        for event in own:
            member = SubElement(into, f"{{{NAMESPACE}}}member")
            for name, value in event.items():
                SubElement(member, f"{{{NAMESPACE}}}{name}").text = value
        into[:] = sorted(into, key=_moment, reverse=True)
        return reply.but(tree)

    def _DescribeChangeSet(self, call: Call) -> Reply:
        reply = self.upstream.ask(call)
        if not reply.good:
            return reply
        tree, change_set = reply.tree, reply.text("ChangeSetId")
        with self.lock:
            overlay = self._overlays.get(reply.text("StackId"))
            if overlay is None:
                return reply
            if change_set in overlay.gone:
                raise Refusal("ChangeSetNotFound", f"ChangeSet [{change_set}] does not exist", 404)
            if change_set in overlay.executions:
                put(tree[0], "ExecutionStatus", overlay.executions[change_set])
        return reply.but(tree)

    def _ListChangeSets(self, call: Call) -> Reply:
        reply = self.upstream.ask(call)
        if not reply.good:
            return reply
        tree = reply.tree
        into = tree.find(f".//{{{NAMESPACE}}}Summaries")
        with self.lock:
            gone = {arn for overlay in self._overlays.values() for arn in overlay.gone}
            if into is not None:
                into[:] = [member for member in into if get(member, "ChangeSetId") not in gone]
        return reply.but(tree)


def _moment(member: Element) -> tuple[str, int]:
    number = get(member, "EventId").removeprefix("liar-")
    return get(member, "Timestamp"), int(number) if number.isdigit() else 0


def _fingerprint(form: dict[str, str]) -> str:
    return json.dumps(form, sort_keys=True)


def _like(call: Call, form: dict[str, str]) -> Call:
    """Another call to the same account and region."""
    body = urlencode({"Version": "2010-05-15", **form}).encode()
    headers = {**call.headers, "Content-Length": str(len(body))}
    return Call("POST", "/", headers, body)
