"""Elastic Load Balancing v2: state.py what exists, health.py whether a target is healthy, service.py the operations."""
