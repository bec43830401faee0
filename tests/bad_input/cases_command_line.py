"""Bad command lines: options and arguments that are unknown, missing, empty, repeated, out of range or without effect."""

from __future__ import annotations

from tests.bad_input.case import Case, case, folder, slow_case
from tests.bad_input.contents import BUDGET, RUN, classifier_onnx

_WITH_MODEL = ("compress", "export", "reduce-tokens", "sensitivity")
_COMMANDS = {
    "init": "digits_cnn",
    "compress": "digits_cnn",
    "search": "digits_cnn --trials 3",
    "export": "digits_cnn",
    "distill": "digits_cnn --train digits:train",
    "finetune": "digits_cnn --export onnx",
    "quantize": "m.onnx --calibration digits:train",
    "bench": "m.onnx",
    "eval": "m.onnx --data digits",
    "classify": "m.onnx photo.jpg",
    "inspect": "m.onnx",
    "profile": "m.onnx --device raspberry-pi-5",
    "reduce-tokens": "digits_vit --tokens tome:8",
    "sensitivity": "digits_cnn",
    "explain": "digits_vit digits-0010",
    "compare": "a b",
    "gate": "run --budget budget.toml",
    "budget init": "run",
    "budget explain": "budget.toml",
    "report": "run",
    "card": "run",
    "clean": "run",
    "models": "",
    "schemes": "",
    "profiles": "",
    "calibration": "",
    "devices": "",
    "doctor": "",
    "schema": "run",
    "recommend": "",
    "worker": "tcp://127.0.0.1:1",
    "cluster start": "",
    "cluster certificate": "tls",
    "cluster status": "tcp://127.0.0.1:1",
    "store ls": "store",
    "store gc": "store --keep-runs 1",
    "store verify": "store",
}
"""Every command with arguments that are well formed."""
_GROUPS = ("calibration", "devices", "profiles")
"""Those whose first argument is a command of their own."""
_WITH_JSON = (
    "init", "compress", "search", "export", "distill", "finetune", "quantize", "bench", "eval", "classify", "inspect", "profile", "reduce-tokens", "sensitivity", "explain", "compare", "card", "gate", "clean",
    "doctor", "report", "models", "schemes", "schema", "recommend",
)  # fmt: skip
_GATE = {"run.json": RUN, "budget.toml": BUDGET}
_RUN = {"run/run.json": RUN, "budget.toml": BUDGET}

_NAMES = (
    case("compres", "no such command", "compress"),
    case("gat", "no such command", "gate"),
    case("--versoin", "no such option", "--version"),
    *(case(f"{name} {rest} --nonsense", "no such option", "--nonsense", "--help") for name, rest in _COMMANDS.items()),
    *(case(f"{name} {rest} -x", "no such option", "--help") for name, rest in _COMMANDS.items()),
    case("gate run --budgt budget.toml", "--budgt", "--budget"),
    case("compress digits_cnn --sheme fp32", "--sheme", "--scheme"),
    case("bench m.onnx --thread 2", "--thread", "--threads"),
    case("models a b", "unexpected extra argument", "--help"),
    case("inspect a.onnx b.onnx", "unexpected extra argument", "--help"),
    case("schemes fp32", "unexpected extra argument"),
    case("doctor now", "unexpected extra argument"),
    case("report a b", "unexpected extra argument"),
    case("budget init a b", "unexpected extra argument"),
    case("devices shwo raspberry-pi-5", "no such command", "show"),
    case("profiles shwo raspberry-pi-5", "no such command", "show"),
    case("calibration mak digits:train", "no such command", "make"),
    *(case(f"{group} --json list", "--json stands before list", "list --json") for group in _GROUPS),
    *(case(f"{group} list --json --json", "--json is given 2 times") for group in _GROUPS),
    case("devices show ''", "an argument is empty"),
)

_MISSING = (
    *(
        case(name, "missing argument", "--help")
        for name in (
            "init",
            "compress",
            "export",
            "bench",
            "eval",
            "inspect",
            "profile",
            "reduce-tokens",
            "sensitivity",
            "explain",
        )
    ),
    *(case(name, "missing argument", "--help") for name in ("gate", "report", "clean", "schema")),
    case("devices show", "missing argument", "--help"),
    case("devices fit", "missing option", "--out", "--help"),
    case("profiles show", "missing argument", "--help"),
    case("gate run", "missing option", "--budget"),
    case("gate --measure new.onnx --against old.onnx", "no such file: new.onnx"),
    case("gate --measure new.onnx --against old.onnx", "no such file: old.onnx", files={"new.onnx": "none"}),
    case("gate --measure new.txt --against new.txt", "no backend reads .txt", files={"new.txt": "none"}),
    case("gate --measure new.onnx", "--measure without --against", "--against OLD"),
    case("gate --against old.onnx", "--against without --measure", "--measure NEW"),
    case("gate run --measure new.onnx --against old.onnx", "RUN has no effect with --measure"),
    case("gate --measure new.onnx --against old.onnx --budget b.toml", "--budget has no effect with --measure"),
    case("gate run --budget budget.toml --minutes 1", "--minutes without --measure"),
    case("gate run --budget budget.toml --max-regression 5%", "--max-regression without --measure"),
    *(
        case(f"gate --measure new.onnx --against old.onnx {option}", *words)
        for option, *words in (
            ("--max-regression 0.05", "'0.05' is not a percentage", "5%"),
            ("--max-regression=-5%", "'-5%' is not a percentage", "5%"),
            ("--max-regression 5000%", "not below 1000 %"),
            ("--max-speed-up 100%", "not below 100 %"),
            ("--max-speed-up 0%", "--max-speed-up 0%", "above 0"),
            ("--minutes 0", "--minutes 0", "at most a day"),
            ("--minutes=-1", "--minutes -1", "at most a day"),
            ("--minutes nan", "--minutes nan"),
            ("--precision f16", "f16", "bf16"),
        )
    ),
    case("eval m.onnx", "missing option", "--data"),
    case("quantize m.onnx", "missing option", "--calibration"),
    case("profile m.onnx", "missing option", "--device"),
    case("explain digits_vit", "missing argument", "IMAGE"),
    *(
        case(f"{name} {_COMMANDS[name]} {option}", "requires an argument", "--help")
        for name in _WITH_MODEL
        for option in ("--weights", "--set", "--out")
    ),
)

