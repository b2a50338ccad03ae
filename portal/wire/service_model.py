"""The service model of AWS Proton (2020-07-20) as botocore ships it: the list of operations, and their shapes."""

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

API_VERSION = "2020-07-20"


@cache
def service_model() -> ServiceModel:
    """Read once per process. A later botocore may drop the service: it is pinned."""
    return ServiceModel(Loader().load_service_model("proton", "service-2", API_VERSION), "proton")


@cache
def operation_models() -> dict[str, OperationModel]:
    """The 87 operations by name."""
    model = service_model()
    return {name: model.operation_model(name) for name in model.operation_names}


@cache
def target_prefix() -> str:
    """What stands before the dot in ``X-Amz-Target``."""
    return str(service_model().metadata["targetPrefix"])


@cache
def modelled_errors(operation: str) -> frozenset[str]:
    """The names of the errors that an operation declares."""
    return frozenset(shape.name for shape in operation_models()[operation].error_shapes)
