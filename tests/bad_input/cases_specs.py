"""Bad TOML: specs, profiles, budgets, devices and calibration manifests."""

from __future__ import annotations

from pathlib import Path

from tests.bad_input.case import Case, Content, case, fifo, folder, link_to
from tests.bad_input.contents import RUN

_SHIPPED_DEVICE = (Path(__file__).parents[2] / "devices" / "raspberry-pi-5.toml").read_text(encoding="utf-8")
_MODEL = '[model]\nname = "digits_cnn"\n'


def _spec(text: str | bytes, *words: str) -> Case:
    """A spec, complete with a model unless it has a section of it."""
    whole: Content = text if isinstance(text, bytes) or "model" in text or not text else _MODEL + text
    return case("compress spec.toml", *words, files={"spec.toml": whole})


def _budget(text: str | bytes, *words: str) -> Case:
    return case(
        "gate run.json --budget budget.toml", "budget.toml", *words, files={"run.json": RUN, "budget.toml": text}
    )


def _device(text: str | bytes, *words: str) -> Case:
    return case("devices show d.toml", "d.toml", *words, files={"d.toml": text})


def _manifest(text: str | bytes, *words: str) -> Case:
    return case("compress digits_cnn --calibration c.toml", *words, files={"c.toml": text})


_NOT_TOML: tuple[tuple[str | bytes, str], ...] = (
    ("a = \n", "not valid TOML"),
    ("[a\n", "not valid TOML"),
    ("a = 1\na = 2\n", "not valid TOML"),
    ("{}", "not valid TOML"),
    (b"a = '\xff'\n", "not valid TOML"),
    (b"\xff\xfea\x00", "not valid TOML"),
    ("\0", "not valid TOML"),
    ("a = " + "9" * 5000 + "\n", "too many digits"),
    ("a = " + "[" * 5000 + "]" * 5000 + "\n", "nested"),
    ("a = " + "[" * 50 + "]" * 50 + "\n", "nested"),
    ("a." * 3000 + "a = 1\n", "nested"),
    ("[" + "a." * 100 + "a]\n", "nested"),
    ("a = " + "{a=" * 900 + "1" + "}" * 900 + "\n", ""),
)

