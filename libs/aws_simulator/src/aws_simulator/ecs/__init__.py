"""Elastic Container Service.

state.py holds what exists. task_life.py decides, purely, how a task goes on and how many tasks of which revision run.
task_definitions.py, tasks.py, services.py and deployments.py hold the operations and act as time passes.
"""
