"""The table of the control plane's services, in the order in which they are stepped: one line each."""

from collections.abc import Callable, Mapping
from typing import Final

from local_aws.control_plane.account import Account
from local_aws.control_plane.autoscaling import ApplicationAutoScaling
from local_aws.control_plane.cloudformation import CloudFormation
from local_aws.control_plane.cloudwatch import CloudWatch
from local_aws.control_plane.codedeploy.service import CodeDeploy
from local_aws.control_plane.dynamodb import DynamoDb
from local_aws.control_plane.ecr import Ecr
from local_aws.control_plane.ecs.service import Ecs
from local_aws.control_plane.elbv2.service import ElbV2
from local_aws.control_plane.functions import Functions
from local_aws.control_plane.iam import Iam
from local_aws.control_plane.logs import Logs
from local_aws.control_plane.rds_data import RdsData
from local_aws.control_plane.secrets import SecretsManager
from local_aws.control_plane.service import Service
from local_aws.control_plane.sqs import Sqs
from local_aws.control_plane.ssm import Ssm
from local_aws.control_plane.sts import Sts

SERVICES: Final[Mapping[str, Callable[[Account], Service]]] = {
    "logs": Logs,
    "elbv2": ElbV2,
    "ecs": Ecs,
    "cloudwatch": CloudWatch,
    "application-autoscaling": ApplicationAutoScaling,
    "codedeploy": CodeDeploy,
    "ecr": Ecr,
    "ssm": Ssm,
    "secretsmanager": SecretsManager,
    "lambda": Functions,
    "dynamodb": DynamoDb,
    "rds-data": RdsData,
    "sqs": Sqs,
    "iam": Iam,
    "sts": Sts,
    "cloudformation": CloudFormation,
}
