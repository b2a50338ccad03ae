"""Credentials and clients for the accounts that engines act in. Nothing of it is ever written to a disk."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioning.engines import aws_errors
from provisioning.engines.base import Target

CONNECT_SECONDS = 3
READ_SECONDS = 5  # a read is tried twice
CALL_SECONDS = 15  # a mutating call is tried once: its reply may be lost, so the caller looks before it repeats
ROLE_SECONDS = 3600  # the longest session that role chaining allows
RENEW_AT = 0.8  # of a session's life
MAX_CLIENTS = 256

_CONFIGS = {
    False: Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 2, "mode": "standard"},
        user_agent_extra="deuteron",
    ),
    True: Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=CALL_SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra="deuteron",
    ),
}


class NoAccess(Exception):
    """The account cannot be entered; the message names the role or account and says why."""


class Sessions:
    """boto3 clients per target. Thread-safe; clients are shared, since boto3's are.

    Endpoints come from boto3's own variables (``AWS_ENDPOINT_URL`` and its like). ``account_keys`` is for an emulator
    that takes an access key of twelve digits for an account: it is refused for a real AWS endpoint.
    """

    def __init__(self, *, account_keys: bool = False, clock: Callable[[], float] = time.time):
        self._account_keys = account_keys
        self._clock = clock
        self._lock = threading.RLock()
        self._own = boto3.Session()
        self._own_account = ""
        self._clients: OrderedDict[tuple[Any, ...], tuple[float, Any]] = OrderedDict()
        self._assumed: OrderedDict[tuple[Target, str], tuple[float, Mapping[str, str]]] = OrderedDict()

    def client(self, service: str, target: Target, *, name: str = "deuteron", mutating: bool = False) -> Any:
        """A client that acts in the target's account and region.

        ``name`` is the session name under which a role is assumed, so that CloudTrail tells deployments apart.
        With ``mutating`` the client never repeats a call by itself. Raises NoAccess when the account cannot be
        entered, and ClientError or BotoCoreError when AWS did not answer the attempt.
        """
        key = (target, name if target.role_arn else "", service, mutating)
        with self._lock:
            until, client = self._clients.get(key, (0.0, None))
            if client is not None and self._clock() < until:
                self._clients.move_to_end(key)
                return client
        until, credentials = self._credentials(target, name)
        client = self._make(service, target.region, mutating, credentials)
        if self._account_keys and not target.role_arn:
            _refuse_real_aws(client)
        with self._lock:
            self._clients[key] = (until, client)
            while len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        return client

    def own(self, service: str, region: str, *, mutating: bool = False) -> Any:
        """A client with the portal's own credentials, whatever account they are of."""
        return self._make(service, region, mutating, {})

    def temporary(self, target: Target, name: str) -> Mapping[str, str]:
        """New credentials of the target account, for something that must not have the portal's own: a session of the
        role, as long as one can be. Raises NoAccess, ClientError and BotoCoreError as ``client`` does."""
        if target.role_arn:
            return self._assume(target, name)[1]
        if self._account_keys:
            return self._credentials(target, name)[1]
        raise NoAccess(
            f"No role was given for account {target.account_id}, and commands never get the portal's own credentials."
        )

    def forget(self, target: Target) -> None:
        """Drops what is cached for a target, after AWS said that its credentials have expired."""
        with self._lock:
            for kept in (self._clients, self._assumed):
                for key in [key for key in kept if key[0] == target]:
                    del kept[key]

    def _make(self, service: str, region: str, mutating: bool, credentials: Mapping[str, str]) -> Any:
        with self._lock:  # boto3 sessions are not thread-safe, their clients are
            make: Any = self._own.client  # overloaded by service name, which is a variable here
            return make(service, region_name=region, config=_CONFIGS[mutating], **credentials)

    def _credentials(self, target: Target, name: str) -> tuple[float, Mapping[str, str]]:
        if target.role_arn:
            with self._lock:
                until, credentials = self._assumed.get((target, name), (0.0, {}))
            if self._clock() >= until:
                until, credentials = self._assume(target, name)
                with self._lock:
                    self._assumed[target, name] = until, credentials
                    while len(self._assumed) > MAX_CLIENTS:
                        self._assumed.popitem(last=False)
            return until, credentials
        if self._account_keys:
            keys = {"aws_access_key_id": target.account_id, "aws_secret_access_key": "embedded"}
            return float("inf"), keys
        account = self._account()
        if account != target.account_id:
            raise NoAccess(
                f"No role was given for account {target.account_id}, and the portal's own credentials are of "
                f"account {account}."
            )
        return float("inf"), {}

    def _assume(self, target: Target, name: str) -> tuple[float, Mapping[str, str]]:
        if target.role_arn.split(":")[4:5] != [target.account_id]:
            raise NoAccess(f"Role {target.role_arn} is not of account {target.account_id}.")
        sts = self.own("sts", target.region)
        extra = {"ExternalId": target.external_id} if target.external_id else {}
        try:
            answer = sts.assume_role(
                RoleArn=target.role_arn, RoleSessionName=name[:64], DurationSeconds=ROLE_SECONDS, **extra
            )["Credentials"]
        except ClientError as error:
            if aws_errors.kind(error) in ("throttled", "expired", "unavailable"):
                raise
            raise NoAccess(f"Role {target.role_arn} cannot be assumed: {aws_errors.message(error)}") from error
        until = self._clock() + RENEW_AT * ROLE_SECONDS
        return until, {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def _account(self) -> str:
        with self._lock:
            known = self._own_account
        if not known:
            known = str(self.own("sts", self._own.region_name or "us-east-1").get_caller_identity()["Account"])
            with self._lock:
                self._own_account = known
        return known


def _refuse_real_aws(client: Any) -> None:
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        raise NoAccess(f"Account keys are for the embedded AWS only, and {host} is real.")
