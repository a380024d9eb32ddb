"""Variables go through a checkpoint into another kernel's process."""

from __future__ import annotations

import hashlib

from tests.integration.kernel.conftest import NewSession, Session


def test_the_variables_come_back_in_another_kernel(new_session: NewSession) -> None:
    first = new_session("state").ready()
    first.run(
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\n"
        "def double(): return df * 2\ngenerator = (i for i in [])"
    )
    saved = first.kernel.save(1, first.stop)
    assert saved.error == "" and list(saved.missing) == ["generator"]
    manifests = [path.read_bytes() for path in first.workspace.checkpoints.glob("manifests/*.json")]
    assert [hashlib.sha256(data).hexdigest() for data in manifests] == [saved.checkpoint]
    first.close()

    second = new_session("state").ready()
    restored = second.kernel.restore(saved.checkpoint, second.stop)
    assert set(restored.names) >= {"df", "double"} and list(restored.missing) == ["generator"]
    assert second.run("int(double().a.sum())").output == "6\n"


def test_a_checkpoint_that_was_changed_is_not_restored(new_session: NewSession) -> None:
    first = new_session("swapped").ready()
    first.run("x = 1")
    saved = first.kernel.save(1, first.stop)
    first.close()
    (manifest,) = first.workspace.checkpoints.glob("manifests/*.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"x", b"y"))

    second = new_session("swapped").ready()
    restored = second.kernel.restore(saved.checkpoint, second.stop)
    assert restored.names == () and "*" in restored.missing
    assert "NameError" in second.run("x").output


def test_a_save_that_cannot_be_written_is_an_error_and_not_a_death(shared: Session) -> None:
    shared.run("y = 2")
    checkpoints = shared.workspace.checkpoints
    aside = checkpoints.rename(checkpoints.with_name("aside"))
    checkpoints.write_text("in the way")
    saved = shared.kernel.save(1, shared.stop)
    checkpoints.unlink()
    aside.rename(checkpoints)
    assert saved.checkpoint == "" and saved.error
    assert shared.run("y").output == "2\n"


def test_what_shell_cells_leave_comes_back_in_another_kernel(new_session: NewSession) -> None:
    first = new_session("shell").ready()
    first.run("mkdir deep && cd deep && export COLOUR=red; plain=1; greet() { echo \"hello $1\"; }", "shell")
    saved = first.kernel.save(1, first.stop)
    assert saved.error == ""
    first.close()

    second = new_session("shell").ready()
    assert second.kernel.restore(saved.checkpoint, second.stop).missing == {}
    said = second.run('basename "$PWD"; printenv COLOUR; echo $plain; greet you', "shell").output
    assert said == "deep\nred\n1\nhello you\n"
