"""One AWS account in one region, without boto3: its services, images, functions and clock.

It is deterministic: time is the stepped clock's and ids are counted. client.py adds boto3 clients.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from aws_simulator.clock import NEVER, SteppedClock
from aws_simulator.service import Service
from aws_simulator.world import GOOD, MISSING, Behaviour, Conditions, Hook, Verdict

PUBLIC_REGISTRY: Final = "public.ecr.aws/"

S = TypeVar("S", bound=Service)


class Account:
    """
    Args:
        services: name to what makes the service; stepped in this order.
    """

    def __init__(
        self,
        *,
        clock: SteppedClock,
        account_id: str,
        region: str,
        services: Mapping[str, Callable[["Account"], Service]],
    ) -> None:
        self.clock = clock
        self.account_id = account_id
        self.region = region
        self.images: dict[str, Behaviour] = {}
        self.hooks: dict[str, Hook] = {}
        self.conditions = Conditions()
        self._counted: Counter[str] = Counter()
        self.services: dict[str, Service] = {}
        for name, make in services.items():
            self.services[name] = make(self)
        self._stepped = [service for service in self.services.values() if type(service).step is not Service.step]
        self._by_type = {type(service): service for service in self.services.values()}
        clock.listen(self)

    def now(self) -> datetime:
        return self.clock.now()

    def service(self, kind: type[S]) -> S:
        found = self._by_type[kind]
        assert isinstance(found, kind)
        return found

    @property
    def quiet_until(self) -> datetime:
        now, moment = self.now(), NEVER
        for service in self._stepped:
            moment = min(moment, service.quiet_until)
            if moment <= now:
                break
        return moment

    def step(self) -> None:
        for service in self._stepped:
            service.step()

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """`resource` is what follows the account: `cluster/platform-production`."""
        region = self.region if regional else ""
        return f"arn:aws:{service}:{region}:{self.account_id}:{resource}"

    def count(self, kind: str) -> int:
        """Return the next number of its kind, from 1."""
        self._counted[kind] += 1
        return self._counted[kind]

    def hexadecimal_id(self, kind: str, length: int = 32) -> str:
        """Return an id that looks like AWS's and is the same in every run."""
        return hashlib.sha256(f"{kind} {self.count(kind)}".encode()).hexdigest()[:length]

    def behaviour_of(self, image: str) -> Behaviour:
        """Return the behaviour of an image, by URI or digest. Unknown public images are good, others missing."""
        known = self.images.get(image) or self.images.get(image.partition("@")[2])
        return known or (GOOD if image.startswith(PUBLIC_REGISTRY) else MISSING)

    def set_hook(self, function: str, verdict: Verdict = "Succeeded", after_seconds: float = 5) -> None:
        """Create the Lambda function, or change what it answers. CodeDeploy fails where a function is missing."""
        self.hooks[function] = Hook(verdict=verdict, after_seconds=after_seconds)

    def hook(self, function: str) -> Hook | None:
        """Return a hook by the function's name or ARN."""
        return self.hooks.get(function) or self.hooks.get(function.rpartition(":function:")[2])
