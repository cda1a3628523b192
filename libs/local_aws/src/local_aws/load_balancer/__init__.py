"""The load balancer of the local stack: Envoy, with routes from target groups and listener rules."""
