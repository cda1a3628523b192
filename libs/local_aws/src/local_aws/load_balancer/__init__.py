"""The load balancer: Envoy, with routes from target groups and listener rules."""
