"""The program that loads a set of the Hugging Face Hub, in a process of its own: `datasets` is large and may take long.

    python hub_child.py REQUEST > answer

REQUEST is JSON, as `trainer.data.hub` writes it. Writes a line of JSON that tells of the columns, then for each part
Arrow's stream of columns of numbers, of text and of the bytes of pictures; or, with status 3, what is wrong, as JSON.
No code of a set is ever run: what is made of data files is loaded, what needs a script is refused. It imports nothing
of the package.
"""

import io
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from zipfile import ZipFile

REFUSED = 3
"""Status with which what is wrong is written in place of columns."""

GIVEN_UP = 4
"""Status of one whose standard input ended."""

STILL_TO_FETCH = "must be on this machine, got a set that is still to be fetched. Training fetches it; so does ctrl+t."

_PATIENCE_SECONDS = 10
_TRUE = ("1", "ON", "YES", "TRUE")


class RefusedError(Exception):
    """A set that is not loaded; the text says why, `field` which setting leads to it."""

    def __init__(self, message: str, field: str = "name") -> None:
        super().__init__(message)
        self.field = field


def main() -> None:
    """Answer the request."""
    # The process that asks has signals wait for a thread of its own.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    threading.Thread(target=_end_with_input, daemon=True).start()
    asked = json.loads(sys.argv[1])
    out = sys.stdout.buffer
    try:
        answer = _answer(asked)
    except RefusedError as error:
        out.write(json.dumps({"message": str(error), "field": error.field}).encode())
        sys.exit(REFUSED)
    out.write(answer)


def _end_with_input() -> None:
    os.read(0, 1)
    os._exit(GIVEN_UP)


def _answer(asked: dict[str, Any]) -> bytes:
    parts = _parts(asked)
    kinds = {name: _kind(feature) for name, feature in parts[0].features.items()}
    kept = [name for name, kind in kinds.items() if kind]
    streams, left = [], asked["most_bytes"]
    for part in parts:
        if lacking := [name for name in kept if name not in part.features]:
            raise RefusedError(f"must have the columns of the part that trains, got none named {lacking[0][:60]!r}.")
        frame = part.to_polars()[kept]
        pictures = [name for name in kept if kinds[name] == "picture"]
        frame = frame.with_columns(*(_contents(frame[name], left) for name in pictures))
        left -= int(frame.estimated_size())
        if left < 0:
            raise RefusedError(f"must be at most {asked['most_bytes']} bytes, got more. Choose another set.")
        streams.append(_stream(frame, kinds))
    names = {name: parts[0].features[name].names for name in kept if kinds[name] == "label"}
    columns = {"kinds": kinds, "names": names, "sizes": [len(stream) for stream in streams]}
    return b"".join([json.dumps(columns).encode() + b"\n", *streams])


def _parts(asked: dict[str, Any]) -> list[Any]:
    """Return the parts that are asked for: what trains, and where they are named, what validates and tests."""
    try:
        loaded = _loaded(asked)
    except RefusedError:
        raise
    except Exception as error:  # noqa: BLE001 whatever a library says that may say anything becomes a line
        raise _refusal(error, asked) from None
    held = loaded if isinstance(loaded, dict) else {asked["parts"]["part"]: loaded}
    for field, name in asked["parts"].items():
        if name not in held:
            raise RefusedError(f"must be one of {', '.join(map(str, held))}, got {name!r}.", field)
    return [held[name] for name in asked["parts"].values()]


def _loaded(asked: dict[str, Any]) -> Any:
    if not asked["is_to_fetch"] and not _is_offline():
        os.environ["HF_HUB_OFFLINE"] = "1"
        asked["kept_only"] = True
    elif not asked["folder"] and not _is_offline() and not _is_reached():
        # Else the library would try for half a minute. What it has kept it still finds.
        os.environ["HF_HUB_OFFLINE"] = "1"
        asked["unreached"] = True
    import datasets

    if asked["folder"]:
        return datasets.load_from_disk(asked["folder"])
    builder = datasets.load_dataset_builder(asked["name"], asked["config"] or None)
    size = builder.info.dataset_size or 0
    if size > asked["most_bytes"]:
        raise RefusedError(f"must be at most {asked['most_bytes']} bytes, got {size}. Choose another set.")
    builder.download_and_prepare()
    return builder.as_dataset()


