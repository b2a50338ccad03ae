"""Checks of role ARNs that people name. A role is only ever taken from the account that it is meant for.

The portal may assume roles of many accounts; a person names one. Were any ARN taken, a person could make the portal
act in an account that never let them in. So a role of another account comes from an account connection only, which
that account asked for and which guards the role with an external id.
"""

import re
from collections.abc import Mapping

from django.conf import settings

from portal.errors import Invalid
from provisioning.problems import Problem

ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)
ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
FULL_ARN = "Give the role's whole ARN, such as arn:aws:iam::{}:role/deuteron-provisioning."


def account_of(role_arn: str) -> str:
    """The account that a role is in; "" for what is no role's ARN."""
    match = ROLE_ARN.fullmatch(role_arn)
    return match[2] if match else ""


def problems_of(roles: Mapping[str, str], account_id: str) -> list[Problem]:
    """What is wrong with roles by the names of their members, which must be in the account. Empty ones are left out."""
    found = []
    for name, arn in roles.items():
        if not arn:
            continue
        if not account_of(arn) or len(arn) > 2048:
            found.append(Problem(f"/{name}", FULL_ARN.format(account_id)))
        elif account_of(arn) != account_id:
            elsewhere = f"The role is in account {account_of(arn)}, not in {account_id}."
            advice = " Deploying into another account needs an account connection that the account asked for."
            here = account_id == settings.PORTAL_ACCOUNT_ID
            found.append(Problem(f"/{name}", elsewhere + (advice if here else "")))
    return found


def require_roles(roles: Mapping[str, str], account_id: str) -> None:
    """Raises Invalid unless each is a role's ARN in the account, or empty."""
    found = problems_of(roles, account_id)
    if found:
        raise Invalid(" ".join(problem.message for problem in found), found)


def require_account_id(account_id: str, *, path: str) -> None:
    """Raises Invalid for anything but twelve digits."""
    if not ACCOUNT_ID.fullmatch(account_id):
        message = "An AWS account id has 12 digits."
        raise Invalid(message, [Problem(path, message)])
