"""The page about the paper, made from sweeps of tiny networks that are really trained."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sfmodel import sweep
from sfmodel.cli import main
from sfmodel.comparison import difference
from sfmodel.experiment import read_experiment
from sfmodel.paper import PRINTED_TABLE_3, read_predictions, read_sweep, read_sweeps
from sfmodel.paper_meaning import best_constant, meaning_text
from sfmodel.paper_page import write_paper
from sfmodel.paper_text import ended_text, maps_text
from sfmodel.sweep_run import train_and_evaluate

PAPER = Path(__file__).parents[3] / "shared" / "paper" / "towards-audio-based-score-following.txt"
COMMON = """
seeds = [0{more}]
baselines = ["matched-filter"]
{stores}
[training]
model = "reduced"
epochs = 2
batch_size = 48
device = "cpu"
network = {{dense = [8]}}
"""
TABLE_3 = 'name = "paper-table3"' + COMMON.format(
    more=", 1", stores='[stores.onset]\nrecipe = "s.toml"\n[stores.scale]\nrecipe = "s.toml"'
)
TABLE_3 += '[[runs]]\nname = "batch-4"\n[[runs]]\nname = "pool-4"\nstores = ["onset"]\nnetwork = {pool = 4}\n'
ISOL = 'name = "paper-full-isol"' + COMMON.format(
    more="", stores='[stores.isol]\nrecipe = "s.toml"\n[stores.onset]\nrecipe = "s.toml"'
)
ISOL += '[[runs]]\nname = "full"\nstores = ["isol"]\nalso = ["onset:all"]\n'
GMP = 'name = "paper-full-gmp"' + COMMON.format(
    more="", stores='[stores.gmp]\nrecipe = "s.toml"\n[stores.gmp-unseen]\nrecipe = "s.toml"'
)
GMP = GMP.replace("epochs = 2\n", "phases = [{epochs = 2}, {epochs = 2, batch_size = 80}]\n")
GMP += '[[runs]]\nname = "full"\nstores = ["gmp"]\nalso = ["gmp-unseen:test"]\n'


def make_runs_here(waiting, stores, threads, folder, jobs, length, *others):
    """In this process, which has PyTorch loaded."""
    for plan in waiting:
        train_and_evaluate(plan, stores, folder / "runs" / plan.folder, length)


@pytest.fixture(scope="module")
def sweeps(small_store, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_make_runs", make_runs_here)
        return make_sweeps(small_store, tmp_path_factory)


def make_sweeps(small_store, tmp_path_factory):
    root = tmp_path_factory.mktemp("paper")
    (root / "s.toml").write_text("name = 'never built'\n")
    folders = []
    for name, text in (("table3", TABLE_3), ("isol", ISOL), ("gmp", GMP)):
        (root / f"{name}.toml").write_text(text)
        for store in read_experiment(root / f"{name}.toml").stores:
            if not (root / "stores" / f"{store}.zarr").exists():
                shutil.copytree(small_store, root / "stores" / f"{store}.zarr")
        result = sweep.run_sweep(
            read_experiment(root / f"{name}.toml"),
            root / name,
            stores=root / "stores",
            length=0.5 if name == "isol" else 1,
        )
        assert not result.failed and not result.left
        folders.append(root / name)
    return folders


@pytest.fixture(scope="module")
def page(sweeps):
    return write_paper(sweeps, sweeps[0].parent / "docs" / "paper.md").read_text()


def row(page: str, begins: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {begins} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_number_is_that_of_the_results(sweeps, page):
    table3 = read_sweep(sweeps[0])
    onset = [run.rate("test") for run in table3.of("batch-4", "onset")]
    cells = row(page, "batchSize=4")
    assert cells[1:4] == ["89", "94", "83"], "as printed"
    assert cells[4:6] == ["2", "2 (2–2)"] and len(onset) == 2
    assert cells[7] == f"{50 * sum(onset):.1f} ({100 * min(onset):.1f}–{100 * max(onset):.1f})"
    second = [run.rate("test", key="bucket2") for run in table3.of("batch-4", "onset")]
    assert cells[8].startswith(f"{50 * sum(second):.1f} (")
    matched = [table3.baseline("onset", "test")[key] for key in ("bucket1", "bucket2")]
    assert row(page, "**matched filter**")[7:9] == [f"**{100 * rate:.1f}**" for rate in matched]
    cells = row(page, "MaxPoolSize=4,4")
    assert cells[1:4] == ["79", "90", "69"] and cells[9:14] == ["0", *["–"] * 4]
    pooled = [run.rate("test") for run in table3.of("pool-4", "onset")]
    found = difference(pooled, onset)
    interval = f" ({100 * found.low:+.1f} to {100 * found.high:+.1f})" if np.isfinite(found.low) else ""
    assert f"MaxPoolSize=4,4 {100 * found.value:+.1f}{interval}" in page
    isol = read_sweep(sweeps[1]).runs[0]
    across = [f"{100 * isol.rate('all', 'onset', key):.1f}" for key in ("bucket1", "bucket2")]
    assert row(page, "another piano: scales, staccato")[1:3] == ["66", " / ".join(across)]
    gmp = read_sweep(sweeps[2]).runs[0]
    assert f"| three pieces never heard | – | {100 * gmp.rate('test', 'gmp-unseen'):.1f} / " in page
    assert "| test, by onset | 53–54 | " in page and "| train, by onset | 62–63 | " in page
    for name in ("batch-4", "pool-4"):
        assert f"paper-table3: onset/{name}/seed-1" in page


def with_rates(sweep, *rates):
    """The same sweep, each run's tests with accuracies of their own."""
    runs = []
    for run, given in zip(sweep.runs, rates, strict=True):
        keys = [key for key in run.evaluations if key[1] == "test"]
        changed = {key: {**run.evaluations[key], "bucket1": rate} for key, rate in zip(keys, given, strict=True)}
        runs.append(replace(run, evaluations={**run.evaluations, **changed}))
    return replace(sweep, runs=tuple(runs))