_EMPTY = (
    *(
        case(f"{name} {_COMMANDS[name]} {option} ''", f"the value of {option} is empty")
        for name in _WITH_MODEL
        for option in ("--weights", "--set", "--out")
    ),
    *(
        case(f"compress digits_cnn {option}=", f"the value of {option} is empty")
        for option in ("--data", "--calibration", "--train", "--teacher", "--tokens", "--form", "--export", "--scheme",
                       "--profile", "--device", "--integer-io", "--max-drop", "--samples", "--threads", "--jobs")
    ),
    *(case(f"{name} ''", "an argument is empty") for name in _COMMANDS if name not in _GROUPS),
    case("worker desk:8786", "is no address of a scheduler", "tls://desk:8786"),
    case("worker tcp://desk:8786", "on another machine", "without TLS", "--tls"),
    case("worker tls://desk:8786", "needs the cluster's certificate", "--tls"),
    case("worker tcp://127.0.0.1:1 --jobs 0", "--jobs"),
    case("worker tcp://127.0.0.1:1 --board a --board a", "a board is named twice"),
    case("worker tcp://127.0.0.1:1", "there is no scheduler at tcp://127.0.0.1:1", "edgevit cluster start"),
    case("cluster start --host 0.0.0.0", "on another machine", "without TLS"),
    case("cluster start --port 70000", "--port"),
    case("cluster certificate made", "has a cert.pem already", files={"made/cert.pem": "x"}),
    case("cluster status tcp://127.0.0.1:1", "there is no scheduler"),
    case("cluster status tls://127.0.0.1:1 --tls t", "t has no key.pem", files={"t/cert.pem": "x"}),
    case("compress digits_cnn --cluster desk", "is no address of a scheduler"),
    case("compress digits_cnn --cluster tcp://desk:8786", "on another machine", "without TLS"),
    case("compress digits_cnn --cluster tcp://127.0.0.1:1 --store s", "there is no scheduler"),
    case("compress digits_cnn --cluster tcp://127.0.0.1:1 --jobs 2", "--jobs is for this machine"),
    case("compress digits_cnn --cluster tcp://127.0.0.1:1 --store memory://s", "in the memory of this process"),
    case("compress digits_cnn --tls t", "--tls is for a cluster"),
    case("compress digits_cnn --reuse-measurements", "--reuse-measurements", "--store"),
    case("compress digits_cnn --store file", "is a file, not a folder", files={"file": "x"}),
    case("compress digits_cnn --store nothing://there", "nothing://there"),
    case("compress digits_cnn --dry-run --store s", "--store", "--dry-run"),
    case("store ls none", "there is no store at none", "--store"),
    case("store verify file", "is a file, not a folder", files={"file": "x"}),
    case("store gc none --keep-runs 1", "there is no store"),
    case("store gc none", "--keep-runs"),
    case("store gc none --keep-runs -1", "--keep-runs"),
    case("gate run --budget ''", "the value of --budget is empty"),
    case("gate run --budget budget.toml --candidate ''", "the value of --candidate is empty"),
    case("eval m.onnx --data ''", "the value of --data is empty"),
    case("eval m.onnx --data digits --mean ' '", "the value of --mean is empty"),
    case("profile m.onnx --device ''", "the value of --device is empty"),
    case("bench m.onnx --sustained ''", "the value of --sustained is empty"),
    case("compress digits_cnn --export onnx,", "empty name"),
    case("compress digits_cnn --scheme ,", "empty name"),
    case("compress digits_cnn --export onnx,,tflite", "empty name"),
    case("compress digits_cnn --set seed=", "not KEY=VALUE"),
    case("compress digits_cnn --set =3", "not KEY=VALUE"),
    case("compress digits_cnn --set data..samples=3", "not KEY=VALUE"),
)  # fmt: skip