_WRONG: tuple[tuple[str, ...], ...] = (
    ('model = "digits_cnn"\n', "model"),
    ("model = 3\n", "model"),
    ("[[model]]\nname = 'digits_cnn'\n", "model"),
    ("", "spec.toml", "model"),
    ("seed = 3\n[modle]\nname = 'digits_cnn'\n", "modle: unknown key", "did you mean model"),
    ("[model]\nname = 3\n", "model.name", "string"),
    ("[model]\nname = ''\n", "model.name", "empty"),
    ("[model]\nname = 'digits_cnn'\nweights = ''\n", "model.weights", "empty"),
    ("[model]\nname = 'digits_cnn'\nweights = 3\n", "model.weights"),
    ("[model]\nname = 'digits_cnn'\nweights = 'nowhere.pt'\n", "nowhere.pt"),
    ("[model]\nname = 'digits_cnn'\npretrained = 1\n", "model.pretrained", "boolean"),
    ("[model]\nname = 'digits_cnn'\npretrained = 'yes'\n", "model.pretrained", "boolean"),
    ("[model]\nname = 'digits_cnn'\nnum_classes = true\n", "model.num_classes", "integer"),
    ("[model]\nname = 'digits_cnn'\nnum_classes = 10.0\n", "model.num_classes", "integer"),
    ("[model]\nname = 'digits_cnn'\nnum_classes = '10'\n", "model.num_classes", "integer"),
    ("[model]\nname = 'digits_cnn'\nnum_classes = 0\n", "10 classes", "num_classes"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = 96\n", "write [96, 96]"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = [96]\n", "input_size"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = [3, 96, 96]\n", "input_size"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = [0, 96]\n", "input_size"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = [96.0, 96]\n", "input_size"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninput_size = [100000, 100000]\n", "input_size"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\nmean = 0.5\n", "write [0.5]"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\nstd = [0.5, 0.5]\n", "std"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\nstd = [0, 1, 1]\n", "std"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\nmean = [nan, 0, 0]\n", "mean"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\nmean = ['0', '0', '0']\n", "mean"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ncrop_pct = 87.5\n", "crop_pct"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ncrop_pct = '0.9'\n", "crop_pct"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ncrop_mode = 'border'\n", "crop_mode"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocessing]\ninterpolation = 'cubic'\n", "interpolation"),
    ("[model]\nname = 'digits_cnn'\n[model.preprocesing]\ncrop_pct = 1\n", "did you mean preprocessing"),
    ("[data]\nevaluation = ''\n", "data.evaluation", "empty"),
    ("[data]\nevaluation = true\n", "data.evaluation", "string"),
    ("[data]\nevaluation = ['digits']\n", "data.evaluation", "string"),
    ("[data]\nevaluation = 2026-01-01\n", "data.evaluation"),
    ("[data]\nevaluation = 'nowhere'\n", "nowhere"),
    ("[data]\nevaluation = 'digits'\nsamples = true\n", "data.samples", "integer"),
    ("[data]\nevaluation = 'digits'\nsamples = 10.0\n", "data.samples", "integer"),
    ("[data]\nevaluation = 'digits'\nsamples = '10'\n", "data.samples", "integer"),
    ("[data]\nevaluation = 'digits'\nsamples = 0\n", "data.samples"),
    ("[data]\nevaluation = 'digits'\nsamples = 99999999999999999999\n", "data.samples"),
    ("[data]\nevaluation = 'digits'\nsamples = " + "9" * 400 + "\n", "data.samples"),
    ("[data]\nevaluation = 'digits'\nsamples = 999999\n", "999999"),
    ("[data]\nsamples = 3\n", "no effect"),
    ("[data]\ntrain = 'digits:train'\n", "no effect"),
    ("[data]\ncalibration_samples = 3\n", "no effect"),
    ("[data]\ncalibration = '20 percent'\n", "20 percent"),
    ("[data]\ncalibration = 0.2\n", "data.calibration", "string"),
    ("[data]\nimages = 'digits'\n", "data.images: unknown key"),
    ("data = 'digits'\n" + _MODEL, "data"),
    ("[passes]\ntokens = ['tome:8']\n", "passes.tokens", "string"),
    ("[passes]\ntokens = ''\n", "passes.tokens", "empty"),
    ("[passes]\ntokens = 'tom:8'\n", "did you mean tome"),
    ("[passes]\nform = 'topk'\n", "passes.form"),
    ("[passes]\nform = 'gather'\n", "--form"),
    ("[passes]\nsearch_minutes = 3\n", "no effect"),
    ("[passes]\nsearch_minutes = 'soon'\ntokens = 'auto'\n", "search_minutes"),
    ("[passes.distill]\nepochs = 3\n", "section of its own", "[distill]"),
    ("[distill]\nepochs = 3\n", "images to train on"),
    ("[distill]\nteacher = 'digits_vit'\n", "distill.teacher"),
    ("[distill.teacher]\nname = 'digits_vit'\n", "images to train on"),
    ("[distill.teacher]\nnam = 'digits_vit'\n", "did you mean name"),
    ("[distill]\nepochs = 1.5\n[distill.teacher]\nname = 'digits_vit'\n", "epochs"),
    ("[distill]\ntemperature = -1\n[distill.teacher]\nname = 'digits_vit'\n", "temperature"),
    ("[distill]\nlearning_rate = inf\n[distill.teacher]\nname = 'digits_vit'\n", "learning_rate"),
    ("[distill]\nloss = 'mse'\n", "distill.loss"),
    ("[distill]\nloss = 'dist'\n[data]\ntrain = 'digits:train'\n", "no effect without a teacher"),
    ("[distill]\nloss = 'hard'\ntemperature = 2.0\n[distill.teacher]\nname = 'digits_cnn'\n", "no effect", "hard"),
    (
        "[distill]\nteacher_cache = 'c'\naugmentation.mixup = 0.2\n[distill.teacher]\nname = 'digits_cnn'\n",
        "teacher_cache",
        "mixup",
    ),
    ("[distill]\nbatch_size = 4\nprocesses = 3\n", "batch_size", "processes"),
    ("[distill]\naugmentation.views = 'affine'\naugmentation.random_erasing = 0.5\n", "no effect", "crop"),
    ("[finetune]\nmode = 'quick'\nteacher = 'teacher'\n", "finetune.teacher", "distill.teacher"),
    ("[export]\nbackends = 'onnx'\n", 'write ["onnx"]'),
    ("[export]\nbackends = []\n", "backend"),
    ("[export]\nbackends = ['']\n", "backends", "empty"),
    ("[export]\nbackends = [3]\n", "backends"),
    ("[export]\nbackends = ['onnx', 'onnx']\n", "given twice"),
    ("[export]\nbackends = ['onx']\n", "did you mean onnx"),
    ("[export]\nschemes = 'fp32'\n", 'write ["fp32"]'),
    ("[export]\nschemes = []\n", "schemes"),
    ("[export]\nschemes = ['int8']\n", "unknown scheme"),
    ("[export]\nschemes = ['static_wi8_ai8']\n", "--calibration"),
    ("[export]\nbackend = ['onnx']\n", "did you mean backends"),
    ("[quantize]\nmax_minutes = 0\n", "quantize.max_minutes"),
    ("[quantize]\nmax_minutes = 1e300\n", "quantize.max_minutes"),
    ("[quantize]\ninteger_io = true\n", "integer_io"),
    ("[budget]\nmax_drop = -1\n", "budget.max_drop"),
    ("[budget]\nmax_drop = true\n", "budget.max_drop"),
    ("[budget]\nmax_drop = '1'\n", "budget.max_drop"),
    ("[budget]\nmax_drop = nan\n", "budget.max_drop"),
    ("[budget]\ndrop = 1\n", "did you mean max_drop"),
    ("[measure]\nthreads = 0\n", "measure.threads"),
    ("[measure]\nthreads = 1.0\n", "measure.threads"),
    ("[measure]\nthreads = true\n", "measure.threads"),
    ("[measure]\nmin_runs = 10\n", "measure.min_runs"),
    ("[measure]\nmin_seconds = -0.1\n", "measure.min_seconds"),
    ("[measure]\nmin_seconds = 1e300\n", "measure.min_seconds"),
    ("[measure]\ntimeout_seconds = 1e300\n", "measure.timeout_seconds"),
    ("[measure]\ntimeout_seconds = inf\n", "measure.timeout_seconds"),
    ("[measure]\ntimeout = 3\n", "did you mean timeout_seconds"),
    ("max_minutes = true\n" + _MODEL, "max_minutes"),
    ("quick = 1\n" + _MODEL, "quick", "boolean"),
    ("quick = 'yes'\n" + _MODEL, "quick", "boolean"),
    ("seed = 1.0\n" + _MODEL, "seed", "integer"),
    ("seed = -1\n" + _MODEL, "seed"),
    ("seed = 4294967296\n" + _MODEL, "seed"),
    ("devices = 'raspberry-pi-5'\n" + _MODEL, 'write ["raspberry-pi-5"]'),
    ("devices = ['raspbery-pi-5']\n" + _MODEL, "did you mean raspberry-pi-5"),
    ("devices = [5]\n" + _MODEL, "devices"),
    ("devices = ['raspberry-pi-5', 'raspberry-pi-5']\n" + _MODEL, "given twice"),
    ("[devices.raspberry-pi-5]\n" + _MODEL, "devices"),
    ("about = 'mine'\n" + _MODEL, "about: unknown key"),
)

