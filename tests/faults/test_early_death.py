"""A run that was killed before its first journal line, or while a file of its record was being written."""

from __future__ import annotations

import pytest

from killed import holds, killed
from records import both_say
from runs import keyferry
from undisturbed import Plain, migration

_AT_RENAME = """
import os, pathlib, signal, sys
name, rename = sys.argv.pop(1), pathlib.Path.rename
def killed(self, target):
    if self.name == name + ".part":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = killed
from keyferry.cli.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    return Plain(tmp_path_factory.mktemp("early"), "key_mgmt_util", keys=1)


def test_killed_before_the_first_line_it_is_started_again_in_its_folder(undisturbed: Plain) -> None:
    world = undisturbed.fresh("before")
    assert killed(world, _AT_RENAME, ["run.json", *migration(world)])
    resumed = world.resume()
    assert (resumed.status, "no run began here" in resumed.err, "--run-dir" in resumed.err) == (2, True, True)
    undisturbed.is_reached(world, world.migrate())


def test_killed_while_the_manifest_is_written_the_record_can_still_be_completed(undisturbed: Plain) -> None:
    world = undisturbed.fresh("manifest")
    assert killed(world, _AT_RENAME, ["manifest.json", *migration(world)])
    run = world.directory / "run"
    assert (run / "manifest.json.part").exists()
    both_say("incomplete", run)
    done = world.resume()
    assert (done.status, holds(world)) == (0, undisturbed.holds), done.err
    both_say("complete", run)
    assert keyferry("verify", run).status == 0


def test_killed_while_a_wrapped_file_is_fetched_nothing_of_it_stays(undisturbed: Plain) -> None:
    world = undisturbed.fresh("wrapped")
    (key,) = undisturbed.done.document["keys"]
    assert killed(world, _AT_RENAME, [f"{key['source_handle']}.wrapped", *migration(world)])
    undisturbed.is_reached(world, world.resume())
    assert not list((world.directory / "run").rglob("*.part"))
    both_say("complete", world.directory / "run")