_TWICE = (
    *(case(f"{name} {_COMMANDS[name]} --json --json", "--json is given 2 times") for name in _WITH_JSON),
    *(
        case(f"compress digits_cnn {option} {value} {option} {value}", f"{option} is given 2 times")
        for option, value in (
            ("--calibration", "calibration:digits"), ("--weights", "w.pt"), ("--scheme", "fp32"),
            ("--export", "onnx"), ("--threads", "1"), ("--out", "run"), ("--tokens", "none"), ("--max-drop", "1"),
            ("--profile", "intel-cpu"), ("--jobs", "1"), ("--samples", "3"),
        )
    ),
    case("gate run --budget a.toml --budget b.toml", "--budget is given 2 times"),
    case("bench m.onnx --threads 1 --threads=2", "--threads is given 2 times"),
    case("report run --out a --out b", "--out is given 2 times"),
    case("compress digits_cnn --quick --quick", "--quick is given 2 times"),
    case("compress digits_cnn -v --verbose", "--verbose is given 2 times"),
    case("compress digits_cnn --set seed=1 --set seed=2", "seed is given twice"),
    case("compress digits_cnn --threads 1 --set measure.threads=2", "measure.threads is given twice"),
    case("compress digits_cnn --data digits --set data.evaluation=digits", "data.evaluation is given twice"),
    case("compress digits_cnn --device raspberry-pi-5 --device raspberry-pi-5", "raspberry-pi-5 is given twice"),
    case("compress digits_cnn --export onnx,onnx", "onnx is given twice"),
    case("compress digits_cnn --scheme fp32,fp32", "distinct names"),
    case("compress digits_vit --tokens tome:8,tome:8", "tome:8 is given twice"),
    case("explain digits_vit digits-0010 digits-0010", "digits-0010 is given twice"),
)  # fmt: skip

_NO_NUMBERS = ("x", "1e999", "0x10", "1,5", "--", "½")
_NUMBERS = (
    *(
        case(f"compress digits_cnn {option} {text}", "invalid value", option, "--help")
        for option in ("--threads", "--jobs", "--samples")
        for text in ("x", "1.5", "0", "-1", "nan", "1e3", "")
        if text
    ),
    *(case(f"compress digits_cnn --max-drop {text}", "max_drop") for text in ("-1", "101", "nan", "inf", "1e300")),
    *(case(f"compress digits_cnn --max-minutes {text}", "max_minutes") for text in ("0", "-1", "nan", "inf", "1e300")),
    case("compress digits_cnn --max-drop x", "invalid value", "--max-drop"),
    case("compress digits_cnn --threads " + "9" * 5000, "--threads"),
    case("compress digits_cnn --threads 99999999999", "threads"),
    case("compress digits_cnn --data digits --samples " + "9" * 400, "samples"),
    case("compress digits_cnn --set seed=4294967296", "seed"),
    case("compress digits_cnn --set seed=" + "9" * 5000, "seed"),
    *(case(f"bench m.onnx --min-seconds {text}", "min") for text in ("-1", "nan", "inf", "1e300", "86401")),
    *(case(f"bench m.onnx --min-runs {text}", "min") for text in ("0", "49", "-1", "x", "1e3", "9" * 400)),
    *(case(f"bench m.onnx --batch {text}", "--batch") for text in ("0", "-1", "x", "1.5")),
    *(
        case(f"bench m.onnx --sustained {text}", "not a time", "60s")
        for text in ("x", "1", "-5s", "nan", "inf", "1e9", "9999999s", "60h", "1.", "²s")
    ),
    *(case(f"eval m.onnx --data digits --mean {text}", "mean") for text in ("x", "1,2", "1,2,3,4", "0.5,,0.5", "nan")),
    *(case(f"eval m.onnx --data digits --std {text}", "std") for text in ("0", "-1", "inf", "1,0,1", "x")),
    *(case(f"eval m.onnx --data digits --crop-pct {text}", "crop") for text in ("0", "-1", "1.1", "nan", "x", "87.5")),
    *(case(f"eval m.onnx --data digits --class-offset {text}", "--class-offset") for text in ("x", "0.5", "1e3")),
    *(case(f"eval m.onnx --data digits --samples {text}", "--samples") for text in ("0", "-1", "x")),
)

