"""Lambda, as far as a release looks at it: whether the functions that hooks name are there."""

from typing import ClassVar

from aws_simulator.refused import Refused
from aws_simulator.service import Answer, Request, Service


class Functions(Service):
    NAME: ClassVar[str] = "lambda"

    def get_function(self, request: Request) -> Answer:
        name = str(request["FunctionName"]).rpartition(":function:")[2]
        arn = self.account.arn("lambda", f"function:{name}")
        if self.account.hook(name) is None:
            raise Refused("ResourceNotFoundException", f"Function not found: {arn}", status=404)
        return {"Configuration": {"FunctionName": name, "FunctionArn": arn, "State": "Active"}}

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        name = str(request["FunctionName"]).rpartition(":function:")[2]
        return (self.account.arn("lambda", f"function:{name}"),)
