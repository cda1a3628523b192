"""Spec and observed state to a plan: what shall be, and how that differs from what is. Pure.

    spec, environment ─▶ documents ┐
    ServiceState ──────────────────┼─▶ plan_service ─▶ Plan ─▶ report
    [cost], prices ────────────────┘

A plan decides; it does not say how. `apply` brings the stack about, a release the revisions, and both ask again what is
there before they write.
"""

from platform_sdk.deploy.plan.cost import CostBasis
from platform_sdk.deploy.plan.decisions import (
    FORMAT_VERSION,
    CostPlan,
    Drift,
    ExistingRevision,
    NewRevision,
    Plan,
    ResourcePlan,
    RevisionPlan,
    ScalingChange,
    SharedPlan,
    SharedStackPlan,
    StackPlan,
    Target,
    TrafficPlan,
    is_of_scaling,
)
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.plan.service import plan_service, plan_shared
from platform_sdk.deploy.plan.stack import live_of

__all__ = [
    "FORMAT_VERSION",
    "CostBasis",
    "CostPlan",
    "Drift",
    "ExistingRevision",
    "NewRevision",
    "Plan",
    "ResourcePlan",
    "RevisionPlan",
    "ScalingChange",
    "SharedPlan",
    "SharedStackPlan",
    "StackPlan",
    "Target",
    "TrafficPlan",
    "drift_of",
    "is_of_scaling",
    "live_of",
    "plan_service",
    "plan_shared",
]
