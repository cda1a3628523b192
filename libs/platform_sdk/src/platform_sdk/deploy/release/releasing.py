"""What every stage of one release works with, and how it waits: patient with AWS, never deaf to a signal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from platform_sdk.deploy.aws import AwsCallFailed, AwsUnavailable, Throttled
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.release.events import Tell, Warned
from platform_sdk.deploy.release.evidence import EvidenceCollector
from platform_sdk.deploy.release.interrupts import Interrupts
from platform_sdk.deploy.release.journal import Journal
from platform_sdk.deploy.release.order import IsAncestor, Order
from platform_sdk.deploy.release.target import Release
from platform_sdk.deploy.render.stack_names import cluster_name, service_name, worker_service_name
from platform_sdk.deploy.state import LockItem, ServiceState, Suspended

PATIENCE: Final = (1, 2, 4, 8, 15)
"""Seconds between attempts, beyond botocore's own five within each."""

Answer = TypeVar("Answer")


class Lock(Protocol):
    """What a release needs of the lock that it holds."""

    def renew_when_due(self) -> None: ...

    def renew(self) -> None: ...

    def note(self, *, deployment_id: str | None = None, scaling: Suspended | None = None) -> None: ...

    def stay(self) -> None: ...

    def forget_scaling(self) -> None: ...

    @property
    def scaling(self) -> Suspended | None: ...

    @property
    def before(self) -> LockItem | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a release needs of the world. `appspec` is the repository's template."""

    aws: Aws
    clock: Clock
    tell: Tell
    evidence: EvidenceCollector
    interrupts: Interrupts
    appspec: str
    is_ancestor: IsAncestor


@dataclass(frozen=True, slots=True, kw_only=True)
class Releasing:
    """One release under way. `lock` is that of whoever only looks, until it is this release's turn."""

    spec: ServiceSpec
    environment: Environment
    order: Order
    tools: Tools
    lock: Lock
    journal: Journal

    @property
    def aws(self) -> Aws:
        return self.tools.aws

    @property
    def tell(self) -> Tell:
        return self.tools.tell

    @property
    def release(self) -> Release:
        return self.journal.release

    @property
    def cluster(self) -> str:
        return cluster_name(self.environment)

    @property
    def api(self) -> str:
        """Of the ECS service, of CodeDeploy's application and of its deployment group."""
        return service_name(self.spec, self.environment)

    @property
    def worker(self) -> str:
        return worker_service_name(self.spec, self.environment)

    def now(self) -> datetime:
        return self.tools.clock.now()

    def observe(self) -> ServiceState:
        return self.patiently(lambda: observe_service(self.spec, self.environment, self.aws))

    def go_on(self) -> None:
        """Before each step. Raises as `pause` does."""
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """In steps of a second.

        Raises:
            Interrupted: a signal came meanwhile.
            LockLost: somebody took the release over.
        """
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            self.tools.interrupts.check()
            self.tools.clock.sleep(min(1, left))
        self.tools.interrupts.check()
        self.lock.renew_when_due()

    def check_turn(self) -> None:
        """Before each write. A lock that cannot be asked now is ours until its time is over.

        Raises:
            LockLost
        """
        self.glance(self.lock.renew, None)

    def patiently(self, ask: Callable[[], Answer], *, done: Callable[[], Answer | None] | None = None) -> Answer:
        """Asks again where AWS is busy or away for a moment: at most half a minute. A call that is not to be made twice
        says with `done` how to find out whether it has done its work although no answer came.

        Raises:
            AwsCallFailed: AWS refused, or is still away.
        """
        for seconds in PATIENCE:
            try:
                return ask()
            except (Throttled, AwsUnavailable) as error:
                self.tell(Warned(what=error.what, hint=f"asking again in {seconds} s"))
                self.pause(seconds)
                if error.may_have_happened and done is not None:
                    found = self.patiently(done)
                    if found is not None:
                        return found
        return ask()

    def glance(self, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
        """What only helps to see: where AWS does not tell, the release goes on without it."""
        try:
            return ask()
        except AwsCallFailed:
            return otherwise
