"""The main job by the AWS CLI, as scripts for AWS Proton did it: nothing but the endpoint is another one."""

import os
import subprocess
import sys
from pathlib import Path

from tests.factories.bundles import tar_gz
from tests.journeys.conftest import Product

# The layout of tutorials: one manifest at the root, the code in infrastructure/, for either kind.
MANIFEST = b"""\
infrastructure:
  templates:
    - rendering_engine: jinja
      template_language: cloudformation
      file: cloudformation.yaml
"""
NETWORK = {
    "manifest.yaml": MANIFEST,
    "schema/schema.yaml": b"""\
schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "NetworkInput"
  types:
    NetworkInput:
      type: object
      properties:
        topic_name: {type: string}
        encrypted: {type: string, default: "true", enum: ["true", "false"]}
      required: [topic_name]
""",
    "infrastructure/cloudformation.yaml": b"""\
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: '{{ environment.inputs.topic_name }}'
Outputs:
  TopicArn:
    Value: !Ref Topic
""",
}
WORKER = {
    "manifest.yaml": MANIFEST,
    "schema/schema.yaml": b"""\
schema:
  format:
    openapi: "3.0.0"
  service_input_type: "WorkerInput"
  types:
    WorkerInput:
      type: object
      properties:
        seconds: {type: number, default: 30}
        image: {type: string}
      required: [image]
""",
    "infrastructure/cloudformation.yaml": b"""\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: '{{ service_instance.inputs.seconds }}'
      Tags:
        - Key: image
          Value: '{{ service_instance.inputs.image }}'
        - Key: topic
          Value: '{{ environment.outputs.TopicArn }}'
""",
}
SCRIPT = r"""
set -eu
. "$ENV_FILE"
aws proton create-environment-template --name cli-topics --display-name "Topics" --description "A topic" > /dev/null
aws s3 cp --only-show-errors network.tar.gz s3://proton-templates-bucket/network.tar.gz
aws proton create-environment-template-version --template-name cli-topics --source '{
    "s3": {
      "bucket": "proton-templates-bucket",
      "key": "network.tar.gz"
    }
  }' > /dev/null
aws proton update-environment-template-version --template-name cli-topics \
  --major-version 1 --minor-version 0 --status PUBLISHED > /dev/null
aws proton wait environment-template-version-registered --template-name cli-topics --major-version 1 --minor-version 0
aws proton create-service-template --name cli-worker > /dev/null
aws s3 cp --only-show-errors worker.tar.gz s3://proton-templates-bucket/worker.tar.gz
for major in 1 2; do
  aws proton create-service-template-version --template-name cli-worker \
    --compatible-environment-templates '[{"templateName": "cli-topics", "majorVersion": "1"}]' \
    --source s3="{bucket=proton-templates-bucket,key=worker.tar.gz}" > /dev/null
  aws proton wait service-template-version-registered --template-name cli-worker \
    --major-version $major --minor-version 0
done
aws proton create-environment --name cli-home --template-name cli-topics --template-major-version 1 \
  --spec 'spec: {topic_name: cli-home}' > /dev/null
aws proton wait environment-deployed --name cli-home
aws proton create-service --name cli-worker --template-name cli-worker --template-major-version 1 --spec '{
    "instances": [
      {"name": "production", "environment": "cli-home", "spec": {"image": "worker:v1", "seconds": 60}}
    ]
  }' > /dev/null
aws proton wait service-created --name cli-worker
outdated="serviceInstances[?serviceName=='cli-worker' && templateMajorVersion!='2'].templateMajorVersion"
aws proton list-service-instances --query "$outdated" --output text
aws proton update-service-instance --name production --service-name cli-worker \
  --template-major-version 2 --template-minor-version 0 --deployment-type MAJOR_VERSION > /dev/null
aws proton wait service-instance-deployed --service-name cli-worker --name production
aws proton list-service-instances --query "$outdated" --output text
stack=$(aws proton list-service-instance-provisioned-resources --service-name cli-worker \
  --service-instance-name production --query 'provisionedResources[0].identifier' --output text)
aws cloudformation describe-stack-resources --stack-name "$stack" \
  --query 'StackResources[].[LogicalResourceId, ResourceStatus]' --output text
aws proton delete-service --name cli-worker > /dev/null
aws proton wait service-deleted --name cli-worker
aws proton delete-environment --name cli-home > /dev/null
"""


def test_from_two_bundles_to_a_running_service_and_a_new_major_version(product: Product, tmp_path: Path):
    (tmp_path / "network.tar.gz").write_bytes(tar_gz(NETWORK))
    (tmp_path / "worker.tar.gz").write_bytes(tar_gz(WORKER))
    done = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=tmp_path,
        env={
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "ENV_FILE": str(product.directory / "data" / "aws" / "env"),
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["1", "Queue", "CREATE_COMPLETE"], "")
