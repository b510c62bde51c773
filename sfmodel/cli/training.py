"""Commands that list what can be trained, and train."""

import json
from pathlib import Path
from typing import Any

import click

from sfdata.cli import JSON
from sfmodel.cli.group import device_option, main


@main.command()
@JSON
def models(as_json: bool) -> None:
    """List the trained network that ships, the networks that can be trained, and the classic methods.

    Parameters are counted for the default windows: 240 and 27 frames of 88 bins.

    Example: sfmodel models --json
    """
    from sfmodel.baselines import BASELINES
    from sfmodel.bundled import BUNDLED, bundled_weights
    from sfmodel.checkpoint import load_network
    from sfmodel.frame_matcher import bundled_frame_matcher, load_frame_matcher
    from sfmodel.networks import DESCRIPTIONS, NETWORKS, count_parameters, default_settings, parameter_count

    rows: list[dict[str, Any]] = []
    if bundled_weights().is_file():
        network, config = load_network(bundled_weights())
        rows.append(
            {
                "name": BUNDLED,
                "parameters": parameter_count(network),
                "bundled": True,
                "description": f"{config['training']['model']}, trained: weights that ship with the package",
            }
        )
    if bundled_frame_matcher().is_file():
        matcher, _ = load_frame_matcher()
        described = "frame matcher, trained: weights that ship, by which 'follow' and 'align' hear"
        rows.append({"name": "follow", "parameters": matcher.parameters, "bundled": True, "description": described})
    rows += [
        {
            "name": name,
            "parameters": count_parameters(default_settings(name)),
            "bundled": False,
            "description": DESCRIPTIONS[name],
        }
        for name in NETWORKS
    ]
    rows += [
        {"name": name, "parameters": 0, "bundled": False, "description": baseline.description}
        for name, baseline in BASELINES.items()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['parameters']:>12,}  {row['description']}")


