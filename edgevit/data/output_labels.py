"""Labels of images as outputs of a model: never by guess, for a shifted class order is a wrong accuracy without a word."""

from __future__ import annotations

from dataclasses import replace

from edgevit.data.class_order import CLASSES_FILE, IMAGENET_CLASSES, ClassOrder, imagenet_order
from edgevit.data.images import ImageSet
from edgevit.data.other_labels import OtherLabels, are_numbers
from edgevit.errors import UsageError

_BACKGROUND = "give --class-offset 1 if output 0 is a background class"


def match_labels(images: ImageSet, outputs: int, class_offset: int | None, names: tuple[str, ...] = ()) -> ImageSet:
    """Returns images whose labels are indices of a model's outputs.

    Class folders named by ImageNet's identifiers mean its classes where the model has that many, and those named as the
    model's classes mean these; other class folders mean the outputs in their order only if there are as many.

    Args:
        images: With labels as their source has them, or without.
        outputs: Number of outputs of the model; a single one stands for two classes. 0 is a model without classes, whose labels
            stay as their source has them.
        class_offset: Output of class 0; None where nobody said it, which means 0 unless that is doubtful.
        names: Name of the class of each output, where the model states them.

    Raises:
        UsageError: it is not sure which output a label means, or a label is outside the outputs.
    """
    if images.other_labels is not None:
        return _matched_others(images, images.other_labels, outputs, class_offset or 0)
    if images.labels is None or not outputs:
        return images
    outputs = max(outputs, 2)  # a single logit decides between two classes by its sign
    offset, by_name = class_offset or 0, _named_by_imagenet(images, outputs)
    if by_name is None and class_offset is None:
        by_name = _named_by_model(images, names)
    if by_name is None and images.classes is not None:
        _check_number(images.source, images.classes, outputs, class_offset)
    images = by_name or images
    assert images.labels is not None
    low, high = min(images.labels), max(images.labels)
    if class_offset is None and outputs == IMAGENET_CLASSES + 1 and high < IMAGENET_CLASSES:
        raise UsageError(
            f"the model has {outputs} outputs, and the labels of {images.source} are {low} to {high}: output 0 of such a"
            " model is mostly a background class, and then label 0 is output 1",
            "give --class-offset 1 if it is, or --class-offset 0 if the labels count the background class too",
        )
    if low + offset < 0 or high + offset >= outputs:
        raise _outside(images.source, (low, high), outputs, offset)
    classes = images.classes
    if classes is not None:
        classes = ClassOrder({name: index + offset for name, index in classes.index.items()}, classes.explicit)
    return replace(images, labels=tuple(label + offset for label in images.labels), classes=classes)


def _matched_others(images: ImageSet, labels: OtherLabels, outputs: int, offset: int) -> ImageSet:
    """Images whose labels are not one class: numbers stay, class indices become those of the outputs."""
    if are_numbers(labels):
        return images
    found = tuple(tuple(index + offset for index in each) for each in labels if isinstance(each, tuple))
    indices = {index for each in found for index in each}
    if outputs and indices and (min(indices) < 0 or max(indices) >= outputs):
        raise _outside(images.source, (min(indices) - offset, max(indices) - offset), outputs, offset)
    return replace(images, other_labels=found, outputs=outputs)


def _named_by_imagenet(images: ImageSet, outputs: int) -> ImageSet | None:
    """Images of class folders that are ImageNet's identifiers, numbered as its classes are; None for all others."""
    order = images.classes
    if order is None or order.explicit or outputs not in (IMAGENET_CLASSES, IMAGENET_CLASSES + 1):
        return None
    known = imagenet_order(tuple(order.index))
    return None if known is None else _renumbered(images, order, known)


def _named_by_model(images: ImageSet, names: tuple[str, ...]) -> ImageSet | None:
    """Images of class folders that are named as classes of the model, numbered as its outputs are; None for all others."""
    order, output = images.classes, {name: index for index, name in enumerate(names)}
    if order is None or order.explicit or len(output) < len(names) or not output.keys() >= order.index.keys():
        return None
    return _renumbered(images, order, ClassOrder({name: output[name] for name in order.index}, explicit=True))


def _renumbered(images: ImageSet, order: ClassOrder, known: ClassOrder) -> ImageSet:
    """Images whose labels are taken from another order of the same classes."""
    name_of = {index: name for name, index in order.index.items()}
    assert images.labels is not None
    return replace(images, labels=tuple(known.index[name_of[label]] for label in images.labels), classes=known)


def _check_number(source: str, order: ClassOrder, outputs: int, class_offset: int | None) -> None:
    """Refuses class folders that are not as many as the model's classes, for then their order says nothing."""
    named, classes = len(order.index), outputs - max(class_offset or 0, 0)
    if named == classes:
        return
    what = f"names in {CLASSES_FILE}" if order.explicit else "class folders"
    background = f"; or {_BACKGROUND}" if named + 1 == outputs and class_offset is None else ""
    raise UsageError(
        f"{source} has {named} {what}, the model {classes} classes: which is which output is not sure",
        f"name every class of the model in {source}/{CLASSES_FILE}, one folder name a line in the order of its outputs"
        f" (empty folders may be left out), or list the images in labels.csv{background}",
    )


def _outside(source: str, labels: tuple[int, int], outputs: int, offset: int) -> UsageError:
    low, high = labels
    shifted = f" (class offset {offset})" if offset else ""
    if offset == 0 and low >= 1 and high == outputs:
        hint = f"labels from {low} to {high} seem to count from 1: --class-offset -1 takes label 1 as output 0"
    elif offset > 0 and high < outputs:
        hint = f"without --class-offset {offset} they would fit"
    else:
        hint = "is it the right model, or the right number of classes? --class-offset N says which output is class 0"
    bad = low if low + offset < 0 else high
    return UsageError(
        f"{source}: label {bad}{shifted} is outside the model's {outputs} classes (0 to {outputs - 1})", hint
    )


def check_classes(images: ImageSet) -> None:
    """Refuses labels that top-1 cannot judge by.

    Raises:
        UsageError: they are numbers, or several classes for one image.
    """
    if images.other_labels is not None:
        kind, metric = ("numbers", "value") if are_numbers(images.other_labels) else ("sets of classes", "multilabel")
        raise UsageError(
            f"the labels of {images.source} are {kind}, which top-1 cannot judge by",
            f"give --metric {metric}, or package.module:function of your own",
        )
