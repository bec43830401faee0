"""Names what a camera sees, frame by frame, or what is in the images of a folder."""

import argparse
import time
from pathlib import Path

import edgevit


def from_folder(folder):
    """Yields the name and the path of each image."""
    for path in sorted(folder.iterdir()):
        yield path.name, path


def from_pi_camera():
    """Yields frames, uint8 [h, w, 3], RGB, of the Pi's own camera."""
    from picamera2 import Picamera2

    camera = Picamera2()
    # picamera2 names formats by the order in memory from the other end: its BGR888 is red first
    camera.configure(camera.create_preview_configuration({"format": "BGR888", "size": (640, 480)}))
    camera.start()
    while True:
        yield "frame", camera.capture_array()


def from_opencv():
    """Yields frames, uint8 [h, w, 3], RGB, of the first camera."""
    import cv2

    camera = cv2.VideoCapture(0)
    while True:
        ok, frame = camera.read()
        if not ok:
            raise SystemExit("no camera gives frames; try --folder FOLDER")
        yield "frame", frame[:, :, ::-1]  # OpenCV has blue first


def frames(folder):
    """Returns what gives images: a folder, else a camera."""
    if folder:
        return from_folder(folder)
    try:
        import picamera2  # noqa: F401
    except ModuleNotFoundError:
        return from_opencv()
    return from_pi_camera()


def main():
    """Names one image after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an .onnx, .xml or .tflite file of edgevit")
    parser.add_argument("--folder", type=Path, help="images, in place of a camera")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--top", type=int, default=5)
    asked = parser.parse_args()
    classifier = edgevit.load(asked.model, threads=asked.threads)
    for name, image in frames(asked.folder):
        begin = time.perf_counter()
        answers = classifier.classify(image)
        print(f"{name} ({1000 * (time.perf_counter() - begin):.1f} ms)")
        for label, probability in answers[: asked.top]:
            print(f"{probability:8.2%}  {label}")


if __name__ == "__main__":
    main()
