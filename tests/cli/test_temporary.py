"""A temporary file beside a whole record: both verifiers name it, and say that it is not part of the record."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from keyferry.errors import MismatchError
from keyferry.verification.record import verify
from records import both_say
from runs import recorded


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded(), tmp_path / "run"))


@pytest.mark.parametrize("name", ["manifest.json.part", "files/a b.wrapped.part"])
def test_a_temporary_file_beside_a_whole_record_is_called_what_it_is(run: Path, name: str) -> None:
    (run / name).write_bytes(b"x")
    with pytest.raises(MismatchError) as found:
        verify(run)
    assert "killed process" in found.value.what
    assert "not part of the record" in found.value.what
    assert f"rm {shlex.quote(str(run / name))}" in (found.value.hint or "")
    both_say("wrong", run, name)
    (run / name).unlink()
    assert verify(run).complete
