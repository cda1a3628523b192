"""CloudFormation: from a template's text to resources on the simulator's services.

template ─▶ parameters ─▶ intrinsics ─▶ differences (a change set) ─▶ operation ─▶ tasks ─▶ resources

A resource is written when its text differs from the text of the last update, whatever its state is (decision 0014).
A stack's tags are kept but not copied to resources. Not supported: nested stacks, macros, imports and exports, rules,
creation policies and resource drift.
"""

from aws_simulator.cloudformation.service import CloudFormation

__all__ = ["CloudFormation"]
