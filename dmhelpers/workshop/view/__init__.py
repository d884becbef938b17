"""The instructor's view: a JupyterHub service that shows who opened, passed or is stuck on which check."""
