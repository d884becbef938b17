"""The hub's configuration. `dmhelpers workshop up` starts JupyterHub with it; settings come from the workshop's folder."""

from dmhelpers.workshop import hub, settings

c = get_config()  # noqa: F821  JupyterHub gives it
workshop = settings.load()
hub.configure(c, workshop)

# A further service adds its entries here: c.JupyterHub.services += […] and c.JupyterHub.load_roles += […].