@main.command()
@click.argument("store")
@click.option("-o", "--output", "run_dir", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file whose [training] table holds settings (phases among them); options given here go before it.",
)
@click.option("--model", default="reduced", show_default=True, help="Architecture: see 'sfmodel models'.")
@click.option("--epochs", default=20, show_default=True, help="At most so many passes over the training split.")
@click.option("--batch-size", default=64, show_default=True, help="Pairs in a batch, over all processes.")
@click.option("--accumulate", default=1, show_default=True, help="Compute each batch in so many parts.")
@click.option("--learning-rate", default=0.001, show_default=True, help="Of Adam.")
@click.option("--schedule", default="constant", show_default=True, help="constant, or cosine: warm up, then to zero.")
@click.option("--weight-decay", default=0.0, show_default=True, help="Decoupled (AdamW).")
@click.option("--gradient-norm", default=0.0, show_default=True, help="Shorten longer gradients to this; 0 never.")
@click.option("--patience", default=10, show_default=True, help="Stop after so many epochs without gain; 0 never.")
@click.option("--plateau", default=0, show_default=True, help="Lower the rate after so many such epochs; 0 never.")
@click.option("--plateau-factor", default=0.5, show_default=True, help="What to multiply the rate by then.")
@click.option(
    "--fresh-windows/--pinned-windows",
    default=True,
    show_default=True,
    help="Draw each pair's reference anew every epoch, or take the one the store pins.",
)
@click.option(
    "--snippets-per-reference",
    default=1,
    show_default=True,
    help="Pairs that share a fresh reference; match encodes it once.",
)
@click.option(
    "--transpose", "transpose_semitones", default=0, show_default=True, help="Move pairs by up to so many semitones."
)
@click.option("--shuffle-mib", default=512, show_default=True, help="Frames that are shuffled together, at most.")
@click.option("--batch-norm", help="all, none, stacks or concatenation.  [default: all]")
@click.option("--pool", type=int, help="Size of the max-pooling windows.  [default: 2]")
@click.option("--no-dropout", is_flag=True, help="Train without any dropout.")
@click.option("--seed", default=0, show_default=True, help="Of the weights, the order, the windows and the dropout.")
@click.option(
    "--loading",
    default="auto",
    show_default=True,
    help="memory, blocks (for stores larger than it), or auto: memory if the split takes half of what is free or less.",
)
@device_option
@click.option("--precision", default="auto", show_default=True, help="auto, float32, bfloat16 or float16.")
@click.option("--compile", is_flag=True, help="Have torch.compile make kernels: slow to start, then faster.")
@click.option("--tensorboard", is_flag=True, help="Also log for TensorBoard.")
@click.option("--time-limit", "time_limit_s", type=float, help="Stop after so many seconds; --resume goes on.")
@click.option("--resume", is_flag=True, help="Continue the run in the folder, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@JSON
@click.pass_context
def train(
    context: click.Context,
    store: str,
    run_dir: Path,
    config: Path | None,
    patience: int,
    plateau: int,
    batch_norm: str | None,
    pool: int | None,
    no_dropout: bool,
    loading: str,
    resume: bool,
    overwrite: bool,
    time_limit_s: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a network on STORE; the best and the last weights, a log and the state go into a folder.

    Ctrl-C stops at the next batch with everything saved; the same line with --resume then gives the run that would
    have been. The defaults follow the paper; where minutes count, a higher rate that falls to zero learns far more:

    Example: sfmodel train demo.zarr -o run --epochs 10 --batch-size 128 --learning-rate 0.005 --schedule cosine

    On several GPUs: torchrun --nproc-per-node 4 -m sfmodel train demo.zarr -o run
    """
    from sfmodel.processes import speaks_for_all
    from sfmodel.settings import NO_DROPOUT, read_settings, training_settings
    from sfmodel.training import train as train_network

    network: dict[str, Any] = {"batch_norm": batch_norm, "pool": pool}
    network = {key: value for key, value in network.items() if value is not None} | (NO_DROPOUT if no_dropout else {})
    options |= {"patience": patience, "plateau_patience": plateau}
    if config is not None:  # what stands there goes before the options' defaults
        names = {"plateau_patience": "plateau"}
        given = click.core.ParameterSource.COMMANDLINE
        options = {n: v for n, v in options.items() if context.get_parameter_source(names.get(n, n)) is given}
    base = read_settings(config) if config is not None else None
    settings = training_settings({**options, "network": network}, base)

    def log(message: str) -> None:
        click.echo(message, err=True)

    summary = train_network(
        store,
        run_dir,
        settings,
        loading=loading,
        resume=resume,
        overwrite=overwrite,
        time_limit_s=time_limit_s,
        progress=not as_json,
        log=log,
    )
    if not speaks_for_all():
        raise SystemExit(130 if summary["ended"] == "interrupted" else 0)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    if summary["ended"] == "interrupted":
        log(f"interrupted; everything is saved in {run_dir}: continue with the same options and --resume")
        raise SystemExit(130)
    if not as_json:
        best = f"; best is epoch {summary['best']['epoch']}" if summary["best"] else ""
        click.echo(
            f"{run_dir}: {summary['epochs']} epochs in {summary['seconds']:.0f} s, ended by {summary['ended']}{best}"
        )


@main.command()
@click.argument("network", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="FILE.safetensors")
@click.option("--which", default="best", show_default=True, help="best, or last: the weights of which epoch.")
@JSON
def export(network: Path, output: Path, which: str, as_json: bool) -> None:
    """Write a trained network as one file: weights, settings, and what it was trained on.

    Commands that take a run's folder take such a file as well.

    Example: sfmodel export run -o follower.safetensors
    """
    from sfmodel.checkpoint import export_network

    size = export_network(network, output, which)
    click.echo(json.dumps({"file": str(output), "bytes": size}) if as_json else f"{output}: {size:,} bytes")
