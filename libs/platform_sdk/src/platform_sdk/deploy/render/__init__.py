"""Spec and environment to plain AWS documents, which work without us."""

from platform_sdk.deploy.render.names import Role, family_of
from platform_sdk.deploy.render.task_definition import render_standalone_task as standalone_task
from platform_sdk.deploy.render.task_definition import render_task_definition as task_definition

__all__ = ["Role", "family_of", "standalone_task", "task_definition"]
