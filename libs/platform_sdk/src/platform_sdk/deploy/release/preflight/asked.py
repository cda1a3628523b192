"""What checks are asked about, and the three answers that they give."""

from dataclasses import dataclass

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.check import CheckStatus
from platform_sdk.deploy.release.order import Order
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.release.target import Release
from platform_sdk.deploy.state import ServiceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`state` is what was observed; only what it does not hold is asked of AWS."""

    releasing: Releasing
    state: ServiceState

    @property
    def spec(self) -> ServiceSpec:
        return self.releasing.spec

    @property
    def environment(self) -> Environment:
        return self.releasing.environment

    @property
    def order(self) -> Order:
        return self.releasing.order

    @property
    def release(self) -> Release:
        return self.releasing.release

    @property
    def apply(self) -> str:
        return f"`platform apply {self.spec.name} --env {self.environment.name}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: CheckStatus
    reason: str
    remedy: str = ""


def ok(reason: str) -> Answer:
    return Answer(status="OK", reason=reason)


def skip(reason: str) -> Answer:
    return Answer(status="SKIP", reason=reason)


def fail(reason: str, remedy: str) -> Answer:
    return Answer(status="FAIL", reason=reason, remedy=remedy)
