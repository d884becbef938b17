"""The hub's configuration on a Swarm; its settings are the variables of stack.yaml."""

from dmhelpers.workshop import swarm

c = get_config()  # noqa: F821  JupyterHub gives it
swarm.configure(c, swarm.from_environment())