_CHOICES = (
    case("eval m.onnx --data digits --crop-mode middle", "crop_mode", "center"),
    case("eval m.onnx --data digits --interpolation cubic", "interpolation", "bicubic"),
    case("eval m.onnx --data digits --precision fp32", "precision", "did you mean f32"),
    case("bench m.onnx --precision fast", "precision", "did you mean fastest"),
    case("compress digits_cnn --export onx", "unknown backend", "did you mean onnx"),
    case("compress digits_cnn --export tensorrt", "unknown backend", "known"),
    case("compress digits_cnn --scheme int8", "unknown scheme", "known"),
    case("compress digits_cnn --scheme static_wi8_a8", "did you mean static_wi8_ai8"),
    case("compress digits_cnn --scheme auto,fp32", "give \"auto\" alone"),
    case("compress digits_cnn --profile raspberry-pi-55", "unknown profile", "did you mean raspberry-pi-5"),
    case("compress digits_cnn --device raspbery-pi-5", "unknown device", "did you mean raspberry-pi-5"),
    case("compress digits_cnn --device raspberry-pi-4", "unknown device", "did you mean raspberry-pi-4b"),
    case("compress digits_cnn --device pi.toml", "no such device", "pi.toml"),
    case("compress digits_cnn --integer-io float", "integer_io", "int8"),
    case("compress digits_vit --tokens tome:8 --form gathered", "form", "gather"),
    case("profile m.tflite --device pixel-99", "unknown device"),
    case("profile digits_cnn --device raspberry-pi-5 --export coreml", "unknown backend", "known"),
    case("schema rnu", "invalid value", "run"),
    case("devices show raspberry-pi", "unknown device", "did you mean raspberry-pi-5"),
    case("devices compare raspberry-pi m.onnx=3ms", "unknown device", "did you mean raspberry-pi-5"),
    case("devices compare raspberry-pi-5 m.onnx", "'m.onnx' is not FILE=LATENCY", "edgevit bench FILE --json"),
    case("devices compare raspberry-pi-5 m.onnx=3ms", "m.onnx"),
    case("devices compare raspberry-pi-5 m.json", "m.json", "edgevit bench", files={"m.json": "{}"}),
    case("devices compare raspberry-pi-5", "missing argument", "--help"),
    case("devices calibrate --out .", "is a folder", "my-host.toml"),
    case("devices calibrate --out host.json", "does not end in .toml", "host.toml"),
    case("devices calibrate --out no/host.toml", "there is no folder no"),
    case("devices calibrate --runtimes onx", "unknown backend", "did you mean onnx"),
    case("devices calibrate --runtimes onnx,,tflite", "empty name"),
    case("devices calibrate --minutes 0", "--minutes"),
    case("devices calibrate --threads 0", "--threads"),
    case("devices calibrate --threads 100000", "threads are more than this machine can use"),
    case("profiles show rpi", "unknown profile"),
    case("profiles show nowhere.toml", "no such profile", "shipped by name"),
    case("models vit_tinyy_patch16", "unknown model", "did you mean"),
    case("compress digit_vit", "unknown model", "did you mean digits_vit"),
    case("compress vit_tiny_patch16_225 --random-weights", "did you mean vit_tiny_patch16_224"),
    *(
        case(f"gate . --budget budget.toml --candidate {rank}", "there is no rank", "did you mean 1, litert/dynamic", files=_GATE)
        for rank in ("0", "2", "-7", "999999999")
    ),
    case("gate . --budget budget.toml --candidate litert/dynamic_wi8_afp33", "did you mean litert/dynamic_wi8_afp32",
         files=_GATE),
    case("compress digits_cnn --set dta.evaluation=digits", "dta: unknown key", "did you mean data"),
    case("compress digits_cnn --set data.evalaution=digits", "unknown key", "did you mean evaluation"),
    case("compress digits_cnn --set model.preprocessing.crop_pc=1.0", "unknown key", "did you mean crop_pct"),
    case("compress digits_cnn --set model.name.x=1", "is a value, not a section"),
    case("compress digits_cnn --set seed", "not KEY=VALUE"),
    case("compress digits_cnn --set passes=none", "passes"),
    case("export digits_cnn --set export=3", "export"),
)  # fmt: skip

