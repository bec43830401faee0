"""``edgevit distill``: a model is trained on the predictions of a teacher, on labels, or on both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options

_TRAINING = "Training"


def distill(
    target: options.Target,
    weights: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=options.MODEL,
            help="Weights to begin with; of other classes or another input size, too.",
            show_default=False,
        ),
    ] = None,
    pretrained: options.Pretrained = False,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights", rich_help_panel=options.MODEL, help="Begin from scratch, as the model's code does."
        ),
    ] = False,
    no_ema: options.NoEma = False,
    num_classes: Annotated[
        int | None,
        typer.Option(
            min=2, rich_help_panel=options.MODEL, help="Of student and teacher; the models' own when not given."
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.MODEL,
            help="Model whose predictions are learned; labels alone when not given.",
            show_default=False,
        ),
    ] = None,
    teacher_weights: options.TeacherWeights = None,
    train: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.IMAGES, help="Images to train on; a tenth of them is kept apart."),
    ] = None,
    data: options.Data = None,
    samples: options.Samples = None,
    class_offset: options.ClassOffset = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_TRAINING, help="Times that each image is seen; 1 when not given."),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TRAINING, help="kl, hard, nkd or dist; kl when not given.", show_default=False),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(rich_help_panel=_TRAINING, help="Of the predictions; 3 for kl, else 1.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(rich_help_panel=_TRAINING, help="Largest; 3e-5, from scratch 1e-3.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, rich_help_panel=_TRAINING, help="Images of a step; 64 when not given.")
    ] = None,
    augmentation: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TRAINING, help="auto, affine, crop or none: random views of the images."),
    ] = None,
    rand_augment: Annotated[
        str | None, typer.Option(rich_help_panel=_TRAINING, help="timm's RandAugment, such as rand-m9-mstd0.5-inc1.")
    ] = None,
    mixup: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING, help="Alpha of Mixup.")] = None,
    cutmix: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING, help="Alpha of CutMix.")] = None,
    freeze: Annotated[
        int | None,
        typer.Option(
            min=0, rich_help_panel=_TRAINING, help="Train neither so many first blocks nor what is before them."
        ),
    ] = None,
    layer_decay: Annotated[
        float | None,
        typer.Option(rich_help_panel=_TRAINING, help="Factor of the learning rate from a layer to the one before."),
    ] = None,
    drop_path: Annotated[
        float | None, typer.Option(rich_help_panel=_TRAINING, help="Largest share of branches left out at random.")
    ] = None,
    token: Annotated[
        bool,
        typer.Option("--token", rich_help_panel=_TRAINING, help="Give a plain ViT DeiT's distillation token and head."),
    ] = False,
    teacher_cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=_TRAINING, help="Keep the teacher's predictions there, or read them."
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_TRAINING, help="Token plan that the student has while it is trained, such as tome:8."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_TRAINING, help="Stop after so many epochs that bring nothing."),
    ] = None,
    accelerator: options.Accelerator = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=options.RUN, help="That train together on this machine; torchrun works, too."
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", rich_help_panel=options.RUN, help="Write a log for TensorBoard, too.")
    ] = False,
    setting: options.Setting = None,
    out: options.Out = None,
    resume: options.Resume = False,
    verbose: options.Verbose = False,
    as_json: options.Json = False,
) -> None:
    """Train on a teacher's predictions, labels, or both.

    Writes weights.safetensors, distill.json, log.csv and a picture of the learning curve. A tenth of the images is kept apart: the weights
    that are best on it are taken; --data chooses nothing. Exit 0 when trained, 1 if the loss is not finite, 2 for wrong input.

    \b
    Examples:
      edgevit distill digits_vit --teacher digits_cnn --train digits:train --data digits --epochs 3 --out taught
      edgevit distill vit_tiny_patch16_224 --weights vit.safetensors --num-classes 5 --teacher resnet50 \\
          --teacher-weights resnet.safetensors --train flowers/train --data flowers/val --epochs 30 --loss dist
      torchrun --nproc_per_node 4 -m edgevit distill spec.toml --out taught
    """
    from edgevit.cli import terminal
    from edgevit.cli.render_distill import print_distillation
    from edgevit.results.document import to_json
    from edgevit.run.files import out_folder
    from edgevit.spec.resolve import resolve_spec

    options.check_resume(resume, out)
    file, name = options.spec_file_or_model(target)
    given = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        model__num_classes=num_classes,
        data__train=train,
        data__evaluation=data,
        data__samples=samples,
        data__class_offset=class_offset,
        passes__tokens=tokens,
        distill__teacher__name=teacher,
        distill__teacher__weights=teacher_weights and str(teacher_weights),
        distill__teacher__num_classes=num_classes if teacher else None,
        distill__epochs=epochs,
        distill__loss=loss,
        distill__temperature=temperature,
        distill__learning_rate=learning_rate,
        distill__batch_size=batch_size,
        distill__augmentation__views=augmentation,
        distill__augmentation__rand_augment=rand_augment,
        distill__augmentation__mixup=mixup,
        distill__augmentation__cutmix=cutmix,
        distill__freeze=freeze,
        distill__layer_decay=layer_decay,
        distill__drop_path=drop_path,
        distill__token=token,
        distill__teacher_cache=teacher_cache and str(teacher_cache),
        distill__patience=patience,
        distill__accelerator=accelerator,
        distill__processes=processes,
    )
    document = options.with_settings(given, setting)
    document.setdefault("distill", {})
    spec = resolve_spec(file, None, document)
    from edgevit.commands.distill import distill_model  # heavy, so after what needs no PyTorch was refused

    with out_folder(out, spec.model.name, "distill") as folder, terminal.make_progress(verbose=True) as progress:
        report = distill_model(spec, folder, progress, resume=resume, tensorboard=tensorboard)
    if report is None:
        return  # the first of several processes tells it
    if as_json:
        terminal.print_line(to_json(report).decode().rstrip())
    else:
        print_distillation(report, folder)
