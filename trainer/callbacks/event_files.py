"""TensorBoard's event files and the messages in them, which are tensorboardX's.

The files we write ourselves: its writers make them readable to everybody, hand each event to a thread of their own, and
lose what the disk refuses. Only `TensorBoard` imports this module, and only once it is enabled: tensorboardX takes
150 ms to import.
"""

import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboardX.proto import api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2
from tensorboardX.record_writer import masked_crc32c

from trainer import files
from trainer.appending import Appending
from trainer.events import Distribution

_FLUSH_SECONDS = 2.0
"""Between two writes, since each of a thousand short epochs would be one."""

# The messages are generated when tensorboardX is imported, so a type checker knows none of them.
_api: Any = api_pb2
_event: Any = event_pb2
_hparams: Any = plugin_hparams_pb2
_summary: Any = summary_pb2

Hyperparameter = bool | int | float | str | None


class EventFile:
    """One new event file in a folder, made with the one above it where missing. Events wait until they are flushed."""

    def __init__(self, folder: Path) -> None:
        # Others name files by the second and overwrite; two parts of one run may start within one.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}"
        self._folder = folder
        self._file = Appending(folder / name)
        self._due = time.monotonic() + _FLUSH_SECONDS
        self._append(_event.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, summary: Any, step: int = 0) -> None:
        """Append a summary at a global step."""
        self._append(_event.Event(wall_time=time.time(), step=step, summary=summary))

    def restart(self, step: int) -> None:
        """Make readers forget what earlier files of the folder hold from `step` on."""
        log = _event.SessionLog(status=_event.SessionLog.START)
        self._append(_event.Event(wall_time=time.time(), step=step, session_log=log))

    def flush(self) -> None:
        """Write what waits, if it is time. Raises OSError: the disk refuses it, and it goes on waiting."""
        if time.monotonic() >= self._due:
            self._write()

    def close(self) -> None:
        """Write out what is left and close the file. Raises OSError: what is left is lost."""
        try:
            self._write()
        finally:
            self._file.close()

    def _write(self) -> None:
        self._due = time.monotonic() + _FLUSH_SECONDS
        for folder in (self._folder.parent, self._folder):
            files.make_folder(folder)
        self._file.flush()

    def _append(self, event: Any) -> None:
        content = event.SerializeToString()
        length = struct.pack("<Q", len(content))
        checks = (struct.pack("<I", masked_crc32c(part)) for part in (length, content))
        self._file.append(b"".join([length, next(checks), content, next(checks)]))


def scalars(values: Mapping[str, float]) -> Any:
    """Return a summary of numbers by tag; NaN and infinities are numbers too."""
    return _summary.Summary(
        value=[_summary.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    )


def histograms(values: Mapping[str, Distribution]) -> Any:
    """Return a summary of distributions by tag; their sums are taken from the middles of the bins."""
    return _summary.Summary(value=[_summary.Summary.Value(tag=tag, histo=_histo(it)) for tag, it in values.items()])


def _histo(of: Distribution) -> Any:
    width = (of.high - of.low) / len(of.counts)
    ends = [of.low + width * place for place in range(1, len(of.counts) + 1)]
    middles = [end - width / 2 for end in ends]
    return _summary.HistogramProto(
        min=of.low,
        max=of.high,
        num=sum(of.counts),
        sum=sum(count * middle for count, middle in zip(of.counts, middles, strict=True)),
        sum_squares=sum(count * middle**2 for count, middle in zip(of.counts, middles, strict=True)),
        bucket_limit=ends,
        bucket=of.counts,
    )


def session_start(hyperparameters: Mapping[str, Hyperparameter]) -> Any:
    """Return the summary that says which hyperparameters the run has."""
    start = _hparams.SessionStartInfo(start_time_secs=time.time())
    for key, value in _given(hyperparameters):
        setattr(start.hparams[key], f"{_kind(value)}_value", value)
    return _plugin("session_start_info", start)


def session_end(failed: bool) -> Any:
    """Return the summary that says how the run ended."""
    status = _api.Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
    return _plugin("session_end_info", _hparams.SessionEndInfo(status=status, end_time_secs=time.time()))


def experiment(hyperparameters: Mapping[str, Hyperparameter], tags: Iterable[tuple[str, str]]) -> Any:
    """Return the summary that declares the columns of the HParams tab.

    Args:
        hyperparameters: as for `session_start`.
        tags: run folder and tag of each metric.
    """
    types = {"bool": "DATA_TYPE_BOOL", "number": "DATA_TYPE_FLOAT64", "string": "DATA_TYPE_STRING"}
    columns = [
        _api.HParamInfo(name=key, type=_api.DataType.Value(types[_kind(value)]))
        for key, value in _given(hyperparameters)
    ]
    metrics = [_api.MetricInfo(name=_api.MetricName(group=group, tag=tag)) for group, tag in tags]
    return _plugin(
        "experiment", _api.Experiment(time_created_secs=time.time(), hparam_infos=columns, metric_infos=metrics)
    )


def _given(hyperparameters: Mapping[str, Hyperparameter]) -> list[tuple[str, bool | int | float | str]]:
    return [(key, value) for key, value in hyperparameters.items() if value is not None]


def _kind(value: Hyperparameter) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "string"


def _plugin(field: str, content: Any) -> Any:
    data = _hparams.HParamsPluginData(version=0, **{field: content})
    plugin = _summary.SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    metadata = _summary.SummaryMetadata(plugin_data=plugin)
    return _summary.Summary(value=[_summary.Summary.Value(tag=f"_hparams_/{field}", metadata=metadata)])
