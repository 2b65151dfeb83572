import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("durable", [True, False])
def test_replace_gives_a_file_its_new_content_and_leaves_nothing_else(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "run.json"
    for content in (b"first", b"", b"second"):
        files.replace_atomically(path, content, durable)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["run.json"]


def test_only_the_owner_may_read_what_is_created(tmp_path: Path, open_umask: None) -> None:
    files.make_folder(tmp_path / "folder")
    files.replace_atomically(tmp_path / "folder" / "file", b"x", durable=False)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "folder" / "file").stat().st_mode) == 0o600


def test_replace_writes_all_of_it_when_the_kernel_takes_it_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    files.replace_atomically(tmp_path / "file", b"0123456789", durable=True)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_replace_does_not_follow_a_link_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "file").symlink_to(outside)
    files.replace_atomically(tmp_path / "runs" / "file", b"new", durable=False)
    assert outside.read_bytes() == b"precious"
    assert (tmp_path / "runs" / "file").read_bytes() == b"new"


def test_a_temporary_name_that_is_taken_is_refused_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda n: "0" * 16)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".file.0000000000000000.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        files.replace_atomically(tmp_path / "file", b"new", durable=False)
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_a_failed_replace_keeps_the_old_content_and_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, name, refuse)
    with pytest.raises(OSError, match="No space left"):
        files.replace_atomically(path, b"new", durable=True)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("durable", "calls"), [(True, ["write", "fsync", "replace", "fsync"]), (False, ["write", "replace"])]
)
def test_a_durable_replace_syncs_the_content_before_its_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, calls: list[str]
) -> None:
    made: list[str] = []

    def noted(name: str, call: Any) -> Any:
        def noting(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return call(*args, **kwargs)

        return noting

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    files.replace_atomically(tmp_path / "file", b"x", durable)
    assert made == calls


@pytest.mark.parametrize(("code", "raises"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_only_a_file_system_that_cannot_sync_folders_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raises: bool
) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if raises:
        with pytest.raises(OSError, match="Input/output"):
            files.replace_atomically(tmp_path / "file", b"new", durable=True)
    else:
        files.replace_atomically(tmp_path / "file", b"new", durable=True)
    assert (tmp_path / "file").read_bytes() == b"new"


def test_make_folder_accepts_a_folder_and_refuses_a_file(tmp_path: Path) -> None:
    files.make_folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        files.make_folder(tmp_path / "file")


def test_remove_temporaries_leaves_the_files_of_others(tmp_path: Path) -> None:
    (tmp_path / ".run.json.0123456789abcdef.tmp").touch()
    kept = [".mine.tmp", "x.0123456789abcdef.tmp", "run.json"]
    for name in kept:
        (tmp_path / name).touch()
    files.remove_temporaries(tmp_path)
    assert names(tmp_path) == sorted(kept)


def test_reading_refuses_what_is_not_a_file_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    (tmp_path / "file").touch()
    (tmp_path / "to_file").symlink_to(tmp_path / "file")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "link", tmp_path / "to_file", Path("/dev/zero")):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory|symbolic links"):
            files.read_regular(path, 1)


def test_reading_a_huge_limit_reserves_only_what_the_file_has(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert files.read_regular(tmp_path / "file", 1 << 60) == b"abc"
    assert files.read_regular(tmp_path / "file", 2) == b"ab"
