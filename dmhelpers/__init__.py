"""A hands-on course on Docker multi-stage builds."""
