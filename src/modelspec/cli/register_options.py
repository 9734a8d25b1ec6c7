"""The options of `modelspec register`, one for each thing that is captured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from modelspec.cli.signing import OPTIONS as SIGNING

_PATH = click.Path(path_type=Path)
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--next", "following", is_flag=True, help="Number it by what changed since its parent."),
    click.option(
        "--artifact",
        metavar="PATH|URI",
        multiple=True,
        type=click.Path(),
        help="A file or folder of the model, repeatable; or an s3:// or gs:// address, whose bytes stay.",
    ),
    click.option("--move", is_flag=True, help="Move the artifact into the store instead of copying it."),
    click.option(
        "--artifact-format", metavar="NAME", help="The artifact's format, where its bytes do not tell."
    ),
    click.option("--architecture", metavar="TEXT", help="The kind of model, such as gradient-boosted-trees."),
    click.option("--precision", metavar="TEXT", help="The precision of its numbers, such as int8."),
    click.option(
        "--unsafe", type=click.Choice(["pickle"]), help="Accept files that can run code when loaded."
    ),
    click.option("--scan", is_flag=True, help="Scan pickles with picklescan; a finding stops this."),
    click.option("--code", type=_PATH, help="The training script, in its git repository."),
    click.option("--repository", metavar="URL", help="The address of that repository; default: origin."),
    click.option("--allow-dirty", is_flag=True, help="Record uncommitted changes as code.patch."),
    click.option(
        "--dataset",
        metavar="URI|PATH",
        multiple=True,
        help="The training data: an address, a path to hash, or one of each.",
    ),
    click.option("--dataset-name", metavar="NAME", help="A name for the data."),
    click.option("--dataset-digest", metavar="DIGEST", help="The digest of the data, or of its manifest."),
    click.option("--snapshot", metavar="T", help="Which state of the data: a time, a table version."),
    click.option("--feature", metavar="VIEW[@N]", multiple=True, help="A view that it reads; repeatable."),
    click.option(
        "--input", "inputs", metavar="NAME=FIELD,...", multiple=True, help="The fields of an input."
    ),
    click.option("--lock", type=_PATH, help="The lock file of its packages."),
    click.option(
        "--package", metavar="NAME", multiple=True, help="One more package of the lock to list; repeatable."
    ),
    click.option("--image", metavar="REF@DIGEST", help="The image that serves it, by digest."),
    click.option("--python", metavar="V", help="The Python that serves it, such as 3.11."),
    click.option("--threads", type=click.IntRange(1), help="Threads of one inference."),
    click.option("--accelerator", metavar="TEXT", help="The accelerator that it needs."),
    click.option("--param", metavar="K=V", multiple=True, help="A hyperparameter; repeatable."),
    click.option("--params", type=_PATH, help="A file of hyperparameters, YAML or JSON."),
    click.option(
        "--threshold", metavar="NAME=OUTPUT>=V", multiple=True, help="A decision threshold; repeatable."
    ),
    click.option("--metric", metavar="K=V", multiple=True, help="A measured metric; repeatable."),
    click.option(
        "--tolerance", type=click.FloatRange(0), help="The largest difference that a replay may have."
    ),
    click.option("--golden", type=_PATH, help="Inputs (.npz) to run now, kept with their answers."),
    click.option("--reference", type=_PATH, help="A sample of the training data, kept as bins."),
    click.option("--capture", metavar="MODULE:OBJECT", help="IMPORTS YOUR CODE: scalers, encoders, classes."),
    click.option("--request", type=_PATH, help="A file with the fields that come with a request."),
    click.option("--signature", type=_PATH, help="A file with the input and output tensors."),
    click.option(
        "--need", metavar="MODEL@REF", multiple=True, help="A version that must be served beside it."
    ),
    click.option("--description", metavar="TEXT", help="What is new in this version."),
    click.option(
        "--parent", metavar="VERSION|none", help="What it was made from; default: the last release."
    ),
    click.option(
        "--unknown", metavar="COMPONENT=REASON", multiple=True, help="A component that is lost, and why."
    ),
    click.option("--none", type=click.Choice(["features", "config"]), multiple=True, help="It has none."),
    click.option("--store", metavar="NAME", help="The store to put it into; default: the first one."),
    click.option(
        "--from-mlflow", metavar="URI", help="runs:/ID[/PATH], models:/NAME/VERSION or models:/m-ID."
    ),
    click.option(
        "--mlflow",
        metavar="WHERE",
        help="A folder, a sqlite file or a server; default: MLFLOW_TRACKING_URI, else ./mlruns.",
    ),
    click.option("--from-dvc", metavar="FILE", help="A .dvc file, or dvc.lock:STAGE."),
    click.option(
        "--from-hf",
        metavar="DIR|URI",
        type=click.Path(),
        help="A downloaded snapshot of a Hugging Face repository, or hf://OWNER/NAME@COMMIT.",
    ),
)


def register_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says which files, code, data and runtime a version is made of."""
    for option in reversed((*_OPTIONS, *SIGNING)):
        command = option(command)
    return command
