"""The adapter in front of the embedded AWS: everything passes as it is, but quoted numbers."""

import http.client
import io
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from portal.embedded.adapter import serve
from tests.aws import MINISTACK, EmbeddedAws, free_port, ministack_environment, stop, wait_for_port

FARGATE = """
Resources:
  Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: adapter}}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      Cpu: '256'
      Memory: 512
      ContainerDefinitions:
        - {Name: web, Image: nginx, Essential: 'true', PortMappings: [{ContainerPort: '8080'}]}
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: web
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      DesiredCount: '3'
      LaunchType: FARGATE
Outputs:
  Service: {Value: !GetAtt Service.Name}
"""

SERVERLESS = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.12, Timeout: 5}}
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: "def handler(event, context): return {}"
      Events: {Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}
Outputs:
  Worker: {Value: !Ref Worker}
"""


@pytest.fixture
def client(aws_account: str) -> Any:
    make: Any = boto3.client
    return lambda service: make(
        service, region_name="us-east-1", aws_access_key_id=aws_account, aws_secret_access_key="embedded"
    )


def outcome(cloudformation: Any, name: str) -> str:
    for _ in range(200):
        status = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
    raise AssertionError(status)


def test_a_service_with_quoted_numbers_is_created_and_runs(client: Any) -> None:
    client("cloudformation").create_stack(StackName="quoted", TemplateBody=FARGATE)
    assert outcome(client("cloudformation"), "quoted") == "CREATE_COMPLETE"
    service = client("ecs").describe_services(cluster="adapter", services=["web"])["services"][0]
    assert service["desiredCount"] == 3


def test_a_serverless_template_is_expanded_and_created(client: Any) -> None:
    client("cloudformation").create_stack(
        StackName="serverless", TemplateBody=SERVERLESS, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    assert outcome(client("cloudformation"), "serverless") == "CREATE_COMPLETE"
    resources = client("cloudformation").list_stack_resources(StackName="serverless")["StackResourceSummaries"]
    assert sorted(resource["ResourceType"] for resource in resources) == [
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
    ]


def test_without_the_adapter_the_same_template_fails(client: Any, aws: EmbeddedAws, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.upstream)
    client("cloudformation").create_stack(StackName="bare", TemplateBody=FARGATE)
    assert outcome(client("cloudformation"), "bare") == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize("size", [0, 60_000])
def test_a_template_in_s3_is_coerced_too(client: Any, aws: EmbeddedAws, aws_account: str, size: int) -> None:
    bucket = f"bucket-{aws_account}"
    client("s3").create_bucket(Bucket=bucket)
    body = f"{FARGATE}\nMetadata: {{Long: {'y' * size}}}\n"
    client("s3").put_object(Bucket=bucket, Key="folder/a b.yaml", Body=body.encode())
    client("cloudformation").create_stack(StackName="stored", TemplateURL=f"{aws.endpoint}/{bucket}/folder/a%20b.yaml")
    assert outcome(client("cloudformation"), "stored") == "CREATE_COMPLETE"


def test_a_template_that_cannot_be_read_gets_the_upstreams_own_words(client: Any) -> None:
    for body in ("Resources: [", "Resources: {X: {Type: AWS::No::Such}}"):
        with pytest.raises(ClientError) as refused:
            client("cloudformation").create_stack(StackName="broken", TemplateBody=body)
        assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_large_objects_pass_in_both_directions(client: Any, aws_account: str) -> None:
    s3, bucket = client("s3"), f"large-{aws_account}"
    s3.create_bucket(Bucket=bucket)
    content = bytes(range(256)) * 40_000
    s3.put_object(Bucket=bucket, Key="one", Body=content)
    s3.upload_fileobj(io.BytesIO(content), bucket, "parts")
    assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == content
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == content
    assert s3.head_object(Bucket=bucket, Key="one")["ContentLength"] == len(content)
    assert s3.get_object(Bucket=bucket, Key="one", Range="bytes=3-5")["Body"].read() == b"\x03\x04\x05"


def test_presigned_addresses_lead_to_the_adapter_and_work(client: Any, aws: EmbeddedAws, aws_account: str) -> None:
    s3, bucket = client("s3"), f"signed-{aws_account}"
    s3.create_bucket(Bucket=bucket)
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert put.startswith(aws.endpoint)
    with urlopen(Request(put, data=b"body", method="PUT")) as answer:
        assert answer.status == 200
    with urlopen(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})) as answer:
        assert answer.read() == b"body"


def test_errors_pass_as_they_are(client: Any) -> None:
    with pytest.raises(ClientError) as missing:
        client("s3").head_bucket(Bucket="no-such-bucket-anywhere")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.fixture
def connection(aws: EmbeddedAws) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection(urlsplit(aws.endpoint).netloc, timeout=10)
    yield opened
    opened.close()


def test_one_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    first = connection.sock
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, "/_ministack/health")
        answer = connection.getresponse()
        assert answer.status == 200
        assert bool(answer.read()) == (method == "GET")
    assert connection.sock is first


def test_a_chunked_body_arrives_whole(connection: http.client.HTTPConnection, aws_account: str) -> None:
    connection.request("PUT", f"/chunks-{aws_account}")
    connection.getresponse().read()
    connection.request("PUT", f"/chunks-{aws_account}/key", body=iter([b"one", b"", b"two" * 30_000]))
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    connection.request("GET", f"/chunks-{aws_account}/key")
    assert connection.getresponse().read() == b"one" + b"two" * 30_000


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An adapter whose upstream is down."""
    server = serve(("127.0.0.1", 0), ("127.0.0.1", free_port()))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dead_upstream_is_a_service_that_is_unavailable(client: Any, nowhere: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ClientError) as down:
        client("cloudformation").describe_stacks()
    assert down.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert down.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_stacks_and_objects_survive_a_clean_stop(tmp_path: Path, aws_account: str, client: Any) -> None:
    port = free_port()

    def running() -> "subprocess.Popen[bytes]":
        environment = ministack_environment(port, tmp_path, persist=True)
        process = subprocess.Popen([str(MINISTACK)], env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path)
        wait_for_port(port, process)
        return process

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        first = running()
        client("s3").create_bucket(Bucket="kept")
        client("s3").put_object(Bucket="kept", Key="a/b", Body=b"content")
        queue = "Resources: {Q: {Type: AWS::SQS::Queue}}"
        made = client("cloudformation").create_stack(StackName="kept", TemplateBody=queue)["StackId"]
        assert outcome(client("cloudformation"), "kept") == "CREATE_COMPLETE"
        stop(first)
        second = running()
        try:
            assert client("s3").get_object(Bucket="kept", Key="a/b")["Body"].read() == b"content"
            found = client("cloudformation").describe_stacks(StackName="kept")["Stacks"][0]
            assert (found["StackId"], found["StackStatus"]) == (made, "CREATE_COMPLETE")
        finally:
            stop(second)
