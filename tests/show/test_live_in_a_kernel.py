"""The live view in a real kernel on an engine: in its cell while the build runs, and final after an interrupt."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.one_store, pytest.mark.timeout(1800)]
LIMIT_S = 300


class Cell:
    """One cell that runs in a kernel: the messages that belong to it."""

    def __init__(self, manager, client, code):
        self.manager, self.client = manager, client
        self.request = client.execute(code)
        self.shown: list[tuple[str, dict[str, str]]] = []
        self.error = ""

    def messages(self):
        """Yield the cell's outputs as they come, until the kernel is idle again."""
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            kind, content = message["header"]["msg_type"], message["content"]
            assert message["parent_header"].get("msg_id") == self.request, "an output of no cell"
            if kind in {"display_data", "update_display_data"}:
                self.shown.append((content["transient"]["display_id"], content["data"]))
                yield content["data"]["text/plain"]
            elif kind == "error":
                self.error = content["ename"]
            elif kind == "status" and content["execution_state"] == "idle":
                return


@pytest.fixture
def run_cell():
    """Give a function that runs a cell in a fresh kernel."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(startup_timeout=LIMIT_S, kernel_name="python3")
    try:
        client.execute_interactive("import dmhelpers as dm", timeout=LIMIT_S)
        yield lambda code: Cell(manager, client, code)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_build_changes_one_output_of_its_cell(run_cell, shell_project, unchanged_engine):
    """The view is one output of the cell that builds; it is seen running and ends as built, in text and in HTML."""
    folder = shell_project("RUN for i in $(seq 20); do echo line $i; sleep 0.3; done")
    cell = run_cell(f"dm.build({str(folder)!r}, tag='learner/live-kernel', progress='live');")
    texts = list(cell.messages())
    assert len({display_id for display_id, _ in cell.shown}) == 1
    assert any("running" in one and re.search(r"\| line \d", one) for one in texts)
    assert "learner/live-kernel:latest built in" in texts[-1]
    assert "built in" in cell.shown[-1][1]["text/html"]
    assert cell.error == ""


def test_an_interrupt_cancels_the_build_and_the_view_says_so(run_cell, shell_project, unchanged_engine):
    """Interrupting the kernel ends the build at once; the view is left in a state that says what happened."""
    folder = shell_project("RUN echo begun; sleep 1000")
    cell = run_cell(f"dm.build({str(folder)!r}, tag='learner/live-kernel', progress='live');")
    texts = []
    for text in cell.messages():
        if "| begun" in text and not any("| begun" in one for one in texts):
            cell.manager.interrupt_kernel()
        texts.append(text)
    assert cell.error == "KeyboardInterrupt"
    assert "was interrupted" in texts[-1]
    assert "cancelled" in texts[-1]
    assert "running" not in texts[-1]
