"""botocore's descriptions of AWS's operations, read once in a process: reading them takes a tenth of a second."""

from functools import cache

import botocore.session
from botocore.model import OperationModel


@cache
def session() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """`service` as boto3 calls the client, `operation` as AWS does: `DescribeServices`."""
    return session().get_service_model(service).operation_model(operation)
