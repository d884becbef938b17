"""The hub's configuration, which `dmhelpers workshop up` starts JupyterHub with; it keeps the settings elsewhere."""

from dmhelpers.workshop import hub, roster, services, settings
from dmhelpers.workshop.view.config import hub_entries

c = get_config()  # noqa: F821  JupyterHub gives it
workshop = settings.load()
hub.configure(c, workshop)

# The instructor's view: who opened, passed or is stuck on which check. Seats cannot reach this machine's loopback,
# where the proxy may be, so they report to the service itself.
people = roster.load(workshop.roster_file)
view = hub_entries(
    instructors=[one.login for one in people.values() if one.instructor],
    hub_url=workshop.view_url,
    service_url=workshop.view_url,
    state_folder=workshop.folder / "view",
)
# One that a killed hub left would still have the port that the seats know, and they would be started anew.
for one in view.services:
    one["environment"] = services.marked(workshop)
view.add_to(c)