_TOGETHER = (
    case("compress digits_cnn --samples 3", "--samples", "no effect", "--data"),
    case("compress digits_cnn --train digits:train", "--train", "no effect", "--teacher"),
    case("compress digits_cnn --teacher digits_vit", "--train"),
    case("compress digits_vit --finetune quick", "needs images", "--calibration"),
    case("compress digits_vit --tokens tome:8 --finetune quik", "finetune.mode", "quick"),
    case("compress digits_vit --tokens tome:8 --finetune quick", "needs images", "--calibration"),
    case("compress digits_vit --tokens tome:8 --finetune quick --calibration calibration:digits", "judged", "--data"),
    case("compress digits_vit --tokens tome:8 --finetune quick --data digits --train digits", "training images"),
    case(
        "compress digits_vit --tokens tome:8 --finetune auto --data digits --calibration 10%", "at least 96", "gives 50"
    ),
    case("compress digits_vit --tokens tome:8 --set finetune.images_seen=10", "no effect", "finetune.mode"),
    case("compress digits_vit --tokens tome:8+resolution:24", "a smaller image comes first", "resolution:208+tome"),
    case("explain digits_vit digits-0010 --tokens resolution:24+tome:2", "changes the size", "tome:2"),
    case("compress digits_cnn --set data.calibration_samples=3", "calibration_samples", "no effect"),
    case("compress digits_vit --set passes.search_minutes=3 --tokens tome:8", "search_minutes", "no effect"),
    case("compress digits_cnn --form gather", "--form gather", "no plan"),
    case("compress digits_cnn --scheme static_wi8_ai8", "calibration", "--calibration"),
    case("compress digits_cnn --scheme fp32,mixed_wi8_ai8 --export onnx", "calibration", "--calibration"),
    case("export digits_cnn --scheme static_wi8_ai8 --export tflite", "--calibration"),
    case("compress digits_cnn --calibration 20%", "--data"),
    case("compress digits_cnn --data digits --calibration 100%", "hold out"),
    case("compress digits_cnn --data digits --calibration 0%", "hold out"),
    case("compress digits_cnn --random-weights --data digits", "random weights", "--data"),
    case("compress digits_cnn --random-weights --weights w.pt", "only one of"),
    case("compress digits_cnn --pretrained --random-weights", "only one of"),
    case("compress digits_cnn --pretrained", "bundled"),
    case("compress vit_tiny_patch16_224", "--weights", "--random-weights"),
    case("compress digits_cnn --tokens tome:8", "token"),
    case("compress digits_vit --tokens auto", "--data"),
    case("compress digits_vit --tokens resolution:64 --form gather", "--form"),
    case("compress digits_cnn --resume", "--resume", "--out"),
    case("export digits_cnn --resume", "--resume", "--out"),
    case("compress digits_cnn --resume --dry-run --out run", "--out", "--dry-run"),
    *(
        case(f"compress digits_cnn --dry-run {option}", option.split()[0], "--dry-run")
        for option in ("--wide", "--out run", "--keep-work", "--require-stable")
    ),
    case("compress digits_cnn --integer-io int8 --export onnx", "integer", "tflite"),
    case("compress digits_cnn --integer-io int8 --export tflite --scheme fp16", "static int8"),
    case(
        "compress digits_cnn --integer-io int8 --export tflite --embed-preprocessing",
        "--embed-preprocessing",
        "--integer-io",
    ),
    case(
        "export digits_cnn --set quantize.integer_io=uint8 --export tflite --embed-preprocessing",
        "leave one of them out",
    ),
    case("compress digits_cnn --export openvino --scheme static_wi8_ai16", "has no scheme"),
    case("bench a.onnx b.onnx --pipeline digits", "takes one file"),
    case("bench a.onnx b.onnx --sustained 60s", "takes one file"),
    case("bench a.onnx --pipeline digits --sustained 60s", "do not go together"),
    case("bench a.onnx --pipeline digits --batch 2", "--batch"),
    case("bench a.onnx --sustained 60s --batch 2", "--batch"),
    case("bench a.onnx --pipeline nowhere", "nowhere", files={"a.onnx": b""}),
    case("bench a.onnx --sustained 10mins", "10mins", "10min"),
    *(
        case(
            f"bench a.onnx --on {address}", "not the address of a board", "pi@raspberrypi.local", files={"a.onnx": b""}
        )
        for address in ("-oProxyCommand=x", "pi@host:x", "a@b@c", "'pi@host; reboot'", "ssh://pi@host")
    ),
    case("bench a.onnx --on pi@host:65536", "65536", "1 to 65535", files={"a.onnx": b""}),
    case("bench a.onnx --on adb:", "names no phone", "adb devices", files={"a.onnx": b""}),
    case("bench a.onnx --on board --on board", "board is given twice", files={"a.onnx": b""}),
    case("bench a.onnx --fleet nowhere.toml", "nowhere.toml", files={"a.onnx": b""}),
    case("bench a.onnx --fleet f.toml --on pi", "--on", "--fleet", files={"f.toml": "board = []"}),
    *(
        case("bench a.onnx --fleet f.toml", *words, files={"a.onnx": b"", "f.toml": text})
        for text, words in (
            ("board = []", ("names no board",)),
            ("", ("board",)),
            ("[[board]]\nname = 'pi'\n", ("address",)),
            ("[[board]]\nname = 'pi'\naddress = 'pi@'\n", ("not the address",)),
            ("[[board]]\nname = 'pi'\naddress = 'a'\ncolour = 1\n", ("colour",)),
            ("[[board]]\nname = 'host'\naddress = 'a'\n", ("no name of a board",)),
            ("[[board]]\nname = 'pi'\naddress = 'a'\nlock = 'steal'\n", ("lock",)),
            ("[[board]]\nname = 'pi'\naddress = 'a'\nruntimes = ['tflitee']\n", ("tflitee", "did you mean")),
            ("[[board]]\nname = 'pi'\naddress = 'a'\ndevice = 'raspberry-pi-9'\n", ("raspberry-pi-9",)),
            ("[[board]]\nname = 'pi'\naddress = 'adb:X1'\n", ("not reached over SSH",)),
            ("[[board]]\nname = 'a'\naddress = 'x'\n[[board]]\nname = 'a'\naddress = 'y'\n", ("a is given twice",)),
            ("[[board]]\nname = 'a'\naddress = 'x'\n[[board]]\nname = 'b'\naddress = 'x'\n", ("x is given twice",)),
        )
    ),
    case("bench a.onnx --on nowhere.invalid", "no such host", files={"a.onnx": b""}),
    case("bench nowhere.onnx --on pi@host", "nowhere.onnx"),
    case("bench --on pi@host", "missing argument"),
    case("bench", "missing argument"),
    case("bench a.onnx --clean", "--clean", "--on"),
    case("compress digits_cnn --data digits --python python3.11", "--python", "--on"),
    case("compress digits_cnn --data digits --wait 10s", "--wait", "--on"),
    case("compress digits_cnn --data digits --on pi --wait never", "--wait", "10min"),
    case("compress digits_cnn --data digits --on pi --on pi", "pi", "twice"),
    case("compress digits_cnn --data digits --on adb:R58M12", "adb:R58M12", "SSH"),
    case("compress digits_cnn --data digits --on pi@", "pi@", "raspberrypi.local"),
    case("bench a.onnx --python python3.11", "--python", "--on"),
    case("eval a.onnx --data digits --python python3.11", "--python", "--on", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --wait 10s", "--wait", "--on", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --on pi --wait never", "--wait", "10min", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --on pi --on other", "--on is given 2 times", "one board", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --on pi@", "pi@", "raspberrypi.local", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --on adb:R58M12", "adb:R58M12", "SSH", files={"a.onnx": b""}),
    case("eval a.onnx --data digits --mean 0.5 --std 0.5 --on nowhere.invalid", "no such host", files={"a.onnx": b""}),
    case("eval nowhere.onnx --data digits --on pi@host", "nowhere.onnx"),
    case("eval a.onnx --data digits --on pi --corruptions noise", "--corruptions", "--on", files={"a.onnx": b""}),
    case("bench a.onnx --wait 10s", "--wait", "--on"),
    case("bench a.onnx --on pi@host --clean", "ARTIFACT", "--clean"),
    case("bench a.onnx --on pi@host --python -c", "--python", "such as python3.11"),
    case("bench a.onnx --on pi@host --python ''", "the value of --python is empty"),
    *(case(f"bench a.onnx --on pi@host --wait {text}", "--wait", "10min") for text in ("soon", "-1s", "86401", "1h")),
    case("bench a.tflite --on adb:R58", "benchmark_model", "--benchmark-model"),
    case("bench a.onnx --delegate gpu", "--delegate", "--on adb:SERIAL"),
    case("bench a.onnx --benchmark-model tool", "--benchmark-model", "--on adb:SERIAL"),
    case("bench a.onnx --on adb:R58 --python python3", "--python", "--on adb:SERIAL"),
    case("bench a.onnx --on adb:R58 --sustained 60s", "--sustained", "--on adb:SERIAL"),
    case("bench a.onnx --runtime trt", "'trt'", "tensorrt"),
    case("bench a.onnx --runtime tensorrt --precision bf16", "bf16", "f32", files={"a.onnx": b""}),
    case("bench a.tflite --runtime tensorrt", ".onnx", files={"a.tflite": b""}),
    case("bench a.onnx b.onnx --runtime tensorrt", "several files"),
    case("bench a.onnx --record", "--record", "--on"),
    case("bench a.onnx --on pi@host --record", "not a file of a run", files={"a.onnx": b""}),
    case("bench a.onnx --on pi@host --op-times", "--op-times", "--on"),
    case("bench a.onnx --on pi@host --layers", "--layers", "--on"),
    case("bench a.onnx --on pi@host --pipeline digits", "--pipeline", "--on"),
    case("bench a.onnx b.onnx --min-seconds 3", "no effect"),
    case("bench a.onnx b.onnx --min-runs 100", "no effect"),
    case("bench a.onnx --sustained 60s --min-runs 100", "no effect"),
    case("profile m.onnx --device raspberry-pi-5 --input-size 160", "--input-size", "model", files={"m.onnx": b""}),
    case("profile digits_cnn --device raspberry-pi-5 --input-size 160,", "--input-size", "such as 160,224,384"),
    case("profile digits_cnn --device raspberry-pi-5 --input-size 99999", "--input-size", "8192"),
    case("profile digits_cnn digits_cnn --device raspberry-pi-5", "digits_cnn is given twice"),
    case("profile digits_cnn --device raspberry-pi-5 --plot pictures", "--plot", "--input-size"),
    case("profile digits_cnn --device raspberry-pi-5 --anchor nowhere.json", "nowhere.json"),
    case(
        "profile digits_cnn --device raspberry-pi-5 --anchor m.json", "m.json", "edgevit bench", files={"m.json": "{}"}
    ),
    case(
        "profile digits_cnn --device raspberry-pi-5 --anchor m.json", "m.json", "edgevit bench", files={"m.json": "["}
    ),
    case("profile digits_cnn --device raspberry-pi-5 --anchor run", "--anchor run", files={"run/run.json": RUN}),
    case("profile digits_cnn --device raspberry-pi-5 --anchor run", "run.json", files={"run/mine.txt": "mine"}),
    case("profile m.onnx --device raspberry-pi-5 --weights w.pt", "--weights", "artifact", files={"m.onnx": b""}),
    case("profile m.onnx --device raspberry-pi-5 --export onnx", "--export", "model", files={"m.onnx": b""}),
    case("profile m.onnx --device raspberry-pi-5 --layers --plot m.onnx", "is a file", "folder", files={"m.onnx": b""}),
    case("profile m.onnx --device raspberry-pi-5 --plot pictures", "--plot is for --layers"),
    case("profile m.onnx --device raspberry-pi-5 --device rk3588 --layers", "one device"),
    case("bench m.onnx --layers --plot m.onnx", "is a file", "folder", files={"m.onnx": b""}),
    case("bench m.onnx --layers --device hailo-8", "no peak rate of its processor"),
    case("bench m.onnx --device raspberry-pi-5", "--device is for --layers"),
    case("reduce-tokens digits_vit", "exactly one plan"),
    case("reduce-tokens digits_vit --tokens none", "exactly one plan"),
    case("reduce-tokens digits_vit --tokens tome:8,tome:4", "exactly one plan"),
    case("reduce-tokens digits_vit --tokens auto", "compress --tokens auto"),
    case("reduce-tokens digits_vit --tokens tome:8 --out reduced.onnx", ".pt2"),
    case("reduce-tokens digits_vit --tokens tome:8 --out folder.pt2", ".pt2", files={"folder.pt2": folder}),
    case("reduce-tokens digits_vit --tokens tome:8 --samples 3", "no effect"),
    case("finetune digits_cnn --data digits --calibration digits:train", "one runtime", "--export openvino"),
    case("finetune digits_cnn --export onnx,tflite", "one runtime"),
    case("finetune digits_cnn --export onnx --scheme fp32,dynamic_wi8_afp32", "one scheme"),
    case("finetune digits_cnn --export onnx --scheme fp32", "nothing is compressed"),
    case("finetune digits_vit --export onnx --tokens auto", "one token plan"),
    case("finetune digits_vit --export onnx --tokens tome:8,tome:4", "one token plan"),
    case("finetune digits_cnn --export onnx --rung auto", "quick or full"),
    case("finetune digits_cnn --export onnx --rung fast", "quick"),
    case("finetune digits_cnn --export onnx --accelerator gpu", "accelerator", "cuda"),
    case("finetune digits_cnn --export onnx --data digits", "needs images"),
    case("finetune digits_cnn --export onnx --calibration digits:train", "--data"),
    case("quantize m.onnx --calibration digits:train", "no such file"),
    case("quantize m.txt --calibration digits:train", "no backend reads .txt", files={"m.txt": "x"}),
    case("quantize m.onnx --calibration digits:train --max-drop -1", "--max-drop"),
    case("quantize m.onnx --calibration digits:train --max-minutes 0", "--max-minutes"),
    case("quantize m.onnx --calibration digits:train --mean 0.5 --std 0", "std", files={"m.onnx": classifier_onnx()}),
    case("quantize m.onnx --calibration digits:train", "--mean and --std", files={"m.onnx": classifier_onnx()}),
    case("quantize m.onnx --calibration digits:train --out m.tflite", "does not end in .onnx", files={"m.onnx": b"x"}),
    slow_case(
        "quantize m.onnx --calibration digits:train --mean 0.5 --std 0.5", "not an ONNX file", files={"m.onnx": b"x"}
    ),
    case("init digits_cnn --out spec.json", "does not end in .toml", "--out spec.toml"),
    case("init digits_cnn", "spec.toml exists", "choose another --out", files={"spec.toml": "mine"}),
    case("init digits_cnn", "spec.schema.json exists", files={"spec.schema.json": "mine"}),
    case("init digits_cnn --device raspberry-pi-6", "unknown device", "raspberry-pi-5"),
    case("init digits_cnn --data digts", "no such image source", "digits"),
    case("init digits_cnn --weights w.pt", "no such weights file: "),
    case("init digits_cnn --weights w.pt --pretrained", "give only one of", files={"w.pt": "x"}),
    case("calibration make digits:train --out set.json", "does not end in .toml"),
    case("calibration make digits:train", "missing option", "--out"),
    case("calibration make digits:train --out set.toml --count 0", "--count"),
    case("calibration make digits:test --out set.toml --count 501", "not 501"),
    case("calibration make nowhere --out set.toml", "no such image source"),
    case("calibration check calibration:flowers", "flowers5"),
    case("calibration check calibration:flowers5", "are not there", "@FOLDER"),
    case("search", "no model is given", "--pick"),
    case("search digits_cnn --data digits", "needs a limit", "--max-minutes"),
    case("search digits_cnn --trials 3", "needs images", "--data"),
    case("search digits_cnn --data digits --trials 0", "--trials"),
    case("search digits_cnn --data digits --max-minutes 0", "--max-minutes"),
    case("search digits_cnn --data digits --trials 3 --objectives p50_ms,size", "needs top1"),
    case("search digits_cnn --data digits --trials 3 --objectives top1,speed", "unknown objective", "p50_ms"),
    case("search digits_cnn --data digits --trials 3 --method genetic", "unknown method", "nsga2"),
    case("search digits_cnn --data digits --trials 3 --device raspberry-pi-9", "raspberry-pi-5"),
    case("search digits_cnn digits_vit --data digits --trials 3 --weights w.safetensors", "--weights is for one model"),
    case("search digits_cnn digits_vit --calibration calibration:digits --trials 3", "labels"),
    case("search digits_cnn --random-weights --data digits --trials 3", "--random-weights"),
    case("search --out nowhere --pick 'p50_ms<=8'", "cannot read a search", "--out"),
    case("search --pick 'p50_ms<=8'", "needs the folder of a search"),
    case("search digits_cnn --data digits --trials 3 --pick p50_ms=8", "is no limit", "p50_ms<=8"),
    slow_case(
        "search digits_cnn --data digits --export onnx --scheme fp32 --tokens none --trials 3", "nothing to search"
    ),
    case("compress digits_vit --set quantize.float_layers=['head']", "schemes that are named", "static_wi8_ai8"),
    case("sensitivity digits_cnn", "calibration"),
    case("sensitivity digits_cnn --calibration calibration:digits --export onnx,tflite", "exactly one"),
    case("sensitivity digits_cnn --calibration calibration:digits --scheme fp32,fp16", "exactly one"),
    case("explain digits_cnn digits-0010 --tokens evit:0.7", "softmax-attention blocks", "digits_vit", "Grad-CAM"),
    case("explain digits_vit digits-0010 --layer 99", "--layer 99", "give 1 to 6"),
    case("explain digits_vit digits-0010 --head 1", "--head has no effect without --layer"),
    case("explain digits_vit digits-0010 --artifact nowhere.onnx", "nowhere.onnx"),
    case("explain digits_vit nowhere.png", "nowhere.png"),
    case("explain digits_vit digits-9999", "digits-9999"),
    case("explain digits_vit digits-0010 --tokens tome:99", "tome"),
    case("explain digits_vit digits-0010 --set data.samples=3", "data.samples"),
)

_RECOMMEND = (
    *(
        case(f"recommend {options}", *words)
        for options, *words in (
            ("--images=-5", "--images '-5' is no number of images", "50k"),
            ("--images 0", "no number of images"),
            ("--images many", "no number of images"),
            ("--images ''", "--images", "empty"),
            ("--device raspberry-pi-6", "unknown device", "raspberry-pi-5"),
            ("--device nowhere.toml", "no such device file"),
            ("--max-latency 10ms", "--max-latency is on a device", "--device NAME"),
            ("--device rk3588 --max-latency=-10ms", "no latency", "10ms"),
            ("--device rk3588 --max-latency 0", "no latency"),
            ("--device rk3588 --max-latency soon", "no latency"),
            ("--memory 8", "no amount of memory", "8MB"),
            ("--memory=-8MB", "no amount of memory"),
            ("--resolution 0x640", "no size in pixels", "4k"),
            ("--resolution huge", "no size in pixels"),
            ("--fine-detail", "--fine-detail is about the size", "--resolution"),
            ("--pretraining imagenet", "imagenet-1k"),
            ("--task segmentation", "dense"),
            ("--run nowhere", "cannot read a run at nowhere", "edgevit compress --out DIR"),
            ("--device rk3588 --device rk3588", "--device is given 2 times"),
        )
    ),
    case("recommend --run run --run run", "--run run is given twice", files={"run/run.json": RUN}),
    case("recommend --run run", "is not a run", files={"run/run.json": "{}"}),
)

_PLANS = tuple(
    case(f"compress digits_vit --tokens {text}", "token", *words)
    for text, *words in (
        ("evit",), ("evit:",), ("evit:1.5",), ("evit:0",), ("evit:1.0",), ("evit:-1",), ("evit:0.7@",), ("evit:0.7@0",),
        ("evit:0.7@4,3",), ("evit:0.7@99", "block"), ("tome:0",), ("tome:0.0",), ("evti:0.7", "did you mean evit"),
        ("resolution:0",), ("resolution:x",), ("patch:0",), ("squeeze:2=5,4=9", "fall"), ("squeeze:2=0",),
        ("evit:" + "9" * 5000,), ("evit:0." + "9" * 5000,), ("tome:" + "9" * 30,), ("evit:0.7@" + "9" * 5000,),
        ("resolution:" + "9" * 400,), ("patch:" + "9" * 30,), ("none,none",), ("tome:8@1,1", "rise"),
    )
)  # fmt: skip

_DISTILL = (
    case("distill digits_vit --teacher digits_cnn", "needs images to train on", "--train"),
    case("distill digits_vit --teacher digits_cnn --train digits --data digits", "training images", "digits too"),
    case("distill digits_vit --train noise:100", "no labels to train with", "--teacher"),
    case("distill digits_vit --teacher digits_cnn --train noise:95", "at least 96", "gives 95"),
    case("distill digits_vit --train nowhere", "no such image source"),
    case("distill digits_vit --teacher digits_cn --train digits:train", "digits_cn", "did you mean digits_cnn"),
    case("distill digits_vit --teacher-weights w.safetensors --train digits:train", "distill.teacher.name"),
    case("distill digits_vit --loss mse --teacher digits_cnn --train digits:train", "distill.loss", "dist"),
    case("distill digits_vit --loss dist --train digits:train", "no effect without a teacher", "--teacher"),
    case("distill digits_vit --token --train digits:train", "no effect without a teacher"),
    case("distill digits_vit --temperature 0 --teacher digits_cnn --train digits:train", "temperature"),
    case("distill digits_vit --epochs 0 --train digits:train", "--epochs"),
    case("distill digits_vit --batch-size 4 --processes 3 --train digits:train", "batch_size", "processes"),
    case("distill digits_vit --freeze -1 --train digits:train", "--freeze"),
    case("distill digits_vit --layer-decay 1.5 --train digits:train", "layer_decay"),
    case("distill digits_vit --drop-path 1 --train digits:train", "drop_path"),
    case("distill digits_vit --mixup -1 --train digits:train", "mixup"),
    case(
        "distill digits_vit --teacher digits_cnn --teacher-cache c --mixup 0.2 --train digits:train",
        "teacher_cache",
        "blend",
    ),
    case(
        "distill digits_vit --augmentation affine --rand-augment rand-m9 --train digits:train", "rand_augment", "crop"
    ),
    case(
        "distill digits_vit --augmentation crop --rand-augment strong --train digits:train", "rand_augment", "rand-m9"
    ),
    case("distill digits_vit --augmentation flip --train digits:train", "augmentation.views", "affine"),
    case("distill digits_vit --tokens auto --train digits:train", "one token plan"),
    case("distill digits_vit --tokens tome:8,tome:4 --train digits:train", "one token plan"),
    case("distill digits_vit --accelerator gpu --train digits:train", "accelerator", "cuda"),
    case("distill digits_vit --resume --train digits:train", "--resume needs --out"),
    case("distill digits_vit --train digits:train --out out", "holds a distill.json", files={"out/distill.json": "{}"}),
    case("distill digits_vit --train digits:train --out out", "--resume", files={"out/weights.checkpoint": b""}),
    case("distill net.pt2 --train digits:train", "net.pt2"),
    slow_case("distill digits_vit --freeze 9 --train digits:train --out out", "--freeze 9", "6 blocks"),
    slow_case("distill digits_cnn --teacher digits_vit --token --train digits:train", "distillation token"),
    slow_case("distill digits_cnn --drop-path 0.1 --train digits:train", "no residual branches"),
    slow_case(
        "distill digits_vit --teacher resnet10t --set distill.teacher.random_weights=true --train digits:train",
        "the teacher has 1000 classes, the model 10",
    ),
    slow_case("distill digits_vit --set distill.precision=float16 --train digits:train", "float16", "CUDA"),
    case(
        "compress digits_vit --finetune quick --finetune-teacher teacher --calibration digits:train", "distill.teacher"
    ),
    case("compress digits_vit --finetune quick --finetune-teacher big --calibration digits:train", "finetune.teacher"),
)

CASES: tuple[Case, ...] = (
    *_NAMES,
    *_MISSING,
    *_EMPTY,
    *_TWICE,
    *_NUMBERS,
    *_CHOICES,
    *_TOGETHER,
    *_RECOMMEND,
    *_PLANS,
    *_DISTILL,
)
