"""The table of the control plane's services, in the order in which they are stepped: one line each."""

from collections.abc import Callable, Mapping
from typing import Final

from aws_simulator.account import Account
from aws_simulator.autoscaling import ApplicationAutoScaling
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.cloudwatch import CloudWatch
from aws_simulator.codedeploy.service import CodeDeploy
from aws_simulator.dynamodb import DynamoDb
from aws_simulator.ecr import Ecr
from aws_simulator.ecs.service import Ecs
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.functions import Functions
from aws_simulator.iam import Iam
from aws_simulator.logs import Logs
from aws_simulator.rds_data import RdsData
from aws_simulator.secrets import SecretsManager
from aws_simulator.service import Service
from aws_simulator.sqs import Sqs
from aws_simulator.ssm import Ssm
from aws_simulator.sts import Sts

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
