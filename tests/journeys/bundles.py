"""Bundles that people bring along in the journeys."""

from tests.factories.bundles import environment_files, schema_text

TOPIC = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"

# A pause keeps the stack busy for so many seconds, and then fails it, because nobody sends the signal.
WORKSHOP = environment_files(
    schema=schema_text(
        """\
        purpose: {type: string, title: Purpose, default: training, minLength: 3, maxLength: 30}
        seats: {type: integer, title: Seats, default: 12, minimum: 1, maximum: 40}
        rooms: {type: array, title: Rooms, items: {type: string, minLength: 2}, default: [north]}
        pause: {type: integer, title: Pause, default: 0, minimum: 0, maximum: 60}
        """
    ),
    template="""\
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: '{{ environment.inputs.purpose }}'
{% if environment.inputs.pause %}
  Signal:
    Type: AWS::CloudFormation::WaitConditionHandle
  Pause:
    Type: AWS::CloudFormation::WaitCondition
    Properties:
      Handle: !Ref Signal
      Timeout: '{{ environment.inputs.pause }}'
{% endif %}
Outputs:
  TopicArn:
    Value: !Ref Topic
  Rooms:
    Value: '{{ environment.inputs.rooms | join(", ") }} with {{ environment.inputs.seats }} seats'
""",
)

MISSING_FILE = environment_files(
    manifest="""\
infrastructure:
  templates:
    - file: "network.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"""
)
UNUSABLE_KEYWORD = environment_files(schema=schema_text('name: {type: string, pattern: "["}\n'))
JINJA_ERROR = environment_files(template=TOPIC + "    Properties:\n      DisplayName: '{{ environment.inputs.name'\n")
FINDINGS = environment_files(
    template="""\
Resources:
  Network:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/16
      EnableDnsHosting: true
"""
)
