"""What a finished deployment leaves behind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """One named value that a deployment returned. AWS Proton's outputs are strings of 1 to 1024 characters."""

    key: str
    value: str
    description: str = ""


@dataclass(frozen=True)
class ProvisionedResource:
    """One thing that an engine made: ``identifier`` is the stack's ARN, ``engine`` CLOUDFORMATION or TERRAFORM."""

    name: str
    identifier: str
    engine: str
