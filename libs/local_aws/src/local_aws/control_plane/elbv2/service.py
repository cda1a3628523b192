"""Elastic Load Balancing v2 as boto3 knows it."""

from local_aws.control_plane.account import Account
from local_aws.control_plane.elbv2.target_groups import TargetGroups
from local_aws.control_plane.service import Answer, Request


class ElbV2(TargetGroups):
    NAME = "elbv2"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.tags: dict[str, dict[str, str]] = {}

    def add_tags(self, request: Request) -> Answer:
        for arn in request["ResourceArns"]:
            self.tags.setdefault(arn, {}).update({tag["Key"]: tag.get("Value", "") for tag in request["Tags"]})
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
