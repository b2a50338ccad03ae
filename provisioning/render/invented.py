"""Plausible values for outputs that nobody has seen yet, so that a bundle can be rendered before it is ever used."""

import hashlib
import re

# A context's ``outputs`` with this key answers every name. No stack can have an output of that name.
INVENTED = "x-deuteron-invented"

_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"arns$", "arn:aws:iam::123456789012:policy/{name}-1,arn:aws:iam::123456789012:policy/{name}-2"),
    (r"(policy_?arn|policy)$", "arn:aws:iam::123456789012:policy/{name}"),
    (r"(role_?arn|role)$", "arn:aws:iam::123456789012:role/{name}"),
    (r"cluster_?arn$", "arn:aws:ecs:us-east-1:123456789012:cluster/{name}"),
    (r"(topic_?arn|topic)$", "arn:aws:sns:us-east-1:123456789012:{name}"),
    (r"queue_?arn$", "arn:aws:sqs:us-east-1:123456789012:{name}"),
    (r"bucket_?arn$", "arn:aws:s3:::sample"),
    (r"listener(_?arn)?$", "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/sample/"
                           "0123456789abcdef/0123456789abcdef"),
    (r"(table|tablename)_?arn$", "arn:aws:dynamodb:us-east-1:123456789012:table/{name}"),
    (r"(key|kms)_?arn$", "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"),
    (r"arn$", "arn:aws:iam::123456789012:role/{name}"),
    (r"subnet(_?id)?s$", "subnet-{id:.16}0,subnet-{id:.16}1"),
    (r"subnet", "subnet-{id:.17}"),
    (r"(security_?group|sg)(_?id)?s$", "sg-{id:.16}0,sg-{id:.16}1"),
    (r"(security_?group|sg)(_?id)?$", "sg-{id:.17}"),
    (r"vpc(_?id)?$", "vpc-0123456789abcdef0"),
    (r"hosted_?zone_?id$", "Z0123456789ABCDEFGHIJ"),
    (r"ids$", "sample-1,sample-2"),
    (r"cidr(_?block)?$", "10.0.0.0/16"),
    (r"account(_?id)?$", "123456789012"),
    (r"region$", "us-east-1"),
    (r"(uri|url|endpoint)$", "https://sample.example.com"),
    (r"(dns(_?name)?|domain(_?name)?|host(_?name)?)$", "sample.example.com"),
    (r"port$", "80"),
    (r"bucket(_?name)?$", "sample-bucket"),
)  # fmt: skip


def invented_output(name: str) -> str:
    """A value such as an output of this name would have: an ARN for names that end in Arn, a VPC's id for VpcId, comma
    lists for SubnetIds and other plurals, else "sample-" and the name. Two names have two values where AWS wants that,
    such as two subnets; the same name always has the same."""
    unique = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    for pattern, value in _BY_NAME:
        if re.search(pattern, name, re.IGNORECASE):
            return value.format(name=name, id=unique)
    return f"sample-{name}"
