"""STS: who calls."""

from typing import ClassVar

from aws_simulator.account import Account
from aws_simulator.service import Answer, Request, Service


class Sts(Service):
    """`caller` is an ARN that tests may set, for instance to the session of a build's role."""

    NAME: ClassVar[str] = "sts"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.caller = f"arn:aws:sts::{account.account_id}:assumed-role/developer/alice"

    def get_caller_identity(self, request: Request) -> Answer:
        session = self.caller.rpartition("/")[2]
        return {"UserId": f"AROAEXAMPLE:{session}", "Account": self.account.account_id, "Arn": self.caller}
