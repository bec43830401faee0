"""From a model in memory to a file that names flowers: an EfficientNet-Lite0 of timm, compressed for LiteRT.

python flowers.py PHOTOS WEIGHTS     labelled photos (docs/your-data.md), and the state dict of a model of five flowers
python .../use.py PHOTO              as the first command prints it: names what is in a photo, without edgevit
"""

import sys
from pathlib import Path

import timm
from safetensors.torch import load_file

import edgevit

FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")  # in the order of the model's outputs

photos, weights = sys.argv[1:]
model = timm.create_model("tf_efficientnet_lite0", num_classes=len(FLOWERS))
model.load_state_dict(load_file(weights))

run = edgevit.compress(
    model,
    "flowers-run",
    evaluation=photos,
    calibration="32%",  # of the photos, which are then not scored
    labels=FLOWERS,
    export=["tflite"],
    budget=edgevit.BudgetSpec(max_drop=1.0),
)
if run.chosen is None or run.chosen.accuracy is None:
    sys.exit("no candidate is within a point of the float model; see flowers-run/report.md")
print(f"{run.chosen.id}: top-1 {run.chosen.accuracy.top1:.1%}, {run.chosen.p50_ms:.1f} ms")
print(f"python {Path(run.chosen.file).with_name('use.py')} PHOTO")
