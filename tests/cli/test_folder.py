"""The folder of results: what is in the way, what is unfinished, and that old results live until there are new ones."""

import json

import pytest

from jaxchemo.cli import folder
from jaxchemo.cli.errors import Failed, Refused
from jaxchemo.cli.folder import Place, results
from jaxchemo.cli.interrupt import Interruption


def place(tmp_path, command="run", name="one-blob", resume=False, afresh=False):
    return Place(command, name, tmp_path / "out", resume, afresh, Interruption())


def complete(given):
    return {"dt": given["dt"] or 0.1, "seed": given["seed"] or 0}


def make(where, text="new", given=None, stop=None):
    """A run with one picture, a checkpoint and a summary; `stop` is raised before the summary."""
    with results(where, given or {"dt": None, "seed": None}, complete) as made:
        made.checkpoint("fv").write_text("state")
        (made.new / "density.png").write_text(text)
        if stop is not None:
            raise stop
        made.summarise({"text": text})
    return made


def there(where):
    return {path.name: path.read_text() for path in where.folder.iterdir() if path.is_file()}


def test_new_results_take_the_place_of_old_ones_and_of_nothing_else(tmp_path):
    where = place(tmp_path)
    make(where, "old")
    (where.folder / "notes.txt").write_text("mine")
    (where.folder / "particles.png").write_text("mine, though it has a name of ours")
    make(where)
    found = there(where)
    assert found["density.png"] == "new" and found["notes.txt"] == "mine" and found["particles.png"].startswith("mine")
    assert json.loads(found["summary.json"]) == {"text": "new", "files": ["density.png", "summary.json"]}
    assert set(found) == {"density.png", "notes.txt", "particles.png", "summary.json"}
    assert {path.name for path in where.folder.iterdir()} == set(found)


def test_pictures_of_old_results_do_not_stand_beside_new_ones(tmp_path):
    where = place(tmp_path)
    with results(where, {"dt": None, "seed": None}, complete) as made:
        (made.new / "particles.png").write_text("old")
        made.summarise({})
    make(where)
    assert set(there(where)) == {"density.png", "summary.json"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ValueError("no"), Refused("no"), Failed("no")])
def test_old_results_live_until_there_are_new_ones(tmp_path, stop):
    where = place(tmp_path)
    make(where, "old")
    old = there(where)
    with pytest.raises(type(stop)):
        make(where, stop=stop)
    assert there(where) == old
    assert (where.folder / ".unfinished/results/density.png").read_text() == "new"


def test_an_unfinished_run_is_gone_on_with(tmp_path):
    where = place(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        make(where, given={"dt": 0.2, "seed": None}, stop=KeyboardInterrupt())
    again = f"jaxchemo run one-blob --out {where.folder} --resume"
    assert where.interruption.sentence() == (
        f"interrupted; what is done is kept in {str(where.folder / '.unfinished')!r}, and `{again}` goes on."
    )
    made = make(where, given={"dt": 0.2, "seed": None}, stop=None)
    assert made.resumed and made.options == {"dt": 0.2, "seed": 0}
    assert not (where.folder / ".unfinished").exists() and not make(where).resumed


def test_resume_takes_the_options_from_the_unfinished_run(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(place(tmp_path), given={"dt": 0.2, "seed": 7}, stop=KeyboardInterrupt())
    made = make(place(tmp_path, resume=True), given={"dt": None, "seed": None})
    assert made.resumed and made.options == {"dt": 0.2, "seed": 7}
    with pytest.raises(Refused, match="there is no unfinished run in"):
        make(place(tmp_path, resume=True))


@pytest.mark.parametrize("resume", [False, True])
def test_an_unfinished_run_with_other_options_is_not_mixed_with_this_one(tmp_path, resume):
    where = place(tmp_path, resume=resume)
    with pytest.raises(KeyboardInterrupt):
        make(place(tmp_path), given={"dt": 0.2, "seed": 7}, stop=KeyboardInterrupt())
    before = (where.folder / ".unfinished/run.json").read_text()
    with pytest.raises(Refused, match=r"--dt is 0\.2 there, 0\.3 here\): `jaxchemo run one-blob .* --resume` goes on"):
        make(where, given={"dt": 0.3, "seed": 7})
    assert (where.folder / ".unfinished/run.json").read_text() == before
    with pytest.raises(Refused, match="an unfinished `jaxchemo run one-blob`: "):
        make(place(tmp_path, name="annuli", resume=resume))
    made = make(place(tmp_path, name="annuli", afresh=True))
    assert not made.resumed and made.options["dt"] == 0.1


def test_where_there_is_nothing_to_go_on_from_nothing_is_in_the_way(tmp_path):
    where = place(tmp_path)
    with pytest.raises(KeyboardInterrupt), results(where, {"dt": None, "seed": 3}, complete) as made:
        (made.new / "density.png").write_text("half")
        raise KeyboardInterrupt
    assert "before there was anything to keep" in where.interruption.sentence()
    assert not any(where.folder.iterdir())
    with pytest.raises(Failed):
        make(where, given={"dt": 0.2, "seed": None}, stop=Failed("a smaller dt"))
    assert not make(where, given={"dt": 0.1, "seed": None}).resumed


@pytest.mark.parametrize("written", [None, "", '{"jaxch'])
def test_a_run_that_was_killed_before_it_had_begun_is_not_in_the_way(tmp_path, written):
    where = place(tmp_path)
    (where.folder / ".unfinished/results").mkdir(parents=True)
    if written is not None:
        (where.folder / ".unfinished/run.json").write_text(written)
    assert not make(where).resumed and set(there(where)) == {"density.png", "summary.json"}


def test_a_move_that_was_cut_off_is_gone_through_with(tmp_path, monkeypatch):
    where, moved = place(tmp_path), []
    make(where, "old")
    replace = folder.os.replace

    def cut_off(source, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(folder.os, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            make(where)
    assert "the results are complete" in where.interruption.sentence()
    assert json.loads(there(where)["summary.json"])["text"] == "old"
    with pytest.raises(KeyboardInterrupt):
        make(where, "newer", stop=KeyboardInterrupt())
    assert json.loads(there(where)["summary.json"])["text"] == "new" and there(where)["density.png"] == "new"


def test_two_runs_do_not_share_a_folder(tmp_path):
    with results(place(tmp_path), {"dt": None, "seed": None}, complete) as made:
        with pytest.raises(Refused, match="Another run is writing to"):
            make(place(tmp_path, afresh=True))
        (made.new / "density.png").write_text("mine")
        made.summarise({})
    assert there(place(tmp_path))["density.png"] == "mine"


def test_what_is_not_ours_is_left_alone(tmp_path):
    where = place(tmp_path)
    (where.folder / ".unfinished").mkdir(parents=True)
    (where.folder / ".unfinished/thesis.tex").write_text("chapter one")
    for afresh in (False, True):
        with pytest.raises(Refused, match="was not made by jaxchemo"):
            make(place(tmp_path, afresh=afresh))
    (where.folder / ".unfinished/thesis.tex").rename(where.folder / "thesis.tex")
    (where.folder / ".unfinished").rmdir()
    (where.folder / "density.png").mkdir()
    with pytest.raises(Refused, match=r"the results are complete, in .* but one is in the way"):
        make(where)
    (where.folder / "density.png").rename(where.folder / "pictures")
    with pytest.raises(KeyboardInterrupt):
        make(where, stop=KeyboardInterrupt())
    assert there(where)["density.png"] == "new" and there(where)["thesis.tex"] == "chapter one"
