"""The log groups of a service: what its app says, and what the containers beside it say."""

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, kept
from platform_sdk.deploy.render.stack_names import log_group


def log_groups(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    return {
        "AppLogs": group(log_group(spec, environment), spec),
        "SidecarLogs": group(log_group(spec, environment, "/sidecars"), spec),
    }


def group(name: str, spec: ServiceSpec) -> Json:
    reason = "CloudWatch Logs encrypts every group; a key of ours would be one more thing that can stop logging."
    body = kept("AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": spec.log_retention_days})
    return {**body, "Metadata": checkov_skip("CKV_AWS_158", reason)}