def test_the_meaning_is_made_of_the_results(sweeps):
    read = read_sweeps(sweeps)
    names = [(run.name, run.store) for run in read["paper-table3"].runs]
    assert names == [("batch-4", "onset")] * 2 + [("batch-4", "scale")] * 2 + [("pool-4", "onset")] * 2
    table3 = with_rates(read["paper-table3"], [0.5], [0.6], [0.2], [0.3], [0.7], [0.1])
    gmp = with_rates(read["paper-full-gmp"], [0.35, 0.25])
    assert list(gmp.runs[0].evaluations)[-1] == ("gmp-unseen", "test")
    text = meaning_text({"paper-table3": table3, "paper-full-gmp": gmp})
    filters = [table3.baseline(store, "test")["bucket1"] for store in ("onset", "scale")]
    assert f"`onset` {100 * filters[0]:.1f} % against 70.0 %; `scale` {100 * filters[1]:.1f} % against 30.0 %" in text
    assert "1 of 1 settings are less accurate" in text and "by 30.0 points in the mean of all" in text
    assert "(`gmp-unseen`), the network of the three pieces has 25.0 % against 35.0 %" in text
    result, _ = read_predictions(gmp.runs[0], "gmp", "test")
    share, frame = best_constant(result.target_frame)
    assert f"on `gmp`, frame {frame} for every pair would be right in {100 * share:.1f} %" in text
    assert f"(full, seed 0) answers {len(set(result.predicted_frame.tolist()))}" in text
    turned = with_rates(read["paper-table3"], [0.2], [0.3], [0.5], [0.6], [0.7], [0.1])
    assert "0 of 1 settings are less accurate" in meaning_text({"paper-table3": turned})


def test_the_filter_is_not_praised_where_it_is_behind(sweeps):
    worse = read_sweep(sweeps[1])
    worse = replace(worse, baselines=tuple({**figures, "bucket1": -0.01} for figures in worse.baselines))
    text = meaning_text({"paper-full-isol": worse})
    assert "The filter is ahead on 0 of 1." in text and "cut out" not in text
    nothing = meaning_text({"paper-full-isol": replace(worse, baselines=())})
    assert "filter" not in nothing and "memory" not in nothing and "best" not in nothing


def test_stand_ins_are_not_called_maps(sweeps):
    table3 = read_sweep(sweeps[0])
    assert maps_text({"paper-table3": table3}) == "", "stores of tests are neither"

    def told(**instruments):
        stores = {name: {"recipe": "paper-maps-x", "instruments": codes} for name, codes in instruments.items()}
        return maps_text({"paper-table3": replace(table3, document={"stores": stores})})

    assert (
        told(onset=["StandInCGdD"], scale=["StandInCGdD"])
        == "Here `onset`, `scale` hold stand-ins, **not MAPS itself**."
    )
    mixed = told(onset=["AkPnCGdD"], isol=["StandInBsdf"])
    assert mixed == "Here `onset` holds MAPS's own recordings; `isol` holds stand-ins, **not MAPS itself**."


def test_a_log_without_validation_has_a_trend_too(sweeps, tmp_path):
    run = read_sweep(sweeps[2]).runs[0]
    folder = tmp_path / "run"
    shutil.copytree(run.directory, folder)
    head, *lines = (folder / "log.csv").read_text().splitlines()
    names = head.split(",")
    blank = [
        ",".join(
            "" if name.startswith("validation") else value for name, value in zip(names, line.split(","), strict=True)
        )
        for line in lines
    ]
    (folder / "log.csv").write_text("\n".join([head, *blank]) + "\n")
    text = ended_text(replace(run, directory=folder))
    assert "the loss on the training was" in text and "nan" not in text and "validation" not in text


