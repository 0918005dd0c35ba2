"""Tells of one job as ComfyUI tells of a prompt. Pure: moments in, frames out.

Order, as recorded: execution_start, execution_cached; of each node progress_state and executing, then steps, of each of
which progress_state comes first and the preview next to progress; what a node has shown (executed); the last word; how
many prompts are left; executing with no node. Nothing follows that.

Steps and nodes that came and went between two moments are left out, and previews of a node that is over. A node's
files arrive here one by one, but readers expect them in one `executed`: it is held back until another node gives
something, or the end.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.dialects.comfyui.endings import ending_of, has_begun, milliseconds, prompt_id_of
from imagegen_gateway.dialects.comfyui.entries import SENDER, add_file, graph_of
from imagegen_gateway.dialects.comfyui.frames import Departure, Frame, Picture, SentResult, Text, executing
from imagegen_gateway.dialects.comfyui.graphs import class_of
from imagegen_gateway.dialects.rendering import Moment


class Narrator:
    """One job on one socket."""

    def __init__(self, job: job_pb2.Job, *, is_new: bool) -> None:
        """`is_new`: the socket has been there from the job's beginning. Otherwise the past is not told."""
        self._prompt_id = prompt_id_of(job)
        self._graph = graph_of(job)
        self._tells_past = is_new
        self._time = job.create_time
        self._has_begun = False
        self._node = ""
        self._states: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._held: list[str] = []
        self._sent: dict[str, int] = {}

    def tell(self, moment: Moment, *, has_metadata: bool) -> list[Frame]:
        """What is to be sent. `has_metadata`: the reader wants previews of the new kind, and before their progress."""
        if moment.events:
            self._time = moment.events[-1].time
        frames = list(self._tell(moment, has_metadata=has_metadata))
        if not self._tells_past:
            frames = [executing(self._prompt_id, self._node)] if self._node and not moment.is_last else []
            self._tells_past = True
        return [*frames, *self._end(moment.job)] if moment.is_last else frames

    def _tell(self, moment: Moment, *, has_metadata: bool) -> Iterator[Frame]:
        yield from self._begin_if_told(moment)
        progress = moment.progress
        if progress is None and not self._tells_past and moment.job.HasField("progress"):
            progress = moment.job.progress
        for event in moment.events:
            if event.HasField("phase_changed"):
                yield from self._turn_to(event.phase_changed.node_id)
        if progress is not None:
            yield from self._turn_to(progress.node_id)
        yield from self._step(progress, moment.preview, has_metadata=has_metadata)
        for output in moment.outputs:
            yield from self._take(output)

    def _begin_if_told(self, moment: Moment) -> Iterator[Frame]:
        for event in moment.events:
            if event.HasField("plan"):
                # Another attempt begins anew.
                self._states.clear()
                self._node = ""
                yield from self._begin([node.node_id for node in event.plan.nodes if node.cached])

    def _begin(self, cached: Sequence[str] = ()) -> Iterator[Frame]:
        if self._has_begun:
            return
        self._has_begun = True
        about = {"prompt_id": self._prompt_id, "timestamp": milliseconds(self._time)}
        yield Text("execution_start", about)
        yield Text("execution_cached", {"nodes": list(cached), **about})

    def _turn_to(self, node_id: str) -> Iterator[Frame]:
        """A node is at work. One that was named before is not named again: its progress may lag behind."""
        if not node_id or node_id in self._states:
            return
        yield from self._begin()
        if self._node:
            yield from self._finish(self._node)
        self._node = node_id
        self._note(node_id, 0.0, 1.0, is_finished=False)
        yield self._progress_state()
        yield executing(self._prompt_id, node_id)

    def _step(
        self, progress: job_pb2.Progress | None, preview: event_pb2.Preview | None, *, has_metadata: bool
    ) -> Iterator[Frame]:
        pictured = (preview.node_id or self._node) if preview is not None else ""
        if pictured != self._node:
            pictured = ""  # readers know by `executing` whose a picture is: they would take it for a result
        stepped = self._stepped(progress)
        if stepped and stepped != pictured:
            yield from self._values(stepped)
        if preview is not None and pictured:
            state, step = self._values(pictured)
            about = {"prompt_id": self._prompt_id, "node_id": pictured}
            picture = Picture(**about, media_type=preview.media_type, data=preview.data)
            # Readers without metadata expect it after its progress.
            yield from (state, picture, step) if has_metadata else (state, step, picture)

    def _stepped(self, progress: job_pb2.Progress | None) -> str:
        """Notes a step and gives its node; empty: nothing is new."""
        if progress is None or not progress.steps or progress.node_id not in self._states:
            return ""
        state, values = self._states[progress.node_id], (progress.step, progress.steps)
        if (state["value"], state["max"]) == values:
            return ""
        is_finished = progress.node_id != self._node and progress.step == progress.steps
        self._note(progress.node_id, *values, is_finished=is_finished)
        return progress.node_id

    def _values(self, node_id: str) -> tuple[Text, Text]:
        """How all nodes stand, and how far this one is."""
        state = self._states[node_id]
        return self._progress_state(), self._progress(node_id, state["value"], state["max"])

    def _take(self, output: job_pb2.Output) -> Iterator[Frame]:
        node_id = output.node_id
        yield from self._begin()
        if class_of(self._graph, node_id) == SENDER:
            yield from self._send(output)
            return
        if node_id not in self._held:
            yield from self._show_held()
            self._held.append(node_id)
        add_file(self._shown.setdefault(node_id, {}), output)

    def _send(self, output: job_pb2.Output) -> Iterator[Frame]:
        """A picture that is sent and not saved. Readers know it by the node that was named before it."""
        node_id, number = output.node_id, self._sent.get(output.node_id, 0)
        self._sent[node_id] = number + 1
        is_other = node_id != self._node
        if is_other:
            yield executing(self._prompt_id, node_id)
        yield self._progress(node_id, number, number + 1)
        yield SentResult(prompt_id=self._prompt_id, node_id=node_id, digest=output.asset.digest)
        if is_other and self._node:
            yield executing(self._prompt_id, self._node)

    def _show_held(self) -> Iterator[Frame]:
        """What nodes have shown, once each has given all."""
        for node_id in self._held:
            data = {"node": node_id, "display_node": node_id, "output": self._shown[node_id]}
            yield Text("executed", {**data, "prompt_id": self._prompt_id})
        self._held.clear()

    def _end(self, job: job_pb2.Job) -> Iterator[Frame]:
        yield from self._show_held()
        if has_begun(job):
            yield from self._begin()
        if self._node and job.state == job_pb2.JOB_STATE_SUCCEEDED:
            yield from self._finish(self._node)
        executed = [node_id for node_id, state in self._states.items() if state["state"] == "finished"]
        yield Text(*ending_of(job, self._graph, node_id=self._node, executed=executed))
        yield Departure()
        yield executing(self._prompt_id, None)

    def _finish(self, node_id: str) -> Iterator[Frame]:
        if node_id in self._states:
            maximum = self._states[node_id]["max"]
            self._note(node_id, maximum, maximum, is_finished=True)
            yield self._progress_state()

    def _note(self, node_id: str, value: float, maximum: float, *, is_finished: bool) -> None:
        self._states[node_id] = {
            "value": value,
            "max": maximum,
            "state": "finished" if is_finished else "running",
            "node_id": node_id,
            "prompt_id": self._prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }

    def _progress_state(self) -> Text:
        return Text("progress_state", {"prompt_id": self._prompt_id, "nodes": dict(self._states)})

    def _progress(self, node_id: str, value: float, maximum: float) -> Text:
        return Text("progress", {"value": value, "max": maximum, "prompt_id": self._prompt_id, "node": node_id})
