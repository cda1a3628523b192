"""What a change set would take away for good: data, messages, images, secrets, logs, keys, names."""

from collections.abc import Iterable, Iterator
from typing import Final

from platform_sdk.deploy.apply.errors import WouldBeLost
from platform_sdk.deploy.state import ChangeSet, ResourceChange

STATEFUL: Final = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
"""Types that hold what nobody can make again."""

KEPT: Final = "Retain"
"""What becomes of a resource that leaves its stack and stays on AWS."""


def refuse_losses(change_set: ChangeSet, replaceable: Iterable[str]) -> None:
    """
    Raises:
        WouldBeLost: naming each, and how to say that it may be.
    """
    allowed = frozenset(replaceable)
    losses = tuple(each for each in losses_of(change_set) if each.logical_id not in allowed)
    if losses:
        raise WouldBeLost(
            f"the change of {change_set.stack} would take away what it holds: nothing was changed",
            losses=losses,
            because="; ".join(map(loss_words, losses)),
            hint="if that is meant: " + " ".join(f"--allow-replace {each.logical_id}" for each in losses),
        )


def losses_of(change_set: ChangeSet) -> Iterator[ResourceChange]:
    """What might be replaced counts as well: CloudFormation finds out when it is too late."""
    for change in change_set.changes:
        is_removed = change.action == "Remove" and change.policy_action != KEPT
        is_replaced = change.action == "Modify" and change.replacement in ("True", "Conditional")
        if change.type in STATEFUL and (is_removed or is_replaced):
            yield change


def loss_words(change: ResourceChange) -> str:
    named = f"{change.logical_id} ({change.type}, {change.physical_id})"
    if change.action == "Remove":
        return f"{named} would be deleted"
    by = f" because of {', '.join(change.properties)}" if change.properties else ""
    return f"{named} {'would' if change.replacement == 'True' else 'might'} be replaced by an empty one{by}"