def test_what_was_cut_short_is_said(sweeps, page):
    assert "**cut short**, its experiment asks for 2" in page
    assert "--length 0.5" in page and page.count("**cut short**") == 1
    assert "All 6 trainings got the length that the experiment asks for" in page
    assert "of at most 4; ended by epochs" in page
    run = read_sweep(sweeps[2]).runs[0]
    log = run.log()
    trend = np.polyfit(np.arange(4), log["train_loss"], 1)[0]
    assert f"({trend:+.3f} an epoch)" in ended_text(run)


def test_pictures_are_there_and_the_page_repeats_itself(sweeps, page):
    folder = sweeps[0].parent / "docs"
    names = re.findall(r"\]\((images/paper/[^)]*)\)", page)
    assert names == [f"images/paper/figure-{number}.png" for number in range(2, 9)]
    before = {name: (folder / name).read_bytes() for name in names}
    assert all(content.startswith(b"\x89PNG") for content in before.values())
    assert write_paper(sweeps, folder / "paper.md").read_text() == page
    assert before == {name: (folder / name).read_bytes() for name in names}


def test_predictions_give_the_figures_again(sweeps):
    run = read_sweep(sweeps[0]).runs[0]
    result, titles = read_predictions(run, "onset", "test")
    distance = np.abs(result.distance_frames) * 50
    assert np.mean(distance <= 250 + 1e-6) == pytest.approx(result.metrics["within_250ms"])
    assert len(titles) == len(distance) == result.metrics["pairs"]
    assert read_predictions(run, "nowhere", "test") is None


def test_missing_experiments_are_told(sweeps, tmp_path):
    told = CliRunner().invoke(main, ["paper", str(sweeps[0]), "-o", str(tmp_path / "p.md"), "--json"])
    assert told.exit_code == 0 and json.loads(told.stdout) == {"page": str(tmp_path / "p.md")}
    text = (tmp_path / "p.md").read_text()
    assert "Not made yet: `sfmodel sweep pipelines/paper-full-gmp.toml -o paper-full-gmp`" in text
    assert "Figure 2" in text and "Figure 3" not in text


def test_wrong_folders(sweeps, tmp_path):
    with pytest.raises(ValueError, match="no folder given"):
        write_paper([], tmp_path / "p.md")
    with pytest.raises(FileNotFoundError, match=r"no sweep\.json in"):
        read_sweep(tmp_path)
    with pytest.raises(ValueError, match="both hold paper-table3; give one of them"):
        read_sweeps([sweeps[0], sweeps[0]])
    folder = tmp_path / "copy"
    shutil.copytree(sweeps[0], folder)
    document = json.loads((folder / "sweep.json").read_text())
    for change, message in (
        ({"experiment": "mine"}, "holds the experiment 'mine'; expected one of paper-table3"),
        ({"runs": []}, "holds no finished run"),
        ({"runs": [{**document["runs"][0], "evaluations": [{"bucket1": 2}]}]}, "lacks|bucket1 is 2"),
        ({"runs": [{"name": "x"}]}, "lacks 'seed'"),
    ):
        (folder / "sweep.json").write_text(json.dumps({**document, **change}))
        with pytest.raises(ValueError, match=message):
            read_sweeps([folder])
    (folder / "sweep.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        read_sweep(folder)
    (folder / "sweep.json").write_text(json.dumps(document))
    run = read_sweep(folder).runs[0]
    path = run.directory / "predictions-onset-test.csv"
    text = path.read_text()
    path.write_text(text.replace("target_frame", "target"))
    with pytest.raises(ValueError, match="no column target_frame"):
        read_predictions(run, "onset", "test")
    path.write_text(text.splitlines()[0])
    with pytest.raises(ValueError, match="no pairs"):
        read_predictions(run, "onset", "test")
    shutil.rmtree(run.directory)
    with pytest.raises(FileNotFoundError, match="which is not there"):
        read_sweep(folder)


@pytest.mark.skipif(not PAPER.exists(), reason="the paper's text is not here")
def test_printed_numbers_stand_in_the_paper():
    text = PAPER.read_text(encoding="utf-8")
    for column in PRINTED_TABLE_3:
        if column.epochs is not None:
            assert f"{column.label}\t{column.epochs}\t{column.train:.2f}\t{column.test:.2f}\n" in text, column
    for words in (
        "evaluation accuracy of 66 percent",
        "63 percent for the training data and 54 percent on the test data",
        "training accuracy of 0.62 with a testing accuracy of 0.53",
        "over more than 500 epochs",
        "After around 100 epochs we switched",
    ):
        assert words in text
