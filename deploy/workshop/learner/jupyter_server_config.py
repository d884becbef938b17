"""JupyterLab at a learner's seat: opens on notebook 00, ends kernels that nobody uses, keeps no history elsewhere."""

c = get_config()  # noqa: F821  Jupyter gives it

c.ServerApp.root_dir = "/home/learner/course"
c.ServerApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
c.MappingKernelManager.cull_idle_timeout = 1800
c.MappingKernelManager.cull_connected = False
c.FileContentsManager.delete_to_trash = False
