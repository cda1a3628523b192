"""Why a release failed: evidence in, a likely cause and its remedy out.

    AWS ─▶ AwsEvidence ─▶ Evidence ─▶ causes ─▶ Explanation

Only the collector talks to AWS, and only while it still knows: ECS forgets a stopped task after an hour.
"""

from platform_sdk.deploy.diagnosis.causes import Cause, cause_of
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence, Expected, Migration
from platform_sdk.deploy.diagnosis.explain import AwsEvidence, explain

__all__ = ["AwsEvidence", "Cause", "DeadTask", "Evidence", "Expected", "Migration", "cause_of", "explain"]
