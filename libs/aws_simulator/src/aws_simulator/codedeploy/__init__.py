"""CodeDeploy for ECS: blue and green.

state.py what exists; appspec.py reads what is to be deployed; machine.py decides, purely, what a deployment does next;
engine.py does it to ECS and the load balancer and answers with what is seen; groups.py and deployments.py are the
operations.
"""
