"""Thin typed gateways: one file for each AWS service, one error for all of them, and no decisions."""

from platform_sdk.errors import PlatformError


class AwsCallFailed(PlatformError):
    """AWS, or the laptop's AWS, refused a call or could not be reached."""
