"""The steps that every request takes."""

import json

import pytest

from portal.errors import PortalError
from portal.wire import shapes
from portal.wire.errors import AWS_NAMES, AwsError
from portal.wire.gateway import parse
from portal.wire.registry import handlers
from portal.wire.service_model import operation_models
from tests.factories import rows
from tests.wire.conftest import refused
from tests.wire.later import LATER


def test_every_refusal_has_an_aws_name():
    assert set(AWS_NAMES) == set(PortalError.__subclasses__())


def test_every_operation_has_exactly_one_handler():
    assert set(operation_models()) - set(handlers()) == LATER


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'"text"', b'{"a": NaN}', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b"[" * 100_000],
)
def test_a_body_that_is_no_document_is_refused(body):
    with pytest.raises(AwsError) as error:
        parse(body)
    assert error.value.name == "SerializationException"


def test_every_problem_is_said_at_once_and_nothing_sensitive_is_repeated():
    shape = operation_models()["CreateEnvironment"].input_shape
    found = shapes.problems(shape, {"name": "!!", "spec": "", "templateMajorVersion": "01", "unknown": 1})
    assert shapes.summary(found) == (
        "4 validation errors detected: Value null at 'templateName' failed to satisfy constraint: Member must not be "
        "null; Value '!!' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$; Value at 'spec' failed to satisfy constraint: Member must have length greater "
        "than or equal to 1; Value '01' at 'templateMajorVersion' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: ^(0|([1-9]{1}\\d*))$"
    )


@pytest.mark.parametrize("members", [{"name": 1}, {"name": ["a"]}, {"name": {"a": "b"}}, {"name": True}])
def test_a_value_of_another_type_is_refused(members):
    with pytest.raises(shapes.WrongType):
        shapes.problems(operation_models()["GetService"].input_shape, members)


def test_exactly_one_member_of_a_union_is_set():
    shape = operation_models()["CreateEnvironmentTemplateVersion"].input_shape
    assert shapes.problems(shape, {"templateName": "a", "source": {}}) == [
        "Value at 'source' failed to satisfy constraint: Exactly one of s3 must be set"
    ]


def test_a_name_may_not_end_with_a_line_break():
    shape = operation_models()["GetService"].input_shape
    assert len(shapes.problems(shape, {"name": "web\n"})) == 1


def test_lists_and_numbers_are_bounded():
    shape = operation_models()["ListServiceInstances"].input_shape
    assert len(shapes.problems(shape, {"maxResults": 0})) == 1
    assert len(shapes.problems(shape, {"maxResults": 101})) == 1
    assert shapes.problems(shape, {"maxResults": 100}) == []


def test_unknown_members_and_nulls_are_ignored_at_every_depth():
    shape = operation_models()["CreateEnvironmentTemplateVersion"].input_shape
    members = {
        "templateName": "a",
        "description": None,
        "more": 1,
        "source": {"s3": {"bucket": "b", "key": "k", "x": 1}},
    }
    assert shapes.known(shape, members) == {"templateName": "a", "source": {"s3": {"bucket": "b", "key": "k"}}}


def test_a_reply_without_a_required_member_is_our_mistake():
    with pytest.raises(KeyError):
        shapes.reply(operation_models()["GetService"].output_shape, {"service": {"name": "web"}})


@pytest.mark.django_db
def test_an_unknown_operation_is_said_to_be_unknown():
    assert refused(rows.person(), "GetEverything")[0] == "UnknownOperationException"


def test_the_error_body_is_what_sdks_read():
    assert json.loads(json.dumps(AwsError("ValidationException", "wrong").body())) == {
        "__type": "ValidationException",
        "message": "wrong",
    }