_FILES = (
    case("compress nowhere.toml", "nowhere.toml"),
    case("compress folder.toml", "folder.toml", files={"folder.toml": folder}),
    case("compress pipe.toml", "pipe.toml", files={"pipe.toml": fifo}),
    case("compress loop.toml", "loop.toml", files={"loop.toml": link_to("loop.toml")}),
    case("compress lost.toml", "lost.toml", files={"lost.toml": link_to("nowhere.toml")}),
    case("compress zero.toml", "zero.toml", files={"zero.toml": link_to("/dev/zero")}),
    case("compress spce.toml", "spec.toml", files={"spec.toml": _MODEL}),
    case("gate run.json --budget budgte.toml", "budget.toml", files={"run.json": RUN, "budget.toml": "size_bytes = 1\n"}),
    case("compress digits_cnn --profile nowhere.toml", "nowhere.toml", "shipped by name"),
    case("compress digits_cnn --profile mine.toml", "profile mine.toml", "did you mean export",
         files={"mine.toml": "[exprt]\nbackends = ['onnx']\n"}),
)  # fmt: skip

_BUDGETS: tuple[tuple[str, ...], ...] = (
    ("", "no limit"),
    ("size_byte = 3\n", "did you mean size_bytes"),
    ("size_bytes = 0\n", "size_bytes"),
    ("size_bytes = -1\n", "size_bytes"),
    ("size_bytes = '8 MB'\n", "size_bytes"),
    ("size_bytes = true\n", "size_bytes"),
    ("size_bytes = inf\n", "size_bytes"),
    ("size_bytes = " + "9" * 400 + "\n", "size_bytes"),
    ("accuracy_drop_points = nan\n", "accuracy_drop_points"),
    ("accuracy_drop_points = 101\n", "accuracy_drop_points"),
    ("accuracy_drop_points = -0.1\n", "accuracy_drop_points"),
    ("accuracy_drop = 1.0\n", "did you mean accuracy_drop_points"),
    ("[devices.host]\n", "no limit"),
    ("[devices.host]\nlatency_p50 = 3\n", "did you mean latency_p50_ms"),
    ("[devices.raspberry-pi-5]\npeak_rss_byte = 3\n", "did you mean peak_rss_bytes"),
    ("[devices.host]\nlatency_p50_ms = '15 apples'\n", "latency_p50_ms"),
    ("[devices.host]\nlatency_p50_ms = [15]\n", "latency_p50_ms"),
    ("[devices.host]\npeak_rss_bytes = 1\npeak_memory_bytes = 1\n", "older name"),
    ("devices = 'host'\n", "devices"),
    ("[devices]\nhost = 15\n", "devices.host"),
    ("[device.host]\nlatency_p50_ms = 3\n", "did you mean devices"),
    ("[[devices]]\nlatency_p50_ms = 3\n", "devices"),
)

