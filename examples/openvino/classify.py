"""Names what is in images, with OpenVINO and the contract that the model carries."""

import argparse
import json

import numpy as np
import openvino
from PIL import Image, ImageOps


def load_pixels(path, wanted):
    """Returns the pixels of an image, resized and cropped as the model wants it: uint8 [height, width, 3]."""
    height, width = wanted["input_size"]
    filter = Image.Resampling[wanted["interpolation"].upper()]
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    rows, columns = int(height / wanted["crop_pct"]), int(width / wanted["crop_pct"])
    if wanted["crop_mode"] == "center":  # the shorter side is made to fit, whatever the aspect ratio
        rows, columns = (
            max(rows, image.height * columns // image.width),
            max(columns, image.width * rows // image.height),
        )
    image = image if image.size == (columns, rows) else image.resize((columns, rows), filter)
    left, top = round((columns - width) / 2), round((rows - height) / 2)
    return np.array(image.crop((left, top, left + width, top + height)))


def feed(pixels, contract):
    """Returns pixels as the model takes them."""
    if contract.get("embeds_preprocessing"):
        return pixels[None]
    mean, std = contract["preprocessing"]["mean"], contract["preprocessing"]["std"]
    return ((pixels / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]


def main():
    """Names one image after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("images", nargs="+")
    parser.add_argument("--device", default="CPU")
    asked = parser.parse_args()
    model = openvino.Core().read_model(asked.model)
    contract = json.loads(model.get_rt_info("edgevit").astype(str))
    compiled = openvino.compile_model(model, asked.device, {"PERFORMANCE_HINT": "LATENCY"})
    for path in asked.images:
        logits = compiled(feed(load_pixels(path, contract["preprocessing"]), contract))[0][0]
        odds = np.exp(logits - logits.max())
        print(path)
        for index in np.argsort(-odds, kind="stable")[:5]:
            name = contract["classes"][index] if contract["classes"] else f"class {index}"
            print(f"{odds[index] / odds.sum():8.2%}  {name}")


if __name__ == "__main__":
    main()
