"""CodeDeploy for ECS: blue/green.

state.py holds what exists and reads the AppSpec. machine.py decides, purely, what a deployment does next. engine.py
does it to ECS and the load balancer and observes the result. groups.py and deployments.py hold the operations.
"""