_DEVICES: tuple[tuple[str, ...], ...] = (
    ("", "name"),
    ("name = 'x'\ntitel = 'Y'\n", "did you mean title"),
    ("name = 'Not A Name'\ntitle = 'abc'\nkind = 'phone'\nunits = []\n", "name"),
    ("name = 'x'\ntitle = 'abc'\nkind = 'toaster'\nunits = []\n", "kind"),
    ("name = 'x'\ntitle = 'abc'\nkind = 'phone'\nunits = []\n", "units"),
    ("name = 'x'\ntitle = 'abc'\nkind = 'phone'\nunits = 3\n", "units"),
    ("name = 'x'\ntitle = 'abc'\nkind = 'phone'\n[[units]]\nnmae = 'cpu'\n", "did you mean name"),
    ("name = 'x'\n[[units]]\n[units.ops]\nunsuported = []\n", "did you mean unsupported"),
    (_SHIPPED_DEVICE.replace("\nconv = ", "\ncnov = ", 1), "cnov: unknown key", "did you mean conv"),
    ("name = 'x'\n[[units]]\nruntimes = ['tensort']\n", "units.0.runtimes.0", "tensorrt"),
    ("name = 'x'\n[[units]]\nnumerics = { float = 'float64' }\n", "units.0.numerics.float"),
    ("name = 'x'\n[memory_bytes]\nvalue = 'much'\nsource = 'here'\n", "memory_bytes.value"),
    ("name = 'x'\n[memory_bytes]\nvalue = nan\nsource = 'here'\n", "memory_bytes.value"),
    ("name = 'x'\n[memory_bytes]\nvalue = " + "9" * 400 + "\nsource = 'here'\n", "memory_bytes.value"),
)

_MANIFESTS: tuple[tuple[str, ...], ...] = (
    ("", "source"),
    ("source = 'digits'\n", "ids"),
    ("source = 3\nids = []\n", "source"),
    ("source = 'digits'\nids = 'digits-0010'\n", "ids"),
    ("source = 'digits'\nids = [1]\n", "ids"),
    ("source = 'digits'\nids = ['digits-9999']\n", "digits-9999"),
    ("source = 'digits'\nids = ['digits-0010']\nsha256 = 'x'\n", "sha256"),
    ("source = 'nowhere'\nids = ['a']\n", "nowhere"),
    ("source = 'c.toml'\nids = ['a']\n", "c.toml"),
    ("sorce = 'digits'\nids = ['a']\n", "source"),
)

_PRUNING = (
    case("compress digits_vit --prune mlps=0.25", "what to prune", "did you mean mlp"),
    case("compress digits_vit --prune mlp=25%", "mlp needs a number", "mlp=0.25"),
    case("compress digits_vit --prune mlp=0.9", "mlp is a share above 0, up to 0.5"),
    case("compress digits_vit --prune heads=0.5", "heads is how many leave in all"),
    case("compress digits_vit --prune mlp=0.1,mlp=0.2", "given twice"),
    case("compress digits_vit --prune macs=0.8,heads=1", "macs chooses all there is together"),
    case("compress digits_cnn --calibration digits:calibration --prune macs=0.8", "--prune macs=", "plain vision transformer"),
    case("compress digits_vit --prune auto", "--prune refits what is left on images", "--calibration"),
    case("compress digits_vit --calibration digits:calibration --prune heads=99", "can leave", "give fewer"),
    case("compress digits_cnn --calibration digits:calibration --prune mlp=0.25", "DigitsCnn has no MLP"),
)  # fmt: skip

CASES: tuple[Case, ...] = (
    *_PRUNING,
    *(_spec(text, word) for text, word in _NOT_TOML),
    *(_budget(text, word) for text, word in _NOT_TOML),
    *(_device(text, word) for text, word in _NOT_TOML),
    *(_manifest(text, word) for text, word in _NOT_TOML),
    *(_spec(text, *words) for text, *words in _WRONG),
    *(_budget(text, *words) for text, *words in _BUDGETS),
    *(_device(text, *words) for text, *words in _DEVICES),
    *(_manifest(text, *words) for text, *words in _MANIFESTS),
    *_FILES,
    case("compress spec.toml --dry-run", "candidates", exit=0,
         files={"spec.toml": b"\xef\xbb\xbf[model]\r\nname = 'digits_cnn'\r\n"}),
    case("compress spec.toml --weights nowhere.pt", "model", files={"spec.toml": 'model = "digits_cnn"\n'}),
)  # fmt: skip