def _refusal(error: BaseException, asked: dict[str, Any]) -> RefusedError:
    """Return what a library's error means, in one line."""
    if type(error).__name__ == "DatasetGenerationError":
        error = error.__cause__ or error  # it says no more than that there was one
    kind, words = type(error).__name__, " ".join(str(error).split())
    if asked["folder"]:
        return RefusedError(f"must be a folder that save_to_disk wrote, got another ({words[:200]}).", "folder")
    is_absent = isinstance(error, ConnectionError) or "Couldn't find cache" in words
    if asked.get("kept_only") and is_absent:
        return RefusedError(STILL_TO_FETCH)
    if asked.get("unreached") and isinstance(error, OSError):
        return RefusedError(
            "must be fetched from the Hub, which cannot be reached from here. Connect, or name a copy in folder."
        )
    if isinstance(error, ConnectionError) and _is_offline():
        return RefusedError("must be on this machine while HF_HUB_OFFLINE is set, got no copy. Unset it to fetch one.")
    if kind in ("EmptyDatasetError", "DataFilesNotFoundError"):
        return RefusedError("must be made of data files that the library reads, got none of them. Choose another set.")
    if kind == "DatasetNotFoundError" and "gated" in words:
        return RefusedError(
            "must be a set that you may read, got a gated one. Ask for access on its page, and log in by hf auth login."
        )
    if kind == "DatasetNotFoundError" or (
        kind == "FileNotFoundError" and not any(word in words for word in ("[Errno", "LocalEntry"))
    ):
        return RefusedError("must be a set of the Hub that you may read, got none of this name. Check the spelling.")
    if (status := _status(error)) is not None:
        return RefusedError(f"must be a set that can be fetched, got status {status} from the Hub. Try again later.")
    is_lost = kind == "LocalEntryNotFoundError" or "LocalEntryNotFoundError" in words
    if isinstance(error, ConnectionError) or is_lost or type(error).__module__.startswith(("httpx", "httpcore")):
        return RefusedError("must be a set that can be fetched, got no answer of the Hub. Try again later.")
    if isinstance(error, RuntimeError) and "script" in words:
        return RefusedError("must be made of data files, got a set made by a script, which is never run.")
    if isinstance(error, ValueError) and "config" in words.lower():
        words = words.partition(" Example of usage")[0]
        return RefusedError(f"must be one that the set has, got {asked['config']!r}: {words[:300]}", "config")
    return RefusedError(f"must be a set that can be loaded, got {kind}: {words[:200]}")


def _status(error: BaseException | None) -> int | None:
    """Return what the Hub answered in place of a file, if that is behind an error."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int) and status >= 400 and status != 404:
            return status
        error = error.__cause__ or error.__context__
    return None


def _is_offline() -> bool:
    asked = (os.environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"))
    return any(asked)


def _is_reached() -> bool:
    """Return whether the Hub answers, whatever it says."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=_PATIENCE_SECONDS)  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _kind(feature: Any) -> str:
    """Return what a column holds: "picture", "label", "plain", or "" for what is left out."""
    name = type(feature).__name__
    if name == "Value":
        kind = str(feature.dtype)
        return "plain" if kind.startswith(("int", "uint", "float", "bool", "string", "large_string")) else ""
    return {"Image": "picture", "ClassLabel": "label"}.get(name, "")


def _contents(column: Any, most: int) -> Any:
    """Return a column of pictures with what is in the files that the library fetched beside the table."""
    import polars as pl

    contents, archives = column.struct.field("bytes").to_list(), dict[Path, ZipFile]()
    for row, path in enumerate(column.struct.field("path").to_list()):
        if contents[row] is not None or not path:
            continue
        # zip://MEMBER::FILE is in a file that is not unpacked.
        member, _, name = path.rpartition("::")
        if (file := _fetched(name)) is None:
            continue
        if member:
            if file not in archives:
                archives[file] = ZipFile(file)
            archive = archives[file]
            info = archive.getinfo(member.removeprefix("zip://"))
        most -= info.file_size if member else file.stat().st_size
        if most < 0:
            raise RefusedError("must be of fewer bytes, got pictures that are too many. Choose another set.")
        contents[row] = archive.read(info) if member else file.read_bytes()
    return pl.Series(column.name, contents, pl.Binary)


def _fetched(path: str) -> Path | None:
    """Return a file, unless it lies elsewhere than in what the library fetched: a table may name any."""
    import datasets
    from huggingface_hub import constants

    file = Path(path).resolve()
    kept = (constants.HF_HUB_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH)
    is_kept = any(file.is_relative_to(Path(place).resolve()) for place in kept)
    return file if is_kept and file.is_file() else None


def _stream(frame: Any, kinds: dict[str, str]) -> bytes:
    import polars as pl

    plain = []
    for name in frame.columns:
        column = frame[name].alias("")  # `^…$` would be a pattern
        if kinds[name] == "label":
            column = column.replace(-1, None)
        elif kinds[name] == "plain" and not column.dtype.is_numeric():
            column = column.cast(pl.String).str.strip_chars()
        plain.append(column.alias(name))
    written = io.BytesIO()
    pl.DataFrame(plain).write_ipc_stream(written, compression="uncompressed")
    return written.getvalue()


if __name__ == "__main__":
    main()
