"""The sample bundles of the repository, and what their templates are called in the demo."""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "bundles"


@dataclass(frozen=True)
class Sample:
    """``versions`` are (major, minor) in the order of registration; the folder of one is <name>/v<major>.<minor>."""

    name: str
    kind: str
    display_name: str
    description: str
    versions: tuple[tuple[int, int], ...]
    provisioning: str = ""
    compatible: tuple[tuple[str, int], ...] = ()


ENVIRONMENTS = (("vpc-ecs-environment", 1), ("existing-vpc", 1))
SAMPLES = (
    Sample(
        "vpc-ecs-environment",
        "ENVIRONMENT",
        "VPC with ECS cluster",
        "A network with two public subnets, an ECS cluster and a load balancer that its services share.",
        ((1, 0), (1, 1)),
    ),
    Sample(
        "existing-vpc",
        "ENVIRONMENT",
        "Existing VPC",
        "A network and an ECS cluster that exist already. Nothing is provisioned.",
        ((1, 0),),
        provisioning="CUSTOMER_MANAGED",
    ),
    Sample(
        "load-balanced-fargate-service",
        "SERVICE",
        "Load-balanced service",
        "A container on Fargate behind the load balancer of its environment.",
        ((1, 0), (1, 1), (2, 0)),
        compatible=ENVIRONMENTS,
    ),
    Sample(
        "fargate-service-with-workflow",
        "SERVICE",
        "Load-balanced service with a workflow",
        "The same, and a workflow in the repository of its code that builds and deploys it.",
        ((1, 0), (1, 1)),
        compatible=ENVIRONMENTS,
    ),
    Sample(
        "queue-worker-service",
        "SERVICE",
        "Queue worker",
        "A queue, and tasks on Fargate that work it off.",
        ((1, 0),),
        compatible=ENVIRONMENTS,
    ),
    Sample(
        "scripted-environment",
        "ENVIRONMENT",
        "Scripted environment",
        "Prepared by shell commands of its own instead of CloudFormation.",
        ((1, 0),),
    ),
    Sample(
        "scripted-service",
        "SERVICE",
        "Scripted service",
        "Placed by shell commands in the zones of its environment.",
        ((1, 0),),
        compatible=(("scripted-environment", 1),),
    ),
)


def bundle_folder(name: str, major: int, minor: int) -> Path:
    return FOLDER / name / f"v{major}.{minor}"


def pack(folder: Path) -> bytes:
    """The folder as tar.gz; the same files give the same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = tarfile.TarInfo(path.relative_to(folder).as_posix())
                info.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(info, file)
    return buffer.getvalue()


def pack_sample(name: str, major: int, minor: int) -> bytes:
    """One version of a sample template as tar.gz."""
    return pack(bundle_folder(name, major, minor))
