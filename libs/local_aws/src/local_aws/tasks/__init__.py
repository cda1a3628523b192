"""Runs tasks as ECS would: decides how many, starts and stops them as processes."""
