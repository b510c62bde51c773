import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from sfmodel.experiment import experiment_from_dict, read_experiment

RECIPES = Path(__file__).parents[2] / "pipelines"
GOOD = """
name = "try"
seeds = [3, 1]
baselines = ["matched-filter"]
threads = 2
[stores.a]
recipe = "demo.toml"
[stores.b]
recipe = "human.toml"
[training]
epochs = 40
batch_size = 8
[training.network]
dense = [8]
[[training.phases]]
epochs = 10
[[training.phases]]
epochs = 30
batch_size = 16
[[runs]]
name = "plain"
[[runs]]
name = "pool-4"
stores = ["b"]
seeds = [1]
learning_rate = 0.5
network = {pool = 4}
also = ["a:test", "a:all"]
"""


def experiment(text: str):
    return experiment_from_dict(tomllib.loads(text), RECIPES)


def test_runs_are_made_seed_by_seed():
    found = experiment(GOOD)
    assert [run.title for run in found.runs] == [
        "a/plain, seed 3",
        "b/plain, seed 3",
        "a/plain, seed 1",
        "b/plain, seed 1",
        "b/pool-4, seed 1",
    ]
    assert found.name == "try" and found.threads == 2 and found.baselines == ("matched-filter",)
    assert found.stores == {"a": RECIPES / "demo.toml", "b": RECIPES / "human.toml"}
    last = found.runs[-1]
    assert last.folder == Path("b/pool-4/seed-1")
    assert last.settings.network == {"dense": [8], "pool": 4} and last.settings.seed == 1
    assert last.settings.learning_rate == 0.5 and last.settings.batch_size == 8
    assert last.evaluate == (("b", "train"), ("b", "test"), ("a", "test"), ("a", "all"))
    assert found.tests() == [("a", "test"), ("b", "test"), ("a", "all")]


def test_a_store_may_have_seeds_of_its_own():
    found = experiment(GOOD.replace('recipe = "demo.toml"', 'recipe = "demo.toml"\nseeds = [7]'))
    assert [run.title for run in found.runs if run.name == "plain"] == [
        "a/plain, seed 7",
        "b/plain, seed 3",
        "b/plain, seed 1",
    ]


def test_shortened_by_hand():
    run = experiment(GOOD).runs[0]
    assert run.shortened(1) is run
    short = run.shortened(0.06).settings
    assert short.epochs == 2 and [phase["epochs"] for phase in short.phases] == [1, 2]
    assert short.phases[1]["batch_size"] == 16
    assert run.shortened(0.06).digest() != run.digest() == experiment(GOOD).runs[0].digest()
    assert replace(run, seed=9).digest() == run.digest(), "the seed stands in the settings"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "try"', 'nam = "try"', "no key nam; expected [[runs]], [stores.NAME] and some of name"),
        ("[stores.a]", "[store.a]", "no key store"),
        ('recipe = "demo.toml"', 'recipe = "demo.toml"\nsplit = 3', "[stores.a] is {'recipe'"),
        ("[stores.a]", '[stores."../a"]', "store '../a'; expected a name of letters, digits, hyphens and points"),
        ('name = "plain"', 'name = ""', "run ''; expected a name"),
        ('name = "plain"', 'name = "pool-4"', "runs b/pool-4, seed 1 are named twice"),
        ('stores = ["b"]', 'stores = ["c"]', "run 'pool-4': no store c; expected some of a, b"),
        ('"a:all"', '"a:everything"', "also = 'a:everything'; expected STORE:SPLIT with one of train, validation"),
        ("learning_rate = 0.5", "learning_rat = 0.5", "run 'pool-4': [training] has no key learning_rat"),
        ("learning_rate = 0.5", "learning_rate = -1", "run 'pool-4': training: learning_rate -1.0"),
        ("seeds = [3, 1]", "seeds = [3, 3]", "seeds = [3, 3]; expected each once"),
        ("seeds = [3, 1]", "seeds = ['3']", "seeds = ['3']; expected a list of int"),
        ("threads = 2", "threads = 0", "threads = 0; expected a whole number of 1 or more"),
        ('"matched-filter"', '"magic"', "baselines magic; expected some of matched-filter"),
    ],
)
def test_wrong_files(tmp_path, old, new, message):
    assert old in GOOD
    path = tmp_path / "e.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ValueError) as caught:
        read_experiment(path)
    assert message in str(caught.value) and "e.toml" in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        read_experiment(tmp_path / "none.toml")
    with pytest.raises(FileNotFoundError, match=r"\[stores\.a\]: no recipe at .*nor one of that name that ships"):
        experiment(GOOD.replace("demo.toml", "none.toml"))
    (tmp_path / "e.toml").write_text("[")
    with pytest.raises(ValueError, match="is no TOML"):
        read_experiment(tmp_path / "e.toml")
    with pytest.raises(ValueError, match="no runs or no stores"):
        experiment("name = 'x'")


@pytest.mark.parametrize("name", ["paper-table3", "paper-full-isol", "paper-full-gmp"])
def test_the_papers_experiments_say_what_it_prints(name):
    found = read_experiment(f"pipelines/{name}.toml")
    assert found.name == name and found.baselines == ("matched-filter",)
    settings = {run.name: run.settings for run in found.runs}
    if name != "paper-table3":
        assert settings["reduced"].model == "reduced" and not settings["reduced"].phases
    if name == "paper-table3":
        assert {run.seed for run in found.runs if run.store == "onset"} == {0, 1, 2}
        assert {run.seed for run in found.runs if run.store == "scale"} == {0} and len(found.runs) == 9 * 4
        assert [settings[f"batch-{size}"].batch_size for size in (4, 8, 16, 32)] == [4, 8, 16, 32]
        norms = ("no-bn", "bn-concatenation", "bn-stacks")
        assert [settings[run].network["batch_norm"] for run in norms] == ["none", "concatenation", "stacks"]
        assert settings["pool-4"].network["pool"] == 4 and settings["no-dropout"].network["head_dropout"] == 0
        assert all((one.epochs, one.patience, one.model) == (100, 10, "reduced") for one in settings.values())
    elif name == "paper-full-isol":
        full = settings["full"]
        assert (full.model, full.epochs, full.patience, full.batch_size) == ("full", 500, None, 3)
        assert full.learning_rate == 0.001 and full.plateau_patience is None
    else:
        slow, fast = settings["full"].each_phase()
        assert (slow.epochs, slow.learning_rate, slow.plateau_patience) == (100, 0.001, 5)
        assert (fast.batch_size, fast.plateau_patience) == (10, None)
