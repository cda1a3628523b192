"""A version's way to all users, and back: preflight, register, migrate, worker, traffic shift, outcome.

execute.py tells the story. Input are a spec, an environment, a target and the gateways; output is an Outcome, and
events on the way. Only this package changes what runs; nothing here creates, changes or deletes architecture.
"""
