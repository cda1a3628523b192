"""CloudFormation: a template's text to resources on the simulator's services, through change sets and simulated time.

template ─▶ parameters ─▶ intrinsics ─▶ differences (a change set) ─▶ operation ─▶ tasks ─▶ resources

A resource is written when its text differs from the text that it was given last, never for what is there (decision
0014). Simplified: tags of a stack are kept, and not handed on to resources; nested stacks, macros, imports and exports,
rules, creation policies and resource drift are not played.
"""

from aws_simulator.cloudformation.service import CloudFormation

__all__ = ["CloudFormation"]
