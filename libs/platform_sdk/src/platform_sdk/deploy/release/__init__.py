"""A version's way to all users, and back: preflight, register, migrate, worker, traffic shift, outcome.

Input: a spec, an environment, a target and the gateways. Output: an Outcome, and events on the way. execute.py lists
the stages. Only this package changes what runs; nothing here creates, changes or deletes architecture.
"""
