"""CodeDeploy as boto3 knows it."""

from local_aws.control_plane.codedeploy.deployments import Deployments


class CodeDeploy(Deployments):
    NAME = "codedeploy"

    @property
    def rollbacks_fail(self) -> bool:
        """Whether every rollback fails, for a test to set."""
        return self.engine.rollbacks_fail

    @rollbacks_fail.setter
    def rollbacks_fail(self, value: bool) -> None:
        self.engine.rollbacks_fail = value
