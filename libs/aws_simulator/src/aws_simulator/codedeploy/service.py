"""CodeDeploy as boto3 knows it."""

from aws_simulator.codedeploy.deployments import Deployments


class CodeDeploy(Deployments):
    """A test sets `rollbacks_fail` and `says_baking`, which are the engine's."""

    NAME = "codedeploy"

    @property
    def rollbacks_fail(self) -> bool:
        return self.engine.rollbacks_fail

    @rollbacks_fail.setter
    def rollbacks_fail(self, value: bool) -> None:
        self.engine.rollbacks_fail = value

    @property
    def says_baking(self) -> bool:
        return self.engine.says_baking

    @says_baking.setter
    def says_baking(self, value: bool) -> None:
        self.engine.says_baking = value
