# SPDX-License-Identifier: Apache-2.0
# The two commands are `make demo` and `make test`; each installs what is missing and says what.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Where cargo builds; it may stand outside the checkout.
BUILD := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR := $(BUILD)
# The Python that the tests and the benchmark compare with; milvusdm itself needs none.
export MILVUSDM_TEST_PYTHON := $(BUILD)/test-python/bin/python
BINARY := $(BUILD)/release/milvusdm

.PHONY: help demo test soak bench setup setup-build setup-python build fmt lint deny

help:
	@echo "make demo    build milvusdm and move real vectors between real files"
	@echo "make test    build everything and run all tests"
	@echo "make soak    kill runs at random, some hundred times, and compare what they come to"
	@echo "make bench   time milvusdm against dd, with all output verified"
	@echo "make setup   only install what demo, test and bench need"
	@echo "make lint    formatting and clippy, as CI runs them"

setup: setup-build setup-python

setup-build:
	@tests/setup.sh build

setup-python:
	@tests/setup.sh python "$(BUILD)/test-python"

# Binaries and tests in one call, so that their dependencies are resolved and compiled once.
build: setup-build
	cargo build --release --locked --workspace --lib --bins

demo: build
	@examples/demo.sh "$(BINARY)" "$(BUILD)/demo"

test: setup
	cargo build --release --locked --workspace --lib --bins --tests
	cargo test --release --locked --workspace

# 40 kills for each of six routes, and of the server.
soak: setup
	cargo build --release --locked --workspace --lib --bins --tests
	MILVUSDM_KILLS=40 cargo test --release --locked --workspace --test e2e -- kills:: --nocapture

bench: build setup-python
	@"$(MILVUSDM_TEST_PYTHON)" tests/bench/bench.py --binary "$(BINARY)" --plugins "$(BUILD)/release" --dir "$(BUILD)/bench"
	cargo bench --locked --workspace --bench boundary --bench hash --bench load

fmt:
	cargo fmt --all

lint: setup-build
	cargo fmt --all -- --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	for example in plugins/vecs vendor-build; do \
		(cd "examples/$$example" && cargo fmt --all --check && \
		CARGO_TARGET_DIR="$(BUILD)/outside" cargo clippy --release --locked --all-targets -- -D warnings); \
	done

# Licences, bans and sources; `cargo install cargo-deny` once. Advisories need the network.
deny:
	cargo deny --offline check bans licenses sources
