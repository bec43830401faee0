# make install   .venv with every extra, pinned         make test      fast tests (under 12 minutes on 2 cores)
# make demo      the main job on the bundled data       make test-all  every test
# make lint      ruff and mypy                          make bench     measured ratios, side by side
# make families  docs/families.md, rewritten            make digits    retrains the bundled models
# make test uses two processes; what fails beside another test is run once more, alone
# make docs      the documentation, in site/            make bench-quantize  int8 against the libraries' defaults
# make demo-page the demo's output into docs/demo.md
# make bench-tokens   every way to have fewer tokens: table and picture
# make bench-engine   what runs cost, beside a plain script of the same library calls
# make bench-compress   the fastest file of each runtime within a drop, on images that nothing was chosen on
# make bench-distill   what a teacher gives a student trained from random weights, and the memory of training
# make bench-finetune   what label-free fine-tuning regains, on images that nothing was chosen on
# make bench-prune   what structured pruning costs without training, beside a smaller image
# make bench-host   predictions of a calibrated host against measurements, on networks that it did not see
# make bench-latency   whether latencies repeat, under changing load: docs/latency-protocol.md
# make bench-gate   how often gate --measure is right, under changing load: docs/regression-gate-trials.md
# make bench-search   whether a search finds more in less: replayed on a table, and on real models
# make bench-scale   what it costs to carry tasks out on workers, and how it scales
# make resolve   which extra resolves where, and its size: docs/installing.md
# make test-kill   runs ended at 50 random moments in every way, resumed, and compared with an unbroken one

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo test test-all test-kill lint bench bench-search bench-quantize bench-tokens bench-engine bench-latency bench-gate bench-host bench-compress bench-distill bench-finetune bench-prune bench-scale resolve families digits docs demo-page
.DELETE_ON_ERROR:

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python benchmarks/torch_build.py constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip check
	touch $@

demo: $(STAMP)
	$(BIN)/edgevit compress digits_vit --data digits --calibration calibration:digits \
		--teacher digits_cnn --train digits:train --tokens evit:0.7@2,4 --form gather \
		--export onnx,tflite --device raspberry-pi-5

test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadfile \
		|| $(BIN)/python -m pytest -q -m "not slow" --last-failed --last-failed-no-failures none

test-all: $(STAMP)
	$(BIN)/python -m pytest -q

test-kill: $(STAMP)
	$(BIN)/python -m tests.end_to_end.kill_trials

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-quantize: $(STAMP)
	$(BIN)/python -m benchmarks.quantize

bench-tokens: $(STAMP)
	$(BIN)/python -m benchmarks.tokens

bench-engine: $(STAMP)
	$(BIN)/python -m benchmarks.engine

bench-latency: $(STAMP)
	$(BIN)/python -m benchmarks.latency_protocol --table docs/latency-protocol.md

bench-gate: $(STAMP)
	$(BIN)/python -m benchmarks.regression_gate --table docs/regression-gate-trials.md

bench-host: $(STAMP)
	$(BIN)/python -m benchmarks.host_predictions

bench-distill: $(STAMP)
	$(BIN)/python -m benchmarks.distill

bench-finetune: $(STAMP)
	$(BIN)/python -m benchmarks.finetune

bench-prune: $(STAMP)
	$(BIN)/python -m benchmarks.prune

bench-compress: $(STAMP)
	$(BIN)/python -m benchmarks.compress

bench-search: $(STAMP)
	$(BIN)/python -m benchmarks.search

bench-scale: $(STAMP)
	$(BIN)/python -m benchmarks.scale_out

bench: $(STAMP)
	$(BIN)/python -m benchmarks.prediction_speed
	$(BIN)/python -m benchmarks.ratios

resolve: $(STAMP)
	$(BIN)/python -m benchmarks.resolve

families: $(STAMP)
	$(BIN)/python -m tests.contract.make_family_table --out docs/families.md

digits: $(STAMP)
	$(BIN)/python -m benchmarks.train_digits

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

demo-page: $(STAMP)
	$(MAKE) --no-print-directory --silent demo > build-demo.txt
	$(BIN)/python -m benchmarks.demo_page build-demo.txt
	rm build-demo.txt
