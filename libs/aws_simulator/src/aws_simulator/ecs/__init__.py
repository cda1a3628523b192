"""Elastic Container Service: what runs.

state.py what exists; life.py one task from its request to its end; scheduling.py decides, purely, how many tasks of
which revision run. The operations and what time brings: task_definitions.py, tasks.py, services.py, deployments.py.
"""
