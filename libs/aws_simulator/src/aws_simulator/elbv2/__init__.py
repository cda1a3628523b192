"""Elastic Load Balancing v2: state.py what exists, its health and answers; service.py the operations."""
