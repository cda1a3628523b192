"""Elastic Load Balancing v2 as boto3 knows it."""

from aws_simulator.elbv2.target_groups import TargetGroups
from aws_simulator.service import Answer, Request


class ElbV2(TargetGroups):
    NAME = "elbv2"

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        """What only reads is allowed on everything or not at all (list_awselasticloadbalancingv2)."""
        return () if operation.startswith("Describe") else super().concerned(operation, request)

    def add_tags(self, request: Request) -> Answer:
        for arn in request["ResourceArns"]:
            self.tag(arn, request)
        return {}

    def remove_tags(self, request: Request) -> Answer:
        for arn in request["ResourceArns"]:
            for key in request["TagKeys"]:
                self.tags.get(arn, {}).pop(key, None)
        return {}

    def describe_tags(self, request: Request) -> Answer:
        return {
            "TagDescriptions": [
                {
                    "ResourceArn": arn,
                    "Tags": [{"Key": key, "Value": value} for key, value in self.tags.get(arn, {}).items()],
                }
                for arn in request["ResourceArns"]
            ]
        }
